"""What a failed exchange means, and what of it may be told."""

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
    from collections.abc import Callable, Iterable, Iterator

# TLS errors that also occur in the middle of an answer; all others end the handshake.
_LATE_TLS_ERRORS = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError)

# Their texts hold the address, which may hold a password that cannot be told from the rest.
_UNREADABLE_ADDRESS = (
    requests.exceptions.InvalidURL,
    urllib3.exceptions.LocationParseError,
    UnicodeError,
)


def connection_error(err: Exception, sent: bool | None, redact: Callable[[str], str]) -> KooDriveError:
    """
    Say what a failed exchange means: what went wrong, and whether the request may have left.

    :param err: what ``requests`` or the socket raised
    :param sent: whether the request may have left, None to tell it by the error
    :param redact: takes secrets out of a text
    """
    chain = list(_chain(err))
    if sent is not True and any(isinstance(link, _UNREADABLE_ADDRESS) for link in chain):
        return KooDriveConfigError(
            "the request cannot be built, since an address cannot be read",
            advice="check the connection's host and its extra proxies, or the proxy in the environment "
            "(HTTP_PROXY, HTTPS_PROXY)",
        )
    for meaning in _MEANINGS:
        if meaning.fits(chain, sent):
            text = f"{meaning.message}: {_last_words(chain, redact)}"
            was_sent = meaning.sent if sent is None else sent
            return KooDriveConnectionError(text, advice=meaning.advice, sent=was_sent)
    words = _last_words(chain, redact)
    if sent is None and (type(err) is OSError or isinstance(err, ValueError)):
        advice = next(advice for part, advice in _NOT_BUILT.items() if part in words)
        return KooDriveConfigError(f"the request cannot be built: {words}", advice=advice)
    return KooDriveConnectionError(
        f"no answer came: {words}", advice=KooDriveConnectionError.advice, sent=sent is not False
    )


_CHECK_VERIFY = (
    "check extra verify (or REQUESTS_CA_BUNDLE in the environment): the path of a file with certificates, "
    "which the workers can read"
)

# The first whose text is part of the error counts.
_NOT_BUILT = {
    "SOCKS support": "for the proxy in extra proxies, pip install pysocks on the workers",
    "CA certificate": _CHECK_VERIFY,
    "": "check the connection's host, and its extras proxies and verify",
}


class _Meaning(NamedTuple):
    """
    What an error means.

    :param kinds: its kinds
    :param message: what happened
    :param sent: whether the request may have left, where the connection does not tell
    :param advice: what to change
    :param words: parts of its text, one of which must be there
    :param only_unsent: whether this holds only where the request certainly did not leave
    """

    kinds: tuple[type[BaseException], ...]
    message: str
    sent: bool
    advice: str
    words: tuple[str, ...] = ("",)
    only_unsent: bool = False

    def fits(self, chain: Iterable[BaseException], sent: bool | None) -> bool:
        """Whether an error with its causes means this."""
        return not (self.only_unsent and sent is not False) and any(
            isinstance(link, self.kinds) and any(word in str(link) for word in self.words) for link in chain
        )


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
    # The file with the authorities is read when the handshake begins.
    _Meaning(
        (ssl.SSLError, PermissionError),
        "TLS failed",
        False,
        _CHECK_VERIFY,
        words=("[X509", "[PEM", "[ASN1", "PEM lib", "Permission denied"),
    ),
    _Meaning(
        (ssl.SSLError,),
        "TLS failed",
        False,
        "this port does not speak TLS: check the connection's host and port",
        words=("WRONG_VERSION_NUMBER",),
    ),
    _Meaning(
        (ssl.SSLError,),
        "TLS failed",
        False,
        "check the connection's host and port; if a private authority signed the certificate, set extra "
        "verify to the path of that authority's certificate",
    ),
    _Meaning(
        (TimeoutError,),
        "the TLS handshake was not answered",
        False,
        "does this port speak TLS? Check the connection's host and port",
        words=("handshake",),
    ),
    # Nobody else answers before the request has left.
    _Meaning(
        (TimeoutError, urllib3.exceptions.TimeoutError),
        "the proxy did not answer",
        False,
        "check the connection's extra proxies, or the proxy in the environment (HTTPS_PROXY)",
        only_unsent=True,
    ),
    _Meaning(
        (TimeoutError, urllib3.exceptions.TimeoutError),
        "no answer in time",
        True,
        "KooDrive is slow, or the connection's read_timeout is short",
    ),
    _Meaning(
        (ConnectionError, urllib3.exceptions.ProtocolError),
        "the connection was lost while it was made",
        False,
        "check the connection's host, port and extra proxies",
        only_unsent=True,
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
    return f"{text[:SHOWN_CHARACTERS]!r}"
