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
    KooDriveConnectionError,
    KooDriveOutcomeUnknownError,
    KooDriveServerError,
    KooDriveThrottledError,
)

if TYPE_CHECKING:
    from airflow.sdk import Context


class KooDriveRetryPolicy(RetryPolicy):
    """
    Retry by what went wrong: ``retries=5, retry_policy=KooDriveRetryPolicy()``.

    Errors of configuration, authentication, permission and validation fail at once. Throttling waits for
    KooDrive's ``Retry-After``. Server and connection errors back off, doubling with each try. An unknown
    outcome waits longest, so that KooDrive's lists show what was created. Everything else follows the
    task's own ``retry_delay``.

    :param delay: seconds before the first retry of a server or connection error; doubles with each try
    :param longest_delay: seconds that no retry exceeds; an unknown outcome waits as long
    """

    def __init__(self, *, delay: float = 30.0, longest_delay: float = 900.0) -> None:
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
        if isinstance(exception, FINAL_ERRORS):
            return RetryDecision.fail(reason)
        if isinstance(exception, KooDriveOutcomeUnknownError):
            return self._retry(self.longest_delay, reason)
        if isinstance(exception, KooDriveThrottledError | KooDriveServerError | KooDriveConnectionError):
            asked = getattr(exception, "retry_after", None)
            backoff = self.delay * 2.0 ** min(try_number - 1, 32)
            return self._retry(backoff if asked is None else asked, reason)
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
