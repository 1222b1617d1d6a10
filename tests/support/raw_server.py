"""A loopback server that sends given bytes and keeps the requests."""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterable

JSON = ("Content-Type", "application/json")


@dataclass(frozen=True)
class RawRequest:
    """A request as it came."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes
    connection: int

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        return self.target.partition("?")[2]

    def header(self, name: str) -> str:
        """The one header of this name."""
        (value,) = (value for key, value in self.headers if key.lower() == name.lower())
        return value

    def has(self, name: str) -> bool:
        return any(key.lower() == name.lower() for key, _ in self.headers)


NONE = RawRequest("", "", [], b"", 0)


class Exchange:
    """One request, or a connection that is new, and the ways to treat it."""

    def __init__(self, sock: socket.socket, stopping: threading.Event, request: RawRequest = NONE) -> None:
        self.request = request
        self.sock = sock
        self._stopping = stopping

    def send(self, answer: bytes) -> None:
        self.sock.sendall(answer)

    def trickle(self, pieces: Iterable[bytes], every: float) -> None:
        """Send piece after piece, until the client or the server has had enough."""
        for piece in pieces:
            self.send(piece)
            if self._stopping.wait(every):
                return

    def hang(self) -> None:
        """Answer nothing until the client leaves or the test ends."""
        self.sock.settimeout(None)
        while self.sock.recv(1):
            pass

    def reset(self) -> None:
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raise ConnectionAbortedError

    def close(self) -> None:
        raise ConnectionAbortedError


@dataclass
class RawServer:
    """
    Runs between ``with`` and its end, a thread for each connection.

    :param handle: treats each request; the connection stays open after it
    :param tls: context for TLS, None for plain text
    :param greet: treats each new connection, before TLS; False ends it
    """

    handle: Callable[[Exchange], None]
    tls: ssl.SSLContext | None = None
    greet: Callable[[Exchange], bool] = lambda _exchange: True
    requests: list[RawRequest] = field(default_factory=list)
    connections: int = 0
    _stopping: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)
    _sockets: list[socket.socket] = field(default_factory=list)

    def __enter__(self) -> RawServer:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        # Wakes the thread that accepts, then those that wait for a request.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._threads[0].join()
        for sock in self._sockets:
            with contextlib.suppress(OSError):
                # The method of TCP, because that of TLS would disturb the thread that uses the socket.
                socket.socket.shutdown(sock, socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    def wait_until_closed(self) -> None:
        """Wait until all connections so far have ended."""
        for thread in self._threads[1:]:
            thread.join()

    def _start(self, run: Callable[..., None], *args: Any) -> None:
        thread = threading.Thread(target=run, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._stopping.is_set():
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._sockets.append(sock)
            self._start(self._serve, sock, self.connections)

    def _serve(self, sock: socket.socket, number: int) -> None:
        with contextlib.suppress(OSError), sock:
            if not self.greet(Exchange(sock, self._stopping)):
                return
            if self.tls is not None:
                sock = self.tls.wrap_socket(sock, server_side=True)
                self._sockets.append(sock)
            with sock:
                while (request := self._read(sock, number)) is not None:
                    self.requests.append(request)
                    self.handle(Exchange(sock, self._stopping, request))

    def _read(self, sock: socket.socket, number: int) -> RawRequest | None:
        received = b""
        while b"\r\n\r\n" not in received:
            if not (piece := self._receive(sock)):
                return None
            received += piece
        head, _, body = received.partition(b"\r\n\r\n")
        line, *lines = head.decode("latin-1").split("\r\n")
        headers = [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines)]
        lengths = [int(value) for name, value in headers if name.lower() == "content-length"]
        while len(body) < sum(lengths):
            if not (piece := self._receive(sock)):
                return None
            body += piece
        method, target, _ = line.split(" ")
        return RawRequest(method, target, headers, body, number)

    def _receive(self, sock: socket.socket) -> bytes:
        return b"" if self._stopping.is_set() else sock.recv(65536)


def reply(
    body: bytes | dict[str, Any] | list[Any] = b"",
    status: int = 200,
    headers: Iterable[tuple[str, str]] = (),
    *,
    length: int | None = None,
) -> bytes:
    """
    Write an answer.

    :param length: what ``Content-Length`` says, None for the truth
    """
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [
        f"HTTP/1.1 {status} Whatever",
        *(f"{name}: {value}" for name, value in headers),
        f"Content-Length: {len(content) if length is None else length}",
    ]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + content


def always(answer: bytes) -> Callable[[Exchange], None]:
    """Answer each request the same."""
    return lambda exchange: exchange.send(answer)
