"""
Which call may be sent again, and after how long: pure rules, without a network or a clock.

KooDrive's create has no idempotency key, so what a write's failure means is told apart from what a
read's failure means; see "Creating exactly once" in the README.
"""

from __future__ import annotations

from enum import Enum

from airflow_provider_koodrive.exceptions import (
    KooDriveConnectionError,
    KooDriveError,
    KooDriveResponseError,
    KooDriveServerError,
    KooDriveThrottledError,
)

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})  # RFC 9110, section 9.2.1

LONGEST_BACKOFF_SECONDS = 30.0
LONGEST_RETRY_AFTER_SECONDS = 60.0  # unless the client says otherwise
LONGEST_WAIT_SECONDS = 86400.0  # whatever it says: Python cannot sleep for more than some centuries


class Verdict(Enum):
    """What follows from a failed attempt."""

    RAISE = "raise"
    """The answer is definite: sending again changes nothing."""

    REPEAT = "repeat"
    """Nothing happened in KooDrive, or the call changes nothing: send it again after a wait."""

    UNKNOWN = "outcome unknown"
    """KooDrive may have carried it out: look before sending again."""


def judge(method: str, error: KooDriveError) -> Verdict:
    """
    Tell what a failed attempt means.

    :param method: HTTP method of the call
    :param error: what happened
    """
    # Whatever code a 5xx brings: something broke, and before or after what, nobody knows.
    broke = (error.http_status or 0) >= 500
    if isinstance(error, KooDriveThrottledError) and not broke:
        return Verdict.REPEAT
    if isinstance(error, KooDriveConnectionError) and not error.sent:
        return Verdict.REPEAT
    if method.upper() in SAFE_METHODS:
        repeatable = broke or isinstance(error, KooDriveConnectionError | KooDriveServerError)
        return Verdict.REPEAT if repeatable else Verdict.RAISE
    unsettled = isinstance(error, KooDriveConnectionError | KooDriveServerError | KooDriveResponseError)
    return Verdict.UNKNOWN if broke or unsettled else Verdict.RAISE


def wait_seconds(
    attempt: int,
    error: BaseException | None,
    *,
    backoff: float,
    luck: float,
    longest_retry_after: float = LONGEST_RETRY_AFTER_SECONDS,
) -> float:
    """
    Return the wait after an attempt: ``Retry-After`` up to a cap, else exponential with full jitter.

    In seconds. A ``Retry-After`` of 0, or of a moment that has passed, is no advice.

    :param attempt: number of the attempt that failed, from 1
    :param error: what happened
    :param backoff: upper bound of the first wait, in seconds; doubles with each attempt
    :param luck: the jitter, from 0 for no backoff at all to 1 for all of it
    :param longest_retry_after: the cap, in seconds
    """
    asked = getattr(error, "retry_after", None)
    if asked is not None and asked > 0:
        return float(min(asked, longest_retry_after, LONGEST_WAIT_SECONDS))
    return luck * min(LONGEST_BACKOFF_SECONDS, backoff * 2.0 ** min(attempt - 1, 16))
