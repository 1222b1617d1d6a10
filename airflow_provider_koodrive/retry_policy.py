"""A retry policy for KooDrive's tasks: Airflow 3.3 and later."""

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

from airflow_provider_koodrive.exceptions import KooDriveConflictError, KooDriveError

if TYPE_CHECKING:
    from airflow.sdk import Context


LONGEST_DELAY_SECONDS = 86400


class KooDriveRetryPolicy(RetryPolicy):
    """
    Retry according to the error: ``retries=5, retry_policy=KooDriveRetryPolicy()``.

    Each class of :mod:`airflow_provider_koodrive.exceptions` says whether it is ``retryable``, and its
    ``retry_wait`` says how long to wait:

    - ``backoff``: ``delay`` doubles with each try; a ``Retry-After`` above 0 replaces it.
    - ``longest``: always ``longest_delay``.
    - ``task``: the task's own ``retry_delay``, as for all other errors and for a worker that died.

    An error that is not retryable fails the task at once, as does a conflict with a space that was found in
    KooDrive's lists. For the former the operators raise ``AirflowFailException``, and Airflow asks no policy.

    :param delay: seconds before the first retry of what backs off; doubles with each try
    :param longest_delay: seconds that no wait exceeds, even if KooDrive asks for more
    :raises ValueError: an argument is negative, or more than a day
    """

    def __init__(self, *, delay: float = 30.0, longest_delay: float = 900.0) -> None:
        for name, seconds in (("delay", delay), ("longest_delay", longest_delay)):
            if not isinstance(seconds, int | float) or not 0 <= seconds <= LONGEST_DELAY_SECONDS:
                raise ValueError(
                    f"{name}={seconds!r} is not allowed: give a number of seconds from 0 to "
                    f"{LONGEST_DELAY_SECONDS}"
                )
        self.delay = delay
        self.longest_delay = longest_delay

    def evaluate(
        self,
        exception: BaseException,
        try_number: int,
        max_tries: int,  # noqa: ARG002 - Airflow itself keeps to it
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
        if not isinstance(exception, KooDriveError):
            return RetryDecision.default()
        if not exception.retryable or _was_found(exception):
            return RetryDecision.fail(reason)
        if exception.retry_wait == "longest":
            return self._retry(self.longest_delay, reason)
        if exception.retry_wait == "backoff":
            # Retry-After: 0, or a date that has passed, would make all tasks retry at once.
            retry_after = getattr(exception, "retry_after", None) or 0.0
            backoff = self.delay * 2.0 ** min(try_number - 1, 32)
            return self._retry(retry_after if retry_after > 0 else backoff, reason)
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


def _was_found(error: KooDriveError) -> bool:
    # A conflict that KooDrive reports has a status; without one, the space was found in its lists.
    return isinstance(error, KooDriveConflictError) and error.http_status is None
