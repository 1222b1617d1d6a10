"""
Connections with three guarantees: a deadline, a limit of size, and knowledge of whether a request left.

urllib3's timeouts are for one packet each, so that a server that trickles could hold a call for weeks.

This is the only module that uses names without a leading underscore that their documentation does not
describe: ``pool_classes_by_scheme`` and ``ConnectionCls`` of urllib3, and of ``http.client``
``HTTPConnection.response_class``, ``HTTPResponse.begin`` and that an ``HTTPResponse`` reads from its
``sock.makefile("rb")``. ``tests/unit/api/http/test_adapter.py`` fails if one of them is gone.
"""

from __future__ import annotations

import io
import zlib
from contextvars import ContextVar
from functools import cache
from http.client import HTTPResponse
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import urllib3.exceptions
from requests.adapters import HTTPAdapter

from airflow_provider_koodrive.exceptions import KooDriveConnectionError, KooDriveResponseError
from airflow_provider_koodrive.formatting import one_line

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from requests import Response
    from typing_extensions import Buffer

    from airflow_provider_koodrive.api.http.timeouts import Deadline

LARGEST_BODY_BYTES = 64 * 1024 * 1024
LARGEST_RESPONSE_BYTES = LARGEST_BODY_BYTES + 1024 * 1024
CHUNK_BYTES = 64 * 1024

ACCEPT_ENCODING = "gzip, deflate"
_ANY_ZLIB_FORMAT = 32 + zlib.MAX_WBITS


class Transfer:
    """
    One request and its response, as far as they are on the wire.

    :param deadline: nothing is sent or read after it
    :param read_timeout: seconds to wait between two packets of the response
    """

    def __init__(self, deadline: Deadline, read_timeout: float) -> None:
        self.deadline = deadline
        self.read_timeout = read_timeout
        self.bytes_left = LARGEST_RESPONSE_BYTES
        self.connecting = False
        self.requesting = False

    @property
    def sent(self) -> bool | None:
        """Whether the request may have left; None if no connection was used."""
        return False if self.connecting else True if self.requesting else None

    def deadline_error(self) -> KooDriveConnectionError:
        """Return the error for a deadline that has passed."""
        event = "the connection was not ready" if self.connecting else "the response did not end"
        return KooDriveConnectionError(
            f"{event} within the deadline",
            advice=KooDriveConnectionError.advice_for_deadline,
            sent=not self.connecting,
        )


current_transfer: ContextVar[Transfer] = ContextVar("current_transfer")
"""The transfer that the connections of :class:`DeadlineAdapter` serve; set it before a request is sent."""


class DeadlineAdapter(HTTPAdapter):
    """An adapter whose connections, also those through proxies, keep to :data:`current_transfer`."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Make the pools for connections without a proxy."""
        super().init_poolmanager(*args, **kwargs)
        _use_deadline_connections(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        """Return the pools for connections through a proxy."""
        is_new = proxy not in self.proxy_manager
        manager = super().proxy_manager_for(proxy, **kwargs)
        if is_new:
            _use_deadline_connections(manager)
        return manager


def _use_deadline_connections(manager: Any) -> None:
    manager.pool_classes_by_scheme = {
        scheme: _deadline_pool(pool) for scheme, pool in manager.pool_classes_by_scheme.items()
    }


@cache
def _deadline_pool(pool: Any) -> type:
    # Made from the pool's own class, since connections through a SOCKS proxy are of another one.
    connection = type("DeadlineConnection", (_DeadlineConnection, pool.ConnectionCls), {})
    return type("DeadlinePool", (pool,), {"ConnectionCls": connection})


class _DeadlineReader(io.RawIOBase):
    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._raw = sock.makefile("rb", buffering=0)
        self._transfer = current_transfer.get()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer) -> int | None:
        transfer = self._transfer
        seconds_left = transfer.deadline.left()
        if seconds_left <= 0:
            raise transfer.deadline_error()
        self._sock.settimeout(min(transfer.read_timeout, seconds_left))
        try:
            count = self._raw.readinto(buffer)
        except TimeoutError:
            if seconds_left <= transfer.read_timeout:
                raise transfer.deadline_error() from None
            raise
        transfer.bytes_left -= count or 0
        if transfer.bytes_left < 0:
            raise KooDriveResponseError(f"the response is larger than {LARGEST_BODY_BYTES} bytes")
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


class _DeadlineResponse(HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        file = io.BufferedReader(_DeadlineReader(sock))
        source: Any = SimpleNamespace(makefile=lambda _mode: file)
        super().__init__(source, *args, **kwargs)

    def begin(self) -> None:
        super().begin()
        # urllib3 would log what cannot be parsed as a header, and a server may repeat our secrets there.
        self.msg.defects.clear()
        self.msg.set_payload("")
        # Cookies are not kept, and the standard library warns of those that it cannot parse.
        del self.msg["Set-Cookie"]
        del self.msg["Set-Cookie2"]


class _DeadlineConnection:
    response_class = _DeadlineResponse

    def connect(self) -> None:
        """Connect, the TLS handshake and a proxy's tunnel included."""
        transfer = current_transfer.get()
        transfer.connecting = True
        super().connect()  # type: ignore[misc]
        if transfer.deadline.left() <= 0:
            raise transfer.deadline_error()
        transfer.connecting = False

    def putrequest(self, *args: Any, **kwargs: Any) -> None:
        current_transfer.get().requesting = True
        super().putrequest(*args, **kwargs)  # type: ignore[misc]


def read_body(response: Response, redact: Callable[[str], str]) -> bytes:
    """
    Read a response's body and decompress it, at most 64 MiB.

    :param response: its headers have been received
    :param redact: removes secrets from a text that came from the network
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
                raise KooDriveResponseError(f"the response's body is larger than {LARGEST_BODY_BYTES} bytes")
    except zlib.error:
        raise KooDriveResponseError("the response's body cannot be decompressed") from None
    except urllib3.exceptions.HTTPError as err:
        raise KooDriveConnectionError(
            f"the connection was lost while the response was read: {type(err).__name__}"
        ) from None
    return bytes(body)


def _decompressor(encoding: str, redact: Callable[[str], str]) -> Callable[[bytes, int], bytes]:
    if encoding.strip().lower() in ("", "identity"):
        return lambda chunk, _size: chunk
    if encoding.strip().lower() in ("gzip", "x-gzip", "deflate"):
        return zlib.decompressobj(_ANY_ZLIB_FORMAT).decompress
    encoding = one_line(redact(encoding))
    raise KooDriveResponseError(
        f"the response's body is encoded as {encoding!r}, which was not asked for",
        advice=KooDriveResponseError.advice,
    )
