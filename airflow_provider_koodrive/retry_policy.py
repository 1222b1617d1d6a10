"""A ready retry policy for KooDrive's tasks: Airflow 3.3 and later."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

try:
    from airflow.sdk import RetryDecision, RetryPolicy
except ImportError as err:
    raise ImportError(
        "airflow_provider_koodrive.retry_policy needs Airflow 3.3 or later, where tasks have a retry_policy; "
        "on an earlier Airflow use retries and retry_delay"
    ) from err

from airflow_provider_koodrive.exceptions import (
    FINAL_ERRORS,
    KooDriveConflictError,
    KooDriveConnectionError,
    KooDriveMembersError,
    KooDriveOutcomeUnknownError,
    KooDriveQuotaError,
    KooDriveResponseError,
    KooDriveServerError,
    KooDriveThrottledError,
)

if TYPE_CHECKING:
    from airflow.sdk import Context


LONGEST_DELAY_SECONDS = 86400

_LONG_ERRORS = (KooDriveConflictError, KooDriveOutcomeUnknownError, KooDriveQuotaError)
_PASSING_ERRORS = (
    KooDriveConnectionError,
    KooDriveMembersError,
    KooDriveResponseError,
    KooDriveServerError,
    KooDriveThrottledError,
)


class KooDriveRetryPolicy(RetryPolicy):
    """
    Retry by what went wrong: ``retries=5, retry_policy=KooDriveRetryPolicy()``.

    - Fails at once: errors of configuration, authentication, permission and validation, which another try
      cannot change, and a conflict with a space that was seen. For the former the operators raise
      ``AirflowFailException``, at which Airflow asks no policy.
    - Backs off, doubling with each try: throttling, server and connection errors; an answer that is not
      KooDrive's, since a proxy's page goes as it came, and a create looks before it sends; members that
      could not be added, since KooDrive does not say why. A ``Retry-After`` above 0 takes the place of the
      backoff.
    - Waits longest: an unknown outcome and a conflict with a space that was not seen, so that KooDrive's
      lists show what is there; no room left, since somebody has to make some.
    - Follows the task's own ``retry_delay``: everything else, such as a refusal of unknown meaning, and a
      worker that died.

    :param delay: seconds before the first retry of what backs off; doubles with each try
    :param longest_delay: seconds that no retry exceeds, also where KooDrive asks for more
    :raises ValueError: one is negative, or more than a day
    """

    def __init__(self, *, delay: float = 30.0, longest_delay: float = 900.0) -> None:
        for name, seconds in (("delay", delay), ("longest_delay", longest_delay)):
            if not isinstance(seconds, int | float) or not 0 <= seconds <= LONGEST_DELAY_SECONDS:
                raise ValueError(f"{name}={seconds!r} is not within 0 to {LONGEST_DELAY_SECONDS} seconds")
        self.delay = delay
        self.longest_delay = longest_delay

    def evaluate(
        self,
        exception: BaseException,
        try_number: int,
        max_tries: int,  # noqa: ARG002 - Airflow itself holds to it
        context: Context | None = None,  # noqa: ARG002
    ) -> RetryDecision:
        """
        Decide on a failed try.

        :param exception: what the task raised
        :param try_number: number of the try that failed, from 1
        :param max_tries: tries that the task has
        :param context: the task's context
        """
        reason = f"{type(exception).__name__}, try {try_number}"
        if isinstance(exception, FINAL_ERRORS) or _was_seen(exception):
            return RetryDecision.fail(reason)
        if isinstance(exception, _LONG_ERRORS):
            return self._retry(self.longest_delay, reason)
        if isinstance(exception, _PASSING_ERRORS):
            # Retry-After: 0, or a date that is over, would have all tasks come back at once.
            asked = getattr(exception, "retry_after", None) or 0.0
            backoff = self.delay * 2.0 ** min(try_number - 1, 32)
            return self._retry(asked if asked > 0 else backoff, reason)
        return RetryDecision.default()

    def serialize(self) -> dict[str, Any]:
        """Return the policy's arguments."""
        return {"delay": self.delay, "longest_delay": self.longest_delay}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> KooDriveRetryPolicy:
        """Rebuild the policy from :meth:`serialize`."""
        return cls(**data)

    def _retry(self, seconds: float, reason: str) -> RetryDecision:
        return RetryDecision.retry(timedelta(seconds=min(seconds, self.longest_delay)), reason)


def _was_seen(error: BaseException) -> bool:
    # A conflict that KooDrive answered has a status; else the space was found in its lists.
    return isinstance(error, KooDriveConflictError) and error.http_status is None
