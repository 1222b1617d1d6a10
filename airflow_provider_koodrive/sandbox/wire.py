"""Below HTTP: the listener, its connections, and answers that are none."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

if TYPE_CHECKING:
    import socket

    from starlette.types import ASGIApp

KEEP_ALIVE_SECONDS = 75
BACKLOG = 512


class _Connection(H11Protocol):
    """uvicorn's HTTP, which hands its transport to the application so that a fault can cut it."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.app_state = {**self.app_state, "transport": transport}

    @property
    def idle(self) -> bool:
        """Whether no request is under way."""
        return self.cycle is None or self.cycle.response_complete


class Listener:
    """
    Accepts connections for an application; lives in one event loop.

    :param app: ASGI application
    :param sock: bound socket
    """

    def __init__(self, app: ASGIApp, sock: socket.socket) -> None:
        self._config = Config(
            cast("Any", app),
            lifespan="off",
            log_config=None,
            access_log=False,
            ws="none",
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
        )
        self._config.load()
        self._state = ServerState()
        self._sock = sock
        self._server: asyncio.Server | None = None
        self._address = sock.getsockname()

    @property
    def port(self) -> int:
        return int(self._address[1])

    async def open(self) -> None:
        """Begin to listen."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: _Connection(self._config, self._state, {}), sock=self._sock, backlog=BACKLOG
        )

    async def shut_down(self) -> None:
        """Stop listening, cut every connection, and let the calls in them end."""
        if self._server is not None:
            self._server.close()
        for connection in list(self._state.connections):
            cast("_Connection", connection).transport.abort()
        if self._state.tasks:
            await asyncio.wait(list(self._state.tasks))
