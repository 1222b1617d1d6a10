"""Proxies' addresses: check them, complete them with a password, and keep their passwords out of texts."""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, urlsplit

from urllib3.util import parse_url

from airflow_provider_koodrive.exceptions import KooDriveConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

# The schemes that requests and urllib3 support.
PROXY_SCHEMES = ("http", "https", "socks4", "socks4a", "socks5", "socks5h")


def check_proxy(address: str) -> None:
    """
    Make sure that a proxy's address can be parsed.

    :param address: address as ``requests`` takes it, e.g. ``http://user:password@proxy.example.com:3128``
    :raises KooDriveConfigError: it cannot; the address is not shown, since it may hold a password
    """
    if not is_valid_proxy(address):
        raise KooDriveConfigError(
            "the proxy's address cannot be read: check the connection's extra proxies, or the proxy in the "
            f"environment (HTTP_PROXY, HTTPS_PROXY); it must begin with one of {', '.join(PROXY_SCHEMES)}, "
            "and its user name and password be percent-encoded, e.g. '/' as %2F, '?' as %3F, '#' as %23"
        )


def is_valid_proxy(address: str) -> bool:
    """Return whether a proxy's address can be parsed, and no character ends its password too early."""
    url = address if "://" in address else f"http://{address}"
    try:
        # For requests, the text before the first colon is a scheme, even if it is a user or a host.
        supported = (parse_url(address).scheme or "http") in PROXY_SCHEMES
        # The two refuse different addresses, and requests uses both.
        parsed = supported and parse_url(url).host and urlsplit(url).hostname
    except ValueError:
        return False
    return bool(parsed) and set("/?#\\").isdisjoint(_user_and_password(address))


def has_password(address: str) -> bool:
    """Return whether a proxy's address holds a password."""
    return ":" in _user_and_password(address)


def with_password(address: str, password: str) -> str:
    """Return a proxy's address with a password, if it has a user and no password; else unchanged."""
    url = parse_url(address)
    lacks_password = url.auth and ":" not in url.auth
    auth = f"{url.auth}:{quote(password, safe='')}" if lacks_password else url.auth
    # Without a scheme, requests would take the user for one.
    return url._replace(scheme=url.scheme or "http", auth=auth).url


def proxy_secrets(address: str) -> Iterator[str]:
    """
    Yield the password of a proxy's address: in a ``Basic`` header's Base64, as it stands, and decoded.

    The longest comes first, since a short password may be part of the Base64. A user name without a password
    may be a token, and counts as one.
    """
    user, colon, password = _user_and_password(address).partition(":")
    secret = password if colon else user
    if secret:
        yield b64encode(f"{unquote(user)}:{unquote(password)}".encode("latin-1", "replace")).decode()
        yield secret
        yield unquote(secret)


def _user_and_password(address: str) -> str:
    # urlsplit() raises an error for some addresses, and ends a password at the first slash.
    _, scheme_end, rest = address.partition("://")
    return (rest if scheme_end else address).rpartition("@")[0]
