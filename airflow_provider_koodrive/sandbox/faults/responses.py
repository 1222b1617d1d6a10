"""Responses that are cut off, never sent, or sent slowly."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING

from starlette.responses import Response

if TYPE_CHECKING:
    from starlette.types import Message, Receive, Scope, Send

SLOW_PIECES = 50


async def wait_for_disconnect(receive: Receive, seconds: float | None) -> bool:
    """Wait until the client closes the connection; return False if it has not after so many seconds."""

    async def disconnected() -> None:
        message: Message = {"type": "http.request"}
        while message["type"] != "http.disconnect":
            message = await receive()

    try:
        await asyncio.wait_for(disconnected(), seconds)
    except asyncio.TimeoutError:
        return False
    return True


class NoResponse(Response):
    """
    Cuts the connection.

    :param after: seconds to wait before, unless the client closes the connection first
    :param refuse_for: seconds for which the port refuses new connections
    """

    def __init__(self, *, after: float = 0.0, refuse_for: float = 0.0) -> None:
        super().__init__()
        self._after = after
        self._refuse_for = refuse_for

    async def __call__(self, scope: Scope, receive: Receive, _send: Send) -> None:
        if await wait_for_disconnect(receive, self._after):
            return
        listener = scope["state"]["listener"]
        if self._refuse_for:
            listener.refuse(self._refuse_for)
        listener.cut(scope["state"]["transport"])
        # Otherwise uvicorn logs the missing response as an error.
        await wait_for_disconnect(receive, None)


class SlowResponse(Response):
    """
    Sends a response's body in small pieces.

    :param response: the response
    :param seconds: time that the body takes
    """

    def __init__(self, response: Response, seconds: float) -> None:
        super().__init__(response.body, response.status_code)
        self.raw_headers = response.raw_headers
        self._pause = seconds / SLOW_PIECES

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        size = max(1, math.ceil(len(self.body) / SLOW_PIECES))
        for start in range(0, len(self.body), size):
            if await wait_for_disconnect(receive, self._pause):
                return
            piece = bytes(self.body[start : start + size])
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
