"""What can go wrong between Airflow and KooDrive: plain exceptions, usable without Airflow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class KooDriveError(Exception):
    """
    A call to KooDrive failed.

    :param message: what happened and what to do, without secrets
    :param http_status: HTTP status of the answer, None where there was none
    :param code: ``code`` of KooDrive's envelope as it came (number or string), None where there was none
    :param msg: ``msg`` of KooDrive's envelope
    :param trace_id: ``X-Traceid`` that was sent; KooDrive's support finds the call by it
    :param method: HTTP method of the call
    :param path: path of the call, without the query
    """

    def __init__(
        self,
        message: str,
        *,
        http_status: int | None = None,
        code: int | str | None = None,
        msg: str | None = None,
        trace_id: str | None = None,
        method: str | None = None,
        path: str | None = None,
    ) -> None:
        super().__init__(message)
        self.http_status = http_status
        self.code = code
        self.msg = msg
        self.trace_id = trace_id
        self.method = method
        self.path = path

    def details(self) -> dict[str, Any]:
        """Return all but the message, as another error of the same call takes it."""
        return {
            "http_status": self.http_status,
            "code": self.code,
            "msg": self.msg,
            "trace_id": self.trace_id,
            "method": self.method,
            "path": self.path,
        }

    def __str__(self) -> str:
        details = {
            "call": f"{self.method} {self.path}" if self.method else None,
            "HTTP status": self.http_status,
            "code": self.code,
            "msg": repr(self.msg) if self.msg else None,
            "trace id": self.trace_id,
        }
        shown = ", ".join(f"{name} {value}" for name, value in details.items() if value is not None)
        message = str(self.args[0]) if self.args else type(self).__name__
        return f"{message} ({shown})" if shown else message

    def __reduce__(self) -> tuple[Any, ...]:
        # The default would call the class with `args` alone and refuse those with required keywords.
        return _rebuild, (type(self), self.args, self.__dict__)


def _rebuild(
    kind: type[KooDriveError], args: tuple[Any, ...], attributes: Mapping[str, Any]
) -> KooDriveError:
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(attributes)
    return error


class KooDriveConfigError(KooDriveError):
    """The connection or an argument is wrong; nothing was sent."""


class KooDriveAuthenticationError(KooDriveError):
    """KooDrive does not accept the token or the signature."""


class KooDrivePermissionError(KooDriveError):
    """The calling user may not do this, e.g. list the enterprise's spaces without being its administrator."""


class KooDriveValidationError(KooDriveError):
    """A value is not allowed: refused here before anything was sent, or by KooDrive."""


class KooDriveConflictError(KooDriveError):
    """The calling user already owns a space of this name."""


class KooDriveQuotaError(KooDriveError):
    """The enterprise's number of spaces or capacity is used up."""


class KooDriveThrottledError(KooDriveError):
    """
    KooDrive or its gateway refuses the call because there are too many (HTTP 429).

    :param retry_after: seconds after which KooDrive says it will answer again, None where it does not say
    """

    def __init__(self, message: str, *, retry_after: float | None = None, **details: Any) -> None:
        super().__init__(message, **details)
        self.retry_after = retry_after


class KooDriveServerError(KooDriveError):
    """
    KooDrive failed at its side (HTTP 5xx, or code 13000201).

    :param retry_after: seconds after which KooDrive says it will answer again, None where it does not say
    """

    def __init__(self, message: str, *, retry_after: float | None = None, **details: Any) -> None:
        super().__init__(message, **details)
        self.retry_after = retry_after


class KooDriveConnectionError(KooDriveError):
    """
    No answer came: name not found, nothing listens, TLS refused, time-out, connection lost.

    :param sent: False where the request certainly did not leave, so that sending it again is safe
    """

    def __init__(self, message: str, *, sent: bool = True, **details: Any) -> None:
        super().__init__(message, **details)
        self.sent = sent


class KooDriveResponseError(KooDriveError):
    """The answer is not KooDrive's envelope: no JSON, no object, too large, too deep, or a redirect."""


class KooDriveGatewayError(KooDriveServerError, KooDriveResponseError):
    """Something before KooDrive failed: HTTP 5xx, and the body is not KooDrive's."""


class KooDriveOutcomeUnknownError(KooDriveError):
    """
    A create was sent and nothing tells whether KooDrive carried it out.

    :param name: name of the space to look for
    """

    def __init__(self, message: str, *, name: str, **details: Any) -> None:
        super().__init__(message, **details)
        self.name = name


class KooDriveMembersError(KooDriveError):
    """
    The space exists, but some of its members could not be added.

    :param failed: KooDrive user ids of the missing members
    :param retry_after: seconds after which KooDrive says it will answer again, None where it does not say
    """

    def __init__(
        self, message: str, *, failed: Sequence[str], retry_after: float | None = None, **details: Any
    ) -> None:
        super().__init__(message, **details)
        self.failed = list(failed)
        self.retry_after = retry_after


FINAL_ERRORS = (
    KooDriveAuthenticationError,
    KooDriveConfigError,
    KooDrivePermissionError,
    KooDriveValidationError,
)
"""Errors that another try of the task cannot change."""
