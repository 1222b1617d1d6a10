"""Below HTTP: the listener and its connections."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import TYPE_CHECKING, Any, cast

from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

if TYPE_CHECKING:
    from starlette.types import ASGIApp

KEEP_ALIVE_SECONDS = 75
BACKLOG = 512
REBIND_SECONDS = 0.05


class _Connection(H11Protocol):
    """uvicorn's HTTP, which hands its transport to the application so that a fault can cut it."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.app_state = {**self.app_state, "transport": transport}

    @property
    def idle(self) -> bool:
        """Whether no request is in progress."""
        return self.cycle is None or self.cycle.response_complete


class Listener:
    """
    Accepts connections for an application; lives in one event loop.

    :param app: ASGI application
    :param host: address to listen on
    :param port: port to listen on, 0 for a free one
    """

    def __init__(self, app: ASGIApp, host: str, port: int) -> None:
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
        self._sock = bind(host, port)
        self._server: asyncio.Server | None = None
        self._reopening: asyncio.Task[None] | None = None
        self._address = self._sock.getsockname()

    @property
    def port(self) -> int:
        return int(self._address[1])

    async def open(self) -> None:
        """Start to accept connections."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: _Connection(self._config, self._state, {"listener": self}),
            sock=self._sock,
            backlog=BACKLOG,
        )

    def refuse(self, seconds: float) -> None:
        """Close the port for so many seconds, and the connections on which no request is in progress."""
        if self._reopening is None:
            self._close()
            for connection in self._connections():
                if connection.idle:
                    self.cut(connection.transport)
            self._reopening = asyncio.create_task(self._reopen(seconds))

    @staticmethod
    def cut(transport: asyncio.Transport) -> None:
        """Cut a connection, also if a process that was forked meanwhile holds a copy of it."""
        _shut_down(transport.get_extra_info("socket"))
        transport.abort()

    async def _reopen(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        while True:
            try:
                self._sock = bind(*self._address[:2])
                break
            except OSError:
                # Another process has used the port meanwhile.
                await asyncio.sleep(REBIND_SECONDS)
        await self.open()
        self._reopening = None

    async def shut_down(self) -> None:
        """Stop listening, cut every connection, and let the calls in them end."""
        if self._reopening is not None:
            self._reopening.cancel()
        self._close()
        for connection in self._connections():
            self.cut(connection.transport)
        if self._state.tasks:
            await asyncio.wait(list(self._state.tasks))

    def _close(self) -> None:
        if self._server is not None:
            # A process that was forked meanwhile holds a copy, which would go on listening.
            _shut_down(self._sock)
            self._server.close()
            self._server = None

    def _connections(self) -> list[_Connection]:
        return [cast("_Connection", connection) for connection in self._state.connections]


def _shut_down(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)


def bind(host: str, port: int) -> socket.socket:
    """Listen at once, so that the caller gets the error if the port is in use."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio spares small packets their delay only on sockets that name the protocol.
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
        sock.listen(BACKLOG)
    except BaseException:
        sock.close()
        raise
    return sock
