"""What a client gets from a call that a fault struck."""

from __future__ import annotations

import asyncio
import math
from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple

from starlette.responses import Response

from airflow_provider_koodrive.sandbox import clock
from airflow_provider_koodrive.sandbox.http.envelope import CODE_INTERNAL, CODE_THROTTLED, RefusalError
from airflow_provider_koodrive.sandbox.http.listener import cut
from airflow_provider_koodrive.sandbox.http.replies import refusal_reply, reply

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import Message, Receive, Scope, Send

    from airflow_provider_koodrive.sandbox.faults.plan import Fault
    from airflow_provider_koodrive.sandbox.http.envelope import Dialect

SLOW_PIECES = 50


async def client_leaves(receive: Receive, seconds: float | None) -> bool:
    """Wait until the client has closed the connection; False where it stays for so many seconds."""

    async def disconnected() -> None:
        message: Message = {"type": "http.request"}
        while message["type"] != "http.disconnect":
            message = await receive()

    try:
        await asyncio.wait_for(disconnected(), seconds)
    except asyncio.TimeoutError:
        return False
    return True


class NoAnswer(Response):
    """Cuts the connection, if need be after a while, during which the client may leave."""

    def __init__(self, *, after: float = 0.0, refuse_for: float = 0.0) -> None:
        super().__init__()
        self._after = after
        self._refuse_for = refuse_for

    async def __call__(self, scope: Scope, receive: Receive, _send: Send) -> None:
        if await client_leaves(receive, self._after):
            return
        if self._refuse_for:
            scope["state"]["listener"].refuse(self._refuse_for)
        cut(scope["state"]["transport"])
        # Else uvicorn takes the missing answer for a mistake.
        await client_leaves(receive, None)


class SlowAnswer(Response):
    """Sends an answer's body in small pieces."""

    def __init__(self, answer: Response, seconds: float) -> None:
        super().__init__(answer.body, answer.status_code)
        self.raw_headers = answer.raw_headers
        self._pause = seconds / SLOW_PIECES

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        size = max(1, math.ceil(len(self.body) / SLOW_PIECES))
        for start in range(0, len(self.body), size):
            if await client_leaves(receive, self._pause):
                return
            piece = bytes(self.body[start : start + size])
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


class Struck(NamedTuple):
    """
    A call that a fault struck.

    :param fault: the fault
    :param answer: what the call was answered, empty where the fault struck before it
    :param dialect: how answers are spelled
    :param now: the server's time, in seconds since 1970
    """

    fault: Fault
    answer: Response
    dialect: Dialect
    now: float


def spoil(struck: Struck) -> Response:
    """Make what the client gets in place of the answer."""
    return _SPOILERS[struck.fault.kind](struck)


def _refuse_connection(struck: Struck) -> Response:
    return NoAnswer(refuse_for=struck.fault.options["seconds"])


def _drop(_struck: Struck) -> Response:
    return NoAnswer()


def _hang(struck: Struck) -> Response:
    return NoAnswer(after=struck.fault.options["seconds"])


def _error_500(struck: Struck) -> Response:
    error = RefusalError(
        CODE_INTERNAL, "Call internal server failed. Please try again later.", http_status=500
    )
    return refusal_reply(struck.dialect, error, struck.now)


def _error_503(struck: Struck) -> Response:
    error = RefusalError(CODE_INTERNAL, "The service is unavailable.", http_status=503)
    return refusal_reply(struck.dialect, error, struck.now, headers=_retry_after(struck))


def _throttle_429(struck: Struck) -> Response:
    error = RefusalError(CODE_THROTTLED, "The throttling threshold has been reached.", http_status=429)
    return refusal_reply(struck.dialect, error, struck.now, headers=_retry_after(struck))


def _retry_after(struck: Struck) -> dict[str, str]:
    seconds = math.ceil(struck.fault.options["seconds"])
    as_date = struck.fault.options["date"]
    return {"Retry-After": clock.http_date(struck.now + seconds) if as_date else str(seconds)}


def _gateway_html(struck: Struck) -> Response:
    status = HTTPStatus(struck.fault.options["status"])
    page = (
        f"<html><head><title>{status.value} {status.phrase}</title></head><body>{status.phrase}</body></html>"
    )
    return reply(page.encode(), status.value, struck.now, media_type="text/html")


def _truncated_json(struck: Struck) -> Response:
    body = bytes(struck.answer.body)
    return reply(body[: len(body) // 2], struck.answer.status_code, struck.now)


def _wrong_type_json(struck: Struck) -> Response:
    return reply(struck.fault.options["body"].encode(), 200, struck.now)


def _error_200(struck: Struck) -> Response:
    error = RefusalError(struck.fault.options["code"], "inner server invoke failure", http_status=200)
    return refusal_reply(struck.dialect, error, struck.now)


def _redirect(struck: Struck) -> Response:
    return reply(b"", 302, struck.now, headers={"Location": struck.fault.options["location"]})


def _slow_body(struck: Struck) -> Response:
    return SlowAnswer(struck.answer, struck.fault.options["seconds"])


_SPOILERS: dict[str, Callable[[Struck], Response]] = {
    "refuse_connection": _refuse_connection,
    "drop_before_commit": _drop,
    "drop_after_commit": _drop,
    "hang_before_commit": _hang,
    "hang_after_commit": _hang,
    "error_500_before": _error_500,
    "error_500_after_commit": _error_500,
    "error_503_retry_after": _error_503,
    "throttle_429": _throttle_429,
    "gateway_html": _gateway_html,
    "truncated_json": _truncated_json,
    "wrong_type_json": _wrong_type_json,
    "error_200": _error_200,
    "redirect": _redirect,
    "slow_body": _slow_body,
}
