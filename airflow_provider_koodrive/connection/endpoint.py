"""The endpoint: checks a connection's host and port."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

from airflow_provider_koodrive.exceptions import KooDriveConfigError
from airflow_provider_koodrive.formatting import shown

DEFAULT_HOST = "intl.myhuaweicloud-koodrive.com"

LARGEST_PORT = 65535

# A name, in any script, or an address of either kind.
_HOST_NAME = re.compile(r"[\w.-]+|[0-9a-f:.]+")


def endpoint_from(
    where: str,
    given_host: str | None,
    given_port: int | str | None,
    schema: str | None,
    *,
    allow_http: bool,
) -> str:
    """
    Return scheme, host and port.

    :param where: names the connection in errors
    :param given_host: the connection's host, a name or an address with a scheme; empty for the default
    :param given_port: the connection's port, which some secrets backends give as text
    :param schema: the connection's schema, which must be empty
    :param allow_http: whether another machine may be reached without TLS
    :raises KooDriveConfigError: the host or port is not an endpoint, or is one without TLS
    """
    scheme, name, of_host = _parts(where, (given_host or "").strip() or DEFAULT_HOST)
    if str(schema or "").strip():
        raise KooDriveConfigError(
            f"{where}: schema is set, but KooDrive does not use it; empty it. In a URI it is the text after "
            "the host. Airflow's form hides it: create such a connection again"
        )
    port = _port(where, given_port)
    if None not in (of_host, port) and of_host != port:
        raise KooDriveConfigError(
            f"{where}: port {of_host} of host and port {port} contradict each other; give one of them"
        )
    if scheme == "http" and not allow_http and not _is_loopback(name):
        raise KooDriveConfigError(
            f"{where}: host {shown(name)} is reached without TLS; use https, or set extra allow_http in a "
            "trusted network"
        )
    port = port or of_host
    netloc = f"[{name}]" if ":" in name else name
    return f"{scheme}://{netloc}:{port}" if port else f"{scheme}://{netloc}"


def _parts(where: str, host: str) -> tuple[str, str, int | None]:
    """Return scheme, name and port; errors show what was typed up to the name, since a secret may follow."""
    if "@" in host:
        raise KooDriveConfigError(f"{where}: host must not hold credentials; use login and password")
    problem = f"{where}: host"
    try:
        parts = urlsplit(host if "://" in host else f"https://{host}")
        name = parts.hostname or ""
        if "[" in host and ":" not in name:
            raise ValueError("brackets without an IPv6 address")  # Python 3.10 lets it pass
        problem = f"{where}: host {shown(host[: host.lower().find(name) + len(name)])}"
        port = _port(where, parts.port)
    except ValueError:
        raise KooDriveConfigError(f"{problem} is not an endpoint; give e.g. {DEFAULT_HOST}:443") from None
    valid = host.isprintable() and _HOST_NAME.fullmatch(name)
    if parts.scheme not in ("http", "https") or not valid:
        raise KooDriveConfigError(f"{problem} is not an endpoint; give e.g. {DEFAULT_HOST}")
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise KooDriveConfigError(f"{problem} has a path; give scheme, host and port alone")
    return parts.scheme, name, port


def _port(where: str, given: int | str | None) -> int | None:
    if given is None or given == "":
        return None
    try:
        port = int(str(given))
    except ValueError:
        # It may be a secret, so it is not shown.
        raise KooDriveConfigError(
            f"{where}: port is not a number; give one from 1 to {LARGEST_PORT}"
        ) from None
    if not 1 <= port <= LARGEST_PORT:
        raise KooDriveConfigError(
            f"{where}: port {shown(port)} is not a port; give a number from 1 to {LARGEST_PORT}"
        )
    return port


def _is_loopback(name: str) -> bool:
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost" or name.endswith(".localhost")
