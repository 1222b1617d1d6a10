"""
The signature of app authentication, step by step.

Sources in KooDrive's documents: "Step 1: Construct a Standard Request" to "Step 4".
"""

from __future__ import annotations

import hashlib
import hmac
import time
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote, unquote_to_bytes

from airflow_provider_koodrive.exceptions import KooDriveConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

ALGORITHM = "HMAC-SHA256"

# "Authentication": an older X-Date is refused.
SIGNATURE_SECONDS = 15 * 60

# KooDrive refuses an X-Date later than its own clock, so a clock that runs ahead needs a margin (inferred).
CLOCK_MARGIN_SECONDS = 5

_DEFAULT_PORTS = {"http": 80, "https": 443}


def signature(app_secret: str, canonical: str) -> str:
    """Sign a canonical request ("Step 2: Create a To-Be-Signed String", "Step 3: Calculate …")."""
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    return hmac.new(app_secret.encode(), f"{ALGORITHM}\n{digest}".encode(), hashlib.sha256).hexdigest()


def canonical_request(method: str, path: str, query: str, headers: Mapping[str, str], body: bytes) -> str:
    """
    Build the text whose digest is signed ("Step 1: Construct a Standard Request").

    :param method: HTTP method
    :param path: canonical path, see :func:`canonical_path`
    :param query: canonical query, see :func:`canonical_query`
    :param headers: the signed headers, lower-case, in their order
    :param body: the exact bytes that are sent
    """
    lines = [
        method.upper(),
        path if path.endswith("/") else path + "/",
        query,
        *(f"{name}:{value.strip()}" for name, value in headers.items()),
        "",
        ";".join(headers),
        hashlib.sha256(body).hexdigest(),
    ]
    return "\n".join(lines)


@lru_cache(maxsize=64)
def canonical_path(path: str) -> str:
    """Normalise a path after RFC 3986: no dot segments, each segment percent-encoded once."""
    kept: list[str] = []
    # requests sends one slash where a path begins with several.
    segments = [quote(unquote_to_bytes(segment), safe="~") for segment in path.lstrip("/").split("/")]
    for segment in segments:
        if segment == "..":
            del kept[-1:]
        elif segment != ".":
            kept.append(segment)
    if segments[-1] in (".", ".."):
        kept.append("")
    return "/" + "/".join(kept)


def canonical_query(query: str) -> str:
    """Encode each parameter, a blank as ``%20``, and sort by name, in ascending character code."""
    pairs = parse_qsl(query, keep_blank_values=True, encoding="utf-8", errors="surrogateescape")
    encode = {text: quote(text, safe="~", errors="surrogateescape") for pair in pairs for text in pair}
    return "&".join(f"{encode[name]}={encode[value]}" for name, value in sorted(pairs))


def signing_time(clock_offset: float) -> int:
    """
    Return the time to sign with, less a margin, in whole seconds since 1970.

    :param clock_offset: seconds to add to this machine's clock
    """
    return int(time.time() + clock_offset - CLOCK_MARGIN_SECONDS)


def x_date(clock_offset: float) -> str:
    """Return the ``X-Date`` header, see :func:`signing_time`."""
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(signing_time(clock_offset)))


def host_header(scheme: str, netloc: str) -> str:
    """Return the ``Host`` header that an HTTP client sends: without user, and without the scheme's port."""
    host = netloc.rpartition("@")[2]
    return host.removesuffix(f":{_DEFAULT_PORTS.get(scheme)}")


def body_bytes(body: object) -> bytes | None:
    """
    Return the bytes of a body, None if there is none.

    :raises KooDriveConfigError: it is a stream
    """
    if body is None or isinstance(body, bytes):
        return body
    if isinstance(body, str):
        return body.encode()
    raise KooDriveConfigError(
        f"app authentication signs the body's bytes: pass bytes or text, not {type(body).__name__}"
    )
