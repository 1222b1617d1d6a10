"""The meaning of transport errors: what happened, what to do, and whether the request may have left."""

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
from airflow_provider_koodrive.formatting import SHOWN_CHARACTERS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# Their texts show the address, which may hold a password that cannot be separated from the rest.
_INVALID_ADDRESS = (
    requests.exceptions.InvalidURL,
    urllib3.exceptions.LocationParseError,
    UnicodeError,
)
_TIMEOUT = (TimeoutError, urllib3.exceptions.TimeoutError)
_LOST = (ConnectionError, urllib3.exceptions.ProtocolError)
_TLS_LOST = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError)

_CHECK_PROXY = "check the connection's extra proxies, or the proxy in the environment (HTTPS_PROXY)"
_CHECK_TLS_WAY = "check the connection's host and port, and the firewalls and proxies on the way"
_CHECK_VERIFY = (
    "check extra verify (or REQUESTS_CA_BUNDLE in the environment): the path of a file with certificates, "
    "which the workers can read"
)


def connection_error(err: Exception, sent: bool | None, redact: Callable[[str], str]) -> KooDriveError:
    """
    Return the error for a request that got no complete response.

    :param err: the error of ``requests``, urllib3 or the socket
    :param sent: whether the request may have left; None if no connection was used
    :param redact: removes secrets from a text
    """
    chain = list(_chain(err))
    cause = _text_of(chain[-1], redact)
    if not sent and any(isinstance(link, _INVALID_ADDRESS) for link in chain):
        return KooDriveConfigError(
            "the request cannot be built, since an address cannot be read",
            advice="check the connection's host and its extra proxies, or the proxy in the environment "
            "(HTTP_PROXY, HTTPS_PROXY)",
        )
    if sent is None:
        if type(err) is OSError or isinstance(err, ValueError):
            return KooDriveConfigError(f"the request cannot be built: {cause}", advice=_how_to_build(cause))
        # Raised by a stand-in for the connections, such as requests_mock.
        sent = not isinstance(err, requests.ConnectTimeout)
    meaning = _first_meaning(_AFTER_SENDING if sent else _WHILE_CONNECTING, chain)
    return KooDriveConnectionError(f"{meaning.message}: {cause}", advice=meaning.advice, sent=sent)


def _how_to_build(cause: str) -> str:
    if "SOCKS support" in cause:
        return "for the proxy in extra proxies, pip install pysocks on the workers"
    if "CA certificate" in cause:
        return _CHECK_VERIFY
    return "check the connection's host, and its extras proxies and verify"


class _Meaning(NamedTuple):
    """
    The meaning of an error.

    :param kinds: classes of the error or one of its causes
    :param message: what happened
    :param advice: what to do
    :param texts: texts of which the error must contain one
    """

    kinds: tuple[type[BaseException], ...]
    message: str
    advice: str
    texts: tuple[str, ...] = ("",)


# The first that fits the error or one of its causes counts. A proxy's error wraps any of the others.
_WHILE_CONNECTING = (
    _Meaning((urllib3.exceptions.ProxyError,), "the proxy refused", _CHECK_PROXY),
    _Meaning(
        (urllib3.exceptions.NameResolutionError,),
        "the host's name is not known",
        "check the connection's host",
    ),
    _Meaning(
        (requests.exceptions.ConnectTimeout,),
        "the host did not accept the connection in time",
        "check the connection's host and port, and whether a proxy is needed (extra proxies)",
    ),
    _Meaning(
        (urllib3.exceptions.NewConnectionError,),
        "the host cannot be reached",
        "check the connection's host and port: nothing listens there",
    ),
    _Meaning(_TLS_LOST, "the TLS connection broke", _CHECK_TLS_WAY),
    # The file with the authorities is read when the handshake begins.
    _Meaning(
        (ssl.SSLError, PermissionError),
        "TLS failed",
        _CHECK_VERIFY,
        texts=("[X509", "[PEM", "[ASN1", "PEM lib", "Permission denied"),
    ),
    _Meaning(
        (ssl.SSLError,),
        "TLS failed",
        "this port does not speak TLS: check the connection's host and port",
        texts=("WRONG_VERSION_NUMBER",),
    ),
    _Meaning(
        (ssl.SSLError,),
        "TLS failed",
        "check the connection's host and port; if a private authority signed the certificate, set extra "
        "verify to the path of that authority's certificate",
    ),
    _Meaning(
        (TimeoutError,),
        "the TLS handshake was not answered",
        "check the connection's host and port: this port may not speak TLS",
        texts=("handshake",),
    ),
    # Nobody else responds before the request has left.
    _Meaning(_TIMEOUT, "the proxy did not respond", _CHECK_PROXY),
    _Meaning(
        _LOST,
        "the connection was lost while it was made",
        "check the connection's host, port and extra proxies",
    ),
)
_AFTER_SENDING = (
    _Meaning((ssl.SSLError,), "the TLS connection broke", _CHECK_TLS_WAY),
    _Meaning(
        _TIMEOUT,
        "no response in time",
        "try again later, since KooDrive is slow, or raise the connection's read_timeout",
    ),
    _Meaning(
        _LOST,
        "the connection was lost before the response",
        "check the connection's host and port if that happens every time",
    ),
)
_UNKNOWN = _Meaning((), "no response came", KooDriveConnectionError.advice)


def _first_meaning(meanings: tuple[_Meaning, ...], chain: list[BaseException]) -> _Meaning:
    for meaning in meanings:
        for link in chain:
            if isinstance(link, meaning.kinds) and any(text in str(link) for text in meaning.texts):
                return meaning
    return _UNKNOWN


def _chain(err: BaseException) -> Iterator[BaseException]:
    """Yield the error and its causes; urllib3 keeps causes in ``reason`` and ``args``."""
    seen: set[int] = set()
    queue: list[object] = [err]
    while queue:
        link = queue.pop(0)
        if isinstance(link, BaseException) and id(link) not in seen:
            seen.add(id(link))
            yield link
            queue += [getattr(link, "reason", None), link.__cause__, link.__context__, *link.args]


def _text_of(err: BaseException, redact: Callable[[str], str]) -> str:
    text = redact(str(err)) or type(err).__name__
    return f"{text[:SHOWN_CHARACTERS]!r}"
