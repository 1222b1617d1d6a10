"""
Decide whether a call is sent again, and after how long: pure rules, without network or clock.

The create call has no idempotency key, so a failed write means something else than a failed read; see
"Creating exactly once" in the README.
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
LONGEST_WAIT_SECONDS = 86400.0  # whatever the client says: time.sleep() refuses very large numbers


class Outcome(Enum):
    """Effect of a failed attempt on KooDrive."""

    REJECTED = "rejected"
    """KooDrive rejected the call: sending it again changes nothing."""

    NOT_APPLIED = "not applied"
    """Nothing changed in KooDrive: send the call again after a wait."""

    UNKNOWN = "unknown"
    """KooDrive may have carried out the call: look it up before sending it again."""


def classify(method: str, error: KooDriveError) -> Outcome:
    """
    Return the effect that a failed attempt had on KooDrive.

    :param method: HTTP method of the call
    :param error: error that the attempt ended with
    """
    # Whatever code a 5xx response has: the server may have failed before or after the change.
    failed = (error.http_status or 0) >= 500
    if isinstance(error, KooDriveThrottledError) and not failed:
        return Outcome.NOT_APPLIED
    if isinstance(error, KooDriveConnectionError) and not error.sent:
        return Outcome.NOT_APPLIED
    if method.upper() in SAFE_METHODS:
        repeatable = failed or isinstance(error, KooDriveConnectionError | KooDriveServerError)
        return Outcome.NOT_APPLIED if repeatable else Outcome.REJECTED
    open_kinds = KooDriveConnectionError | KooDriveServerError | KooDriveResponseError
    return Outcome.UNKNOWN if failed or isinstance(error, open_kinds) else Outcome.REJECTED


def wait_seconds(
    attempt: int,
    error: BaseException | None,
    *,
    backoff: float,
    jitter: float,
    longest_retry_after: float = LONGEST_RETRY_AFTER_SECONDS,
) -> float:
    """
    Return the wait after a failed attempt, in seconds.

    That is the response's ``Retry-After`` up to a cap, else an exponential backoff with full jitter. A
    ``Retry-After`` of 0, or of a moment in the past, does not count: all attempts would go out in a burst.

    :param attempt: number of the attempt that failed, from 1
    :param error: error that the attempt ended with
    :param backoff: upper bound of the first wait, in seconds; doubles with each attempt
    :param jitter: share of the backoff to wait, from 0 to 1
    :param longest_retry_after: the cap, in seconds
    """
    requested = getattr(error, "retry_after", None)
    if requested is not None and requested > 0:
        return float(min(requested, longest_retry_after, LONGEST_WAIT_SECONDS))
    return jitter * min(LONGEST_BACKOFF_SECONDS, backoff * 2.0 ** min(attempt - 1, 16))
