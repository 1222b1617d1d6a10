"""The endpoint: what a connection's host and port may be."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

from airflow_provider_koodrive.exceptions import KooDriveConfigError

DEFAULT_HOST = "intl.myhuaweicloud-koodrive.com"

# A name, in any script, or an address of either kind.
_HOST_NAME = re.compile(r"[\w.-]+|[0-9a-f:.]+")


def endpoint_from(
    where: str, given_host: str | None, given_port: int | None, schema: str | None, *, allow_http: bool
) -> str:
    """
    Return scheme, host and port.

    :param where: names the connection in errors
    :param given_host: the connection's host, a name or an address with a scheme; empty for the default
    :param given_port: the connection's port
    :param schema: the connection's schema, which KooDrive has no use for
    :param allow_http: whether another machine may be reached without TLS
    :raises KooDriveConfigError: they are no endpoint, or one without TLS
    """
    host = (given_host or "").strip() or DEFAULT_HOST
    problem = f"{where}: host {host!r}"
    try:
        parts = urlsplit(host if "://" in host else f"https://{host}")
        name, port = parts.hostname or "", parts.port
    except ValueError as err:
        raise KooDriveConfigError(f"{problem} is not an endpoint: {err}") from None
    if parts.username is not None or parts.password is not None:
        raise KooDriveConfigError(f"{where}: host must not hold credentials; use login and password")
    if parts.path.strip("/") or parts.query or parts.fragment or schema:
        raise KooDriveConfigError(f"{problem} has a path; give scheme, host and port alone, and no schema")
    if parts.scheme not in ("http", "https") or not host.isprintable() or not _HOST_NAME.fullmatch(name):
        raise KooDriveConfigError(f"{problem} is not an endpoint; give e.g. {DEFAULT_HOST}")
    if port is not None and given_port and port != given_port:
        raise KooDriveConfigError(f"{problem} and port {given_port} contradict each other")
    if parts.scheme == "http" and not allow_http and not _is_loopback(name):
        raise KooDriveConfigError(
            f"{problem} is reached without TLS; use https, or set extra allow_http in a trusted network"
        )
    port = port or given_port
    netloc = f"[{name}]" if ":" in name else name
    return f"{parts.scheme}://{netloc}:{port}" if port else f"{parts.scheme}://{netloc}"


def _is_loopback(name: str) -> bool:
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost" or name.endswith(".localhost")
