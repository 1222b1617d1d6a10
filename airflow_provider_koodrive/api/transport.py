"""Below the envelope: what a failed exchange means, and reading a body that may be hostile."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import requests
import urllib3.exceptions

from airflow_provider_koodrive.exceptions import (
    KooDriveConfigError,
    KooDriveConnectionError,
    KooDriveError,
    KooDriveResponseError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from requests import Response

LARGEST_BODY_BYTES = 64 * 1024 * 1024
CHUNK_BYTES = 64 * 1024

# TLS errors that also occur in the middle of an answer; all others end the handshake.
_LATE_TLS_ERRORS = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError)


def read_body(response: Response, seconds_left: Callable[[], float]) -> bytes:
    """
    Read a body, at most 64 MiB and not past the deadline.

    :param seconds_left: seconds until the deadline
    :raises KooDriveResponseError: it is larger, or cannot be decompressed
    :raises KooDriveConnectionError: it did not end in time, or the connection was lost
    """
    chunks: list[bytes] = []
    size = 0
    try:
        # read1 returns what has come, so a body that trickles cannot keep us past the deadline.
        while chunk := response.raw.read1(CHUNK_BYTES, decode_content=True):
            chunks.append(chunk)
            size += len(chunk)
            if size > LARGEST_BODY_BYTES:
                raise KooDriveResponseError(
                    f"the answer's body is larger than {LARGEST_BODY_BYTES} bytes",
                    http_status=response.status_code,
                )
            if seconds_left() <= 0:
                raise KooDriveConnectionError(
                    f"the answer's body did not end within the deadline; {size} bytes came",
                    http_status=response.status_code,
                )
    except urllib3.exceptions.DecodeError:
        raise KooDriveResponseError(
            "the answer's body cannot be decompressed", http_status=response.status_code
        ) from None
    except urllib3.exceptions.HTTPError as err:
        raise KooDriveConnectionError(
            f"the connection was lost while the answer came: {type(err).__name__}",
            http_status=response.status_code,
        ) from None
    return b"".join(chunks)


def connection_error(err: Exception, redact: Callable[[str], str]) -> KooDriveError:
    """
    Say what a failed exchange means: what went wrong, and whether the request may have left.

    :param err: what ``requests`` or the socket raised
    :param redact: takes secrets out of a text
    """
    chain = list(_chain(err))
    for kind, message, sent in _MEANINGS:
        if any(isinstance(link, kind) for link in chain):
            return KooDriveConnectionError(f"{message}: {_last_words(chain, redact)}", sent=sent)
    if isinstance(err, requests.exceptions.InvalidURL | requests.exceptions.InvalidHeader):
        return KooDriveConfigError(f"the request cannot be built: {redact(str(err))}")
    return KooDriveConnectionError(f"no answer came: {_last_words(chain, redact)}")


# The first that fits anywhere in the chain of causes counts.
_MEANINGS: list[tuple[tuple[type[BaseException], ...], str, bool]] = [
    ((urllib3.exceptions.NameResolutionError,), "the host's name is not known", False),
    ((requests.exceptions.ConnectTimeout,), "the host did not accept the connection in time", False),
    ((urllib3.exceptions.ProxyError,), "the proxy refused", False),
    ((urllib3.exceptions.NewConnectionError,), "the host cannot be reached", False),
    (_LATE_TLS_ERRORS, "the TLS connection broke", True),
    ((ssl.SSLError,), "TLS failed", False),
    ((TimeoutError, urllib3.exceptions.TimeoutError), "no answer in time", True),
    ((ConnectionError, urllib3.exceptions.ProtocolError), "the connection was lost before the answer", True),
]


def _chain(err: BaseException) -> Iterator[BaseException]:
    """The error and what it wraps: urllib3 keeps causes in ``reason`` and ``args``."""
    seen: set[int] = set()
    todo: list[object] = [err]
    while todo:
        link = todo.pop(0)
        if isinstance(link, BaseException) and id(link) not in seen:
            seen.add(id(link))
            yield link
            todo += [getattr(link, "reason", None), link.__cause__, link.__context__, *link.args]


def _last_words(chain: list[BaseException], redact: Callable[[str], str]) -> str:
    last = chain[-1]
    text = redact(str(last)) or type(last).__name__
    return f"{text[:200]!r}"
