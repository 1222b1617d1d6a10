"""Build a request: its trace id, and method, path, query and body, each checked."""

from __future__ import annotations

import json as jsonlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlencode

import requests
from requests.structures import CaseInsensitiveDict

from airflow_provider_koodrive.exceptions import KooDriveValidationError
from airflow_provider_koodrive.formatting import one_line, shown

if TYPE_CHECKING:
    from requests.auth import AuthBase

    from airflow_provider_koodrive.api.http.timeouts import Deadline

API_ROOT = "/koodrive/"
MOST_ENCODINGS = 10
UNDECODABLE = "\ufffd"  # what unquote() puts for bytes that are no UTF-8
_METHODS_WITHOUT_BODY = ("GET", "HEAD")
TRACE_ID_BYTES = 29  # 58 hexadecimal characters, the length that the documents ask for


@dataclass(frozen=True)
class CallContext:
    """
    The deadline and the trace id that all requests of one call share.

    :param deadline: nothing is sent after it
    :param trace_id: ``X-Traceid``, see :func:`new_trace_id`
    """

    deadline: Deadline
    trace_id: str


def new_trace_id() -> str:
    """Return 58 characters for ``X-Traceid`` (KooDrive's documents, header table: "length 58")."""
    return secrets.token_hex(TRACE_ID_BYTES)


def checked_method(method: str) -> str:
    """
    Return an HTTP method in capitals.

    :raises KooDriveValidationError: it is no word
    """
    if isinstance(method, str) and method.isascii() and method.isalpha():
        return method.upper()
    raise KooDriveValidationError(f"{shown(method)} is not an HTTP method: pass one like 'GET'")


def checked_path(path: str) -> str:
    """
    Return a path that stays below ``/koodrive/``, however often a server decodes it.

    :raises KooDriveValidationError: it is no text, an address, brings a query, or leaves ``/koodrive/``
    """
    plain = _decoded(path) if isinstance(path, str) and path.startswith(API_ROOT) else ""
    if not plain or not {"?", "#"}.isdisjoint(path) or not plain.isprintable():
        raise KooDriveValidationError(
            f"path {shown(path)} is not a path below {API_ROOT}: pass the path alone, and the query as params"
        )
    if UNDECODABLE in plain:
        raise KooDriveValidationError(f"path {shown(path)} is not percent-encoded UTF-8")
    # Some servers drop what follows a semicolon (RFC 3986, section 3.3) and blanks before they resolve dots.
    segments = {segment.partition(";")[0].strip() for segment in plain.split("/")}
    if "\\" in plain or not segments.isdisjoint({".", ".."}):
        raise KooDriveValidationError(f"path {shown(path)} leaves {API_ROOT}: write it without '.' and '..'")
    return path


def _decoded(path: str) -> str:
    for _ in range(MOST_ENCODINGS):
        encoded, path = path, unquote(path)
        if path == encoded:
            return path
    return ""


def query_string(params: Mapping[str, Any] | None) -> str:
    """
    Encode query parameters as they are signed: a blank as ``%20``, True as ``true``, None left out.

    :raises KooDriveValidationError: they are no mapping, or hold what cannot be written as text
    """
    if not isinstance(params or {}, Mapping):
        raise KooDriveValidationError(f"params {shown(params)} are no mapping of names to values")
    given = {
        name: str(value).lower() if isinstance(value, bool) else value
        for name, value in (params or {}).items()
        if value is not None
    }
    try:
        return "?" + urlencode(given, doseq=True, quote_via=quote, safe="~") if given else ""
    except (TypeError, ValueError):
        raise KooDriveValidationError(
            f"params {shown(given)} hold a value that cannot be written as Unicode text"
        ) from None


def encode_body(json: Any) -> bytes | None:
    """
    Serialise a body once, to the bytes that are signed and sent.

    :raises KooDriveValidationError: it cannot be expressed in JSON
    """
    if json is None:
        return None
    try:
        return jsonlib.dumps(json, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except (TypeError, ValueError, RecursionError) as err:
        raise KooDriveValidationError(f"the body cannot be sent as JSON: {one_line(str(err))}") from None


@lru_cache(maxsize=256)
def url_of(endpoint: str, path: str) -> str:
    """
    Return the address of a path as ``requests`` writes it: the host in ASCII, the path percent-encoded.

    :raises requests.RequestException: the endpoint cannot be read
    """
    return str(requests.Request("GET", endpoint + path).prepare().url)


def prepare(
    method: str, url: str, headers: Mapping[str, str], body: bytes | None, auth: AuthBase
) -> requests.PreparedRequest:
    """
    Return a request that is ready to be sent.

    ``Session.prepare_request`` checks and merges at each call what never changes here.

    :param method: HTTP method in capitals
    :param url: address, see :func:`url_of`, with an encoded query
    :param headers: headers, except those of body and authentication
    :param body: JSON; None sends no body
    :param auth: signs the request
    """
    prepared = requests.PreparedRequest()
    prepared.method, prepared.url, prepared.body = method, url, body
    prepared.headers = CaseInsensitiveDict(headers)
    if body is not None:
        prepared.headers["Content-Type"] = "application/json"
    if body is not None or method not in _METHODS_WITHOUT_BODY:
        prepared.headers["Content-Length"] = str(len(body or b""))
    return auth(prepared)
