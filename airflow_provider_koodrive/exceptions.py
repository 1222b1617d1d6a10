"""
The catalogue of errors: for each class what happened, what to do, and what a retry of the task does.

The README's table of errors, the connection's test button, :data:`FINAL_ERRORS` and the retry policy derive
from it. Usable without Airflow.
"""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Any, ClassVar, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class KooDriveError(Exception):
    """
    A call to KooDrive failed; the base of all errors, and what KooDrive refuses for an unknown reason.

    :param message: what happened, without secrets
    :param advice: what to do, which becomes part of the error's text; None where the message says it
    :param http_status: HTTP status of the response, None if there was none
    :param code: ``code`` of KooDrive's envelope as it came (number or string), None if there was none
    :param msg: ``msg`` of KooDrive's envelope
    :param trace_id: ``X-Traceid`` that was sent; KooDrive's support finds the call by it
    :param method: HTTP method of the call
    :param path: path of the call, without the query
    """

    meaning: ClassVar[str] = "KooDrive refuses the call"
    """What happened."""

    advice: str = "look at KooDrive's code and msg; give the trace id to Huawei's support"
    """What to do; an instance may know better than its class."""

    retryable: bool = True
    """Whether another try of the task may succeed; an instance may know better than its class."""

    retry_wait: ClassVar[Literal["task", "backoff", "longest"]] = "task"
    """How long the retry policy waits: the task's own ``retry_delay``, its backoff, or its longest delay."""

    def __init__(
        self,
        message: str,
        *,
        advice: str | None = None,
        http_status: int | None = None,
        code: int | str | None = None,
        msg: str | None = None,
        trace_id: str | None = None,
        method: str | None = None,
        path: str | None = None,
    ) -> None:
        super().__init__(message)
        if advice is not None:
            self.advice = advice
        self.http_status = http_status
        self.code = code
        self.msg = msg
        self.trace_id = trace_id
        self.method = method
        self.path = path

    def details(self) -> dict[str, Any]:
        """Return the call's details, for another error of the same call."""
        return {
            "http_status": self.http_status,
            "code": self.code,
            "msg": self.msg,
            "trace_id": self.trace_id,
            "method": self.method,
            "path": self.path,
        }

    def with_message(self, message: str) -> KooDriveError:
        """Return the same error with another message."""
        changed = copy(self)
        changed.args = (message, *self.args[1:])
        return changed

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
        if "advice" in self.__dict__:
            message = f"{message}; {self.advice}"
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
    """A field of the connection, or an argument, is wrong; nothing was sent."""

    meaning = "a field of the connection, or an argument, is wrong"
    advice = "correct what the message names"
    retryable = False


class KooDriveAuthenticationError(KooDriveError):
    """
    KooDrive does not accept the token or the signature.

    Retryable only if the clock of the machine explains it: another worker may have the right time.
    """

    meaning = "KooDrive does not accept the credentials"
    advice_for_app = "check login (App ID), password (App secret) and extra user_id"
    advice_for_session = (
        "put a new access token into password, since one ends 20 minutes after its last call; schedules need "
        "app authentication"
    )
    advice = f"for app authentication, {advice_for_app}; for a token, {advice_for_session}"
    retryable = False
    retry_wait = "backoff"

    @staticmethod
    def advice_for_clock(ahead: float) -> str:
        """
        Return what to do if the clock explains the error, since a signature covers the time.

        :param ahead: seconds by which this machine's clock is ahead of KooDrive's; negative if it is behind
        """
        side = "ahead of" if ahead > 0 else "behind"
        return f"set this machine's clock right: it is {abs(ahead):.0f} seconds {side} KooDrive's"


class KooDrivePermissionError(KooDriveError):
    """The calling user may not do this, e.g. list the enterprise's spaces without being its administrator."""

    meaning = "the calling user may not do this in KooDrive"
    advice = (
        "let KooDrive's administrator check that the user is active and has the right; only a tenant "
        "administrator may list the enterprise's spaces"
    )
    retryable = False


class KooDriveValidationError(KooDriveError):
    """A value is not allowed: refused here before anything was sent, or by KooDrive."""

    meaning = "a value is not allowed"
    advice = "correct the value that the message names"
    retryable = False


class KooDriveConflictError(KooDriveError):
    """The calling user already owns a space of this name."""

    meaning = "it exists already in KooDrive, such as a space of this name"
    advice = 'choose another name, or set if_exists="reuse"'
    retry_wait = "longest"


class KooDriveQuotaError(KooDriveError):
    """The enterprise's number of spaces or capacity is used up."""

    meaning = "KooDrive has no room for this: no capacity or number of spaces is left"
    advice = "ask KooDrive's administrator for more"
    retry_wait = "longest"


class KooDriveThrottledError(KooDriveError):
    """
    KooDrive or its gateway refuses the call because there are too many (HTTP 429).

    :param retry_after: seconds that ``Retry-After`` asks to wait, None if it is absent
    """

    meaning = "KooDrive refuses the call because there are too many"
    advice = "wait a minute, and run fewer tasks at the same time"
    retry_wait = "backoff"

    def __init__(self, message: str, *, retry_after: float | None = None, **details: Any) -> None:
        super().__init__(message, **details)
        self.retry_after = retry_after


class KooDriveServerError(KooDriveError):
    """
    KooDrive failed (HTTP 5xx, or code 13000201).

    :param retry_after: seconds that ``Retry-After`` asks to wait, None if it is absent
    """

    meaning = "KooDrive failed"
    advice = "try again in a minute; if it fails again, give the trace id to Huawei's support"
    retry_wait = "backoff"

    def __init__(self, message: str, *, retry_after: float | None = None, **details: Any) -> None:
        super().__init__(message, **details)
        self.retry_after = retry_after


class KooDriveConnectionError(KooDriveError):
    """
    No response came: host name not known, connection refused, TLS failed, timeout, connection lost.

    :param sent: False if the request certainly did not leave, so that it is safe to send it again
    """

    meaning = "no response came"
    advice = "check the connection's host, port and proxies"
    advice_for_deadline = "check the connection's host, port, proxies and deadline"
    retry_wait = "backoff"

    def __init__(self, message: str, *, sent: bool = True, **details: Any) -> None:
        super().__init__(message, **details)
        self.sent = sent


class KooDriveResponseError(KooDriveError):
    """The HTTP response is not KooDrive's: no JSON object, too large, nested too deeply, or a redirect."""

    meaning = "the HTTP response is not KooDrive's"
    advice = "check the connection's host and proxies: a proxy or a gateway may have responded"
    retry_wait = "backoff"


class KooDriveGatewayError(KooDriveServerError, KooDriveResponseError):
    """A gateway or a proxy before KooDrive failed: HTTP 5xx, and the body is not KooDrive's."""

    meaning = "a proxy or gateway failed"
    advice = "try again in a minute; if it fails again, check the connection's host and proxies"


class KooDriveOutcomeUnknownError(KooDriveError):
    """
    A create was sent, and it is not known whether KooDrive carried it out.

    :param name: name of the space to look for
    """

    meaning = "it is not known whether the space was created"
    advice = "let the task retry, or look for the space in KooDrive"
    retry_wait = "longest"

    def __init__(self, message: str, *, name: str, **details: Any) -> None:
        super().__init__(message, **details)
        self.name = name


class KooDriveMembersError(KooDriveError):
    """
    The space exists, but some of its members could not be added.

    :param failed: KooDrive user ids of the missing members
    :param retry_after: seconds that ``Retry-After`` asks to wait, None if it is absent
    """

    meaning = "the space exists, but some users are not members, or it is not known whether they are"
    advice = "check the user ids; a retry adds the members who are missing"
    retry_wait = "backoff"

    def __init__(
        self, message: str, *, failed: Sequence[str], retry_after: float | None = None, **details: Any
    ) -> None:
        super().__init__(message, **details)
        self.failed = list(failed)
        self.retry_after = retry_after


class KooDriveSourceError(KooDriveError):
    """The source of departments is absent, cannot be used as a whole, or has shrunk too much."""

    meaning = "the source of departments cannot be used"
    advice = "correct the source that the message names"
    retryable = False


class KooDriveGuardError(KooDriveError):
    """The run would do what is most likely a mistake, so it stops; nothing was sent."""

    meaning = "the run would do what is most likely a mistake, so it stops"
    advice = "check what the message names; it also says how to go on"
    retryable = False


ERRORS: tuple[type[KooDriveError], ...] = (
    KooDriveConfigError,
    KooDriveAuthenticationError,
    KooDrivePermissionError,
    KooDriveValidationError,
    KooDriveConflictError,
    KooDriveQuotaError,
    KooDriveThrottledError,
    KooDriveServerError,
    KooDriveGatewayError,
    KooDriveConnectionError,
    KooDriveResponseError,
    KooDriveOutcomeUnknownError,
    KooDriveMembersError,
    KooDriveSourceError,
    KooDriveGuardError,
    KooDriveError,
)
"""All errors, in the order of the documentation."""

FINAL_ERRORS: tuple[type[KooDriveError], ...] = tuple(
    sorted((kind for kind in ERRORS if not kind.retryable), key=lambda kind: kind.__name__)
)
"""
Errors that another try of the task cannot change.

Ask ``error.retryable`` rather than ``isinstance``: an instance may know better.
"""
