"""What a failed exchange means."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, NamedTuple

import requests
import urllib3.exceptions

from airflow_provider_koodrive.exceptions import (
    KooDriveConfigError,
    KooDriveConnectionError,
    KooDriveError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# TLS errors that also occur in the middle of an answer; all others end the handshake.
_LATE_TLS_ERRORS = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError)


def connection_error(err: Exception, sent: bool | None, redact: Callable[[str], str]) -> KooDriveError:
    """
    Say what a failed exchange means: what went wrong, and whether the request may have left.

    :param err: what ``requests`` or the socket raised
    :param sent: whether the request may have left, None to tell it by the error
    :param redact: takes secrets out of a text
    """
    chain = list(_chain(err))
    for meaning in _MEANINGS:
        if any(isinstance(link, meaning.kinds) for link in chain):
            text = f"{meaning.message}: {_last_words(chain, redact)}; {meaning.advice}"
            return KooDriveConnectionError(text, sent=meaning.sent if sent is None else sent)
    if sent is None and (type(err) is OSError or isinstance(err, ValueError)):
        return KooDriveConfigError(f"the request cannot be built: {_last_words(chain, redact)}")
    return KooDriveConnectionError(f"no answer came: {_last_words(chain, redact)}", sent=sent is not False)


class _Meaning(NamedTuple):
    kinds: tuple[type[BaseException], ...]
    message: str
    sent: bool
    advice: str


# The first that fits anywhere in the chain of causes counts. A proxy's error wraps any of the others.
_MEANINGS = (
    _Meaning(
        (urllib3.exceptions.ProxyError,),
        "the proxy refused",
        False,
        "check the connection's extra proxies, or the proxy in the environment (HTTPS_PROXY)",
    ),
    _Meaning(
        (urllib3.exceptions.NameResolutionError,),
        "the host's name is not known",
        False,
        "check the connection's host",
    ),
    _Meaning(
        (requests.exceptions.ConnectTimeout,),
        "the host did not accept the connection in time",
        False,
        "check the connection's host and port, and whether the way there needs a proxy (extra proxies)",
    ),
    _Meaning(
        (urllib3.exceptions.NewConnectionError,),
        "the host cannot be reached",
        False,
        "check the connection's host and port: nothing answers there",
    ),
    _Meaning(
        _LATE_TLS_ERRORS,
        "the TLS connection broke",
        True,
        "check the connection's host and port, and what is between here and there",
    ),
    _Meaning(
        (ssl.SSLError,),
        "TLS failed",
        False,
        "check the connection's host and port; if a private authority signed the certificate, set extra "
        "verify to the path of that authority's certificate",
    ),
    _Meaning(
        (TimeoutError, urllib3.exceptions.TimeoutError),
        "no answer in time",
        True,
        "KooDrive is slow, or the connection's read_timeout is short",
    ),
    _Meaning(
        (ConnectionError, urllib3.exceptions.ProtocolError),
        "the connection was lost before the answer",
        True,
        "check the connection's host and port if that happens every time",
    ),
)


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
