"""
Connections that keep to a deadline, know whether a request has left, and take no more than they can hold.

urllib3's time-outs are for one packet each, so a server that trickles could keep a call for weeks.
"""

from __future__ import annotations

import io
import socket
import zlib
from contextvars import ContextVar
from http.client import HTTPResponse
from typing import TYPE_CHECKING, Any, TypeVar

import urllib3.exceptions
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection
from urllib3.util.connection import allowed_gai_family

from airflow_provider_koodrive.api.http.timeouts import TooLateError, within
from airflow_provider_koodrive.exceptions import KooDriveConnectionError, KooDriveResponseError
from airflow_provider_koodrive.formatting import one_line

if TYPE_CHECKING:
    from collections.abc import Callable

    from requests import Response
    from typing_extensions import Buffer

T = TypeVar("T")

LARGEST_BODY_BYTES = 64 * 1024 * 1024
LARGEST_ANSWER_BYTES = LARGEST_BODY_BYTES + 1024 * 1024
CHUNK_BYTES = 64 * 1024

SHORTEST_TIMEOUT_SECONDS = 0.001
LONGEST_TIMEOUT_SECONDS = 86400.0  # a socket takes no centuries

ACCEPT_ENCODING = "gzip, deflate"
_ANY_ZLIB_FORMAT = 32 + zlib.MAX_WBITS


class Attempt:
    """
    One request and its answer.

    :param seconds_left: seconds until the deadline
    :param read_timeout: seconds to wait between two packets of the answer
    """

    def __init__(self, seconds_left: Callable[[], float], read_timeout: float) -> None:
        self._seconds_left = seconds_left
        self._read_timeout = read_timeout
        self._room = LARGEST_ANSWER_BYTES
        self._connecting = False
        self._requesting = False

    @property
    def sent(self) -> bool | None:
        """Whether the request may have left, None where its connection does not tell."""
        return False if self._connecting else True if self._requesting else None

    def patience(self, timeout: float) -> float:
        """Seconds to wait for one address or handshake; a moment at least, since 0 would not wait at all."""
        return max(SHORTEST_TIMEOUT_SECONDS, min(timeout, self._seconds_left()))

    def in_time(self, call: Callable[[], T]) -> T:
        """
        Call what knows no time-out while the connection is made.

        :raises KooDriveConnectionError: it has not ended by the deadline
        """
        try:
            return within(self._seconds_left(), call)
        except TooLateError:
            raise self._late() from None

    def connect(self, connect: Callable[[], None]) -> None:
        """
        Connect, the TLS handshake and a proxy's consent included.

        :raises KooDriveConnectionError: the deadline has passed, so that nothing may be sent
        """
        self._connecting = True
        connect()
        if self._seconds_left() <= 0:
            raise self._late()
        self._connecting = False

    def request(self) -> None:
        """Begin to send, on a connection that is there or will be made."""
        self._requesting = True

    def read(self, sock: socket.socket, raw: io.RawIOBase, buffer: Buffer) -> int | None:
        """
        Read what has come of the answer.

        :raises KooDriveConnectionError: the deadline has passed
        :raises KooDriveResponseError: the answer is too large
        """
        left = self._seconds_left()
        if left <= 0:
            raise self._late()
        sock.settimeout(min(self._read_timeout, left))
        try:
            count = raw.readinto(buffer)
        except TimeoutError:
            if left <= self._read_timeout:
                raise self._late() from None
            raise
        self._room -= count or 0
        if self._room < 0:
            raise KooDriveResponseError(f"the answer is larger than {LARGEST_BODY_BYTES} bytes")
        return count

    def _late(self) -> KooDriveConnectionError:
        what = "the connection was not ready" if self._connecting else "the answer did not end"
        advice = KooDriveConnectionError.advice_for_deadline
        return KooDriveConnectionError(
            f"{what} within the deadline", advice=advice, sent=not self._connecting
        )


attempt: ContextVar[Attempt] = ContextVar("attempt")


class WatchedAdapter(HTTPAdapter):
    """An adapter whose connections report to :data:`attempt`, those through proxies too."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Make the pools for connections without a proxy."""
        super().init_poolmanager(*args, **kwargs)
        _watch(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        """Return the pools for connections through a proxy."""
        if proxy in self.proxy_manager:
            return self.proxy_manager[proxy]
        return _watch(super().proxy_manager_for(proxy, **kwargs))


def _watch(manager: Any) -> Any:
    pools = manager.pool_classes_by_scheme
    manager.pool_classes_by_scheme = {scheme: _watched(pool) for scheme, pool in pools.items()}
    return manager


def _watched(pool: Any) -> type:
    base = pool.ConnectionCls
    # A connection through a SOCKS proxy has its own way to resolve and connect.
    ours = _Patient if base._new_conn is HTTPConnection._new_conn else _Watched
    connection = type("WatchedConnection", (ours, base), {})
    return type("WatchedPool", (pool,), {"ConnectionCls": connection})


class _Reader(io.RawIOBase):
    def __init__(self, raw: io.RawIOBase, sock: socket.socket) -> None:
        self._raw = raw
        self._sock = sock
        self._attempt = attempt.get()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer) -> int | None:
        return self._attempt.read(self._sock, self._raw, buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Response(HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp: Any = io.BufferedReader(_Reader(self.fp.detach(), sock))

    def begin(self) -> None:
        super().begin()
        # What was no header urllib3 would log, and it may say our secrets back.
        self.msg.defects.clear()
        self.msg.set_payload("")
        # Cookies are not kept, and the standard library warns of those that it cannot read.
        del self.msg["Set-Cookie"]
        del self.msg["Set-Cookie2"]


_NUMERIC = socket.NI_NUMERICHOST | socket.NI_NUMERICSERV


class _Watched:
    response_class = _Response

    def connect(self) -> None:
        attempt.get().connect(super().connect)  # type: ignore[misc]

    def putrequest(self, *args: Any, **kwargs: Any) -> None:
        attempt.get().request()
        super().putrequest(*args, **kwargs)  # type: ignore[misc]


class _Patient(_Watched):
    """urllib3 gives each of a host's addresses the whole time-out; here all keep to the deadline."""

    _dns_host: str
    host: str
    port: int
    timeout: float

    def _new_conn(self) -> socket.socket:
        name, timeout = self._dns_host, self.timeout
        failure: urllib3.exceptions.HTTPError | None = None
        try:
            for address in self._addresses():
                self._dns_host, self.timeout = address, attempt.get().patience(timeout)
                try:
                    sock: socket.socket = super()._new_conn()  # type: ignore[misc]
                except urllib3.exceptions.HTTPError as err:
                    failure = err
                else:
                    sock.settimeout(attempt.get().patience(timeout))
                    return sock
        finally:
            # The name is what TLS asks for and checks.
            self._dns_host, self.timeout = name, timeout
        connection: Any = self
        raise failure or urllib3.exceptions.NewConnectionError(connection, "the host has no address")

    def _addresses(self) -> list[str]:
        name, family = self._dns_host.strip("[]"), allowed_gai_family()
        try:
            found = attempt.get().in_time(
                lambda: socket.getaddrinfo(name, self.port, family, socket.SOCK_STREAM)
            )
        except socket.gaierror as err:
            connection: Any = self
            raise urllib3.exceptions.NameResolutionError(self.host, connection, err) from err
        except UnicodeError:
            raise urllib3.exceptions.LocationParseError("the host's name") from None
        # Unlike the address alone, this keeps the zone of a link-local one.
        return [socket.getnameinfo(address, _NUMERIC)[0] for *_, address in found]


def read_body(response: Response, redact: Callable[[str], str]) -> bytes:
    """
    Read a body and decompress it, at most 64 MiB.

    :param response: its headers have come
    :param redact: takes secrets out of a text that came from the network
    :raises KooDriveResponseError: it is larger, or cannot be decompressed
    :raises KooDriveConnectionError: the connection was lost
    """
    body = bytearray()
    decompress = _decompressor(response.headers.get("Content-Encoding", "identity"), redact)
    try:
        # Not `stream`, which reads a line of any length for the size of a chunk.
        while chunk := response.raw.read(CHUNK_BYTES, decode_content=False):
            body += decompress(chunk, LARGEST_BODY_BYTES + 1 - len(body))
            if len(body) > LARGEST_BODY_BYTES:
                raise KooDriveResponseError(f"the answer's body is larger than {LARGEST_BODY_BYTES} bytes")
    except zlib.error:
        raise KooDriveResponseError("the answer's body cannot be decompressed") from None
    except urllib3.exceptions.HTTPError as err:
        raise KooDriveConnectionError(
            f"the connection was lost while the answer came: {type(err).__name__}"
        ) from None
    return bytes(body)


def _decompressor(encoding: str, redact: Callable[[str], str]) -> Callable[[bytes, int], bytes]:
    if encoding.strip().lower() in ("", "identity"):
        return lambda chunk, _room: chunk
    if encoding.strip().lower() in ("gzip", "x-gzip", "deflate"):
        return zlib.decompressobj(_ANY_ZLIB_FORMAT).decompress
    encoding = one_line(redact(encoding))
    raise KooDriveResponseError(f"the answer's body is encoded as {encoding!r}, which was not asked for")
