"""
KooDrive's two kinds of authentication, as ``requests`` authentication classes.

Sources in KooDrive's documents: "Authentication"; "Step 1: Construct a Standard Request" to
"Step 4"; "Authentication-related Request Headers".
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote, unquote_to_bytes, urlsplit, urlunsplit

import pendulum
from requests.auth import AuthBase

from airflow_provider_koodrive.api.http.headers import header_value
from airflow_provider_koodrive.exceptions import KooDriveConfigError
from airflow_provider_koodrive.formatting import MASK, Secret

if TYPE_CHECKING:
    from requests import PreparedRequest

ALGORITHM = "HMAC-SHA256"
DEFAULT_TOKEN_PREFIX = "Bearer+"  # noqa: S105 - a scheme, no secret

# KooDrive refuses an X-Date later than its own clock, so a clock that runs ahead needs a margin (inferred).
CLOCK_MARGIN_SECONDS = 5

_SCHEME = re.compile(r"(Bearer|AT|HMAC-SHA256)[ +]", re.IGNORECASE)
_SIGNATURE = re.compile(r"(Signature=)[0-9a-fA-F]+")
_DEFAULT_PORTS = {"http": 80, "https": 443}


class AppAuth(AuthBase):
    """
    App-based authentication: signs each request with the application's secret.

    Works as ``auth=`` of ``requests`` and as ``auth_type`` of Airflow's ``HttpHook`` and
    ``HttpOperator``, which pass the connection's login and password; the request then brings its own
    ``X-User-Id`` header.

    The request's path and query are rewritten to the very form that is signed.

    :param app_id: AppId
    :param app_secret: AppSecret
    :param user_id: KooDrive's internal id of the user on whose behalf the call runs (``X-User-Id``);
        None takes it from the request's headers
    :param sign_host: whether ``host`` is among the signed headers, as in all of KooDrive's examples
        (inferred); False helps behind a proxy that rewrites ``Host``
    :raises KooDriveConfigError: a value is missing or cannot be sent as a header
    """

    app_id: str = ""
    user_id: str | None = None
    sign_host: bool = True

    def __init__(
        self, app_id: str, app_secret: str, user_id: str | None = None, *, sign_host: bool = True
    ) -> None:
        app_secret = Secret(app_secret or "")
        if not app_secret:
            raise KooDriveConfigError("app authentication needs the AppSecret; it is empty")
        if any("\ud800" <= character <= "\udfff" for character in app_secret):
            raise KooDriveConfigError("the AppSecret holds half a character (a lone surrogate)")
        self.app_id = header_value("AppId", app_id)
        self.user_id = header_value("X-User-Id", user_id) if user_id is not None else None
        self.sign_host = sign_host
        self._app_secret = app_secret

    def redact(self, text: str) -> str:
        """Return a text without the secret, and without any signature."""
        return without(text, self._app_secret)

    def __repr__(self) -> str:
        return f"AppAuth(app_id={self.app_id!r}, user_id={self.user_id!r}, sign_host={self.sign_host})"

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """
        Sign a request: sets ``X-User-Id``, ``X-Date``, ``Host`` and ``Authorization``.

        :raises KooDriveConfigError: there is no user id, or the body is a stream
        """
        headers = request.headers
        user_id = self.user_id or headers.get("X-User-Id")
        if not user_id:
            raise KooDriveConfigError("app authentication needs a user id: pass user_id or X-User-Id")
        scheme, netloc, path, query, _ = urlsplit(str(request.url))
        path, query = canonical_path(path), canonical_query(query)
        request.url = urlunsplit((scheme, netloc, path, query, ""))
        headers["X-User-Id"] = header_value("X-User-Id", user_id)
        headers["X-Date"] = (
            pendulum.now("UTC").subtract(seconds=CLOCK_MARGIN_SECONDS).strftime("%Y%m%dT%H%M%SZ")
        )
        headers["Host"] = headers.get("Host") or _host_header(scheme, netloc)
        names = ["host", "x-date", "x-user-id"] if self.sign_host else ["x-date", "x-user-id"]
        signed = {name: str(headers[name]) for name in names}
        body = _body_bytes(request.body)
        canonical = canonical_request(str(request.method), path, query, signed, body or b"")
        request.body = body
        headers["Authorization"] = Secret(
            f"{ALGORITHM} AppId={self.app_id},SignedHeaders={';'.join(names)},"
            f"Signature={signature(self._app_secret, canonical)}"
        )
        return request


class TokenAuth(AuthBase):
    """
    Token authentication: sends the access token of a KooDrive session, which lives 20 minutes.

    Works as ``auth=`` of ``requests`` and as ``auth_type`` of Airflow's ``HttpHook`` and
    ``HttpOperator``: there the connection's login is the token and its password, if any, the prefix.

    :param token: the access token; one that brings its own scheme (``Bearer``, ``AT``,
        ``HMAC-SHA256``) goes out unchanged
    :param prefix: put before a token without a scheme (inferred from the examples); None for the default
    :raises KooDriveConfigError: the token is empty or cannot be sent as a header
    """

    def __init__(self, token: str, prefix: str | None = DEFAULT_TOKEN_PREFIX) -> None:
        token = Secret(token or "")
        header_value("access token", Secret(bare(token)))
        self._token = token
        scheme = "" if has_scheme(token) else DEFAULT_TOKEN_PREFIX if prefix is None else prefix
        self._authorization = header_value("token prefix", Secret(scheme + token))

    def redact(self, text: str) -> str:
        """Return a text without the token."""
        return without(text, self._token)

    def __repr__(self) -> str:
        return "TokenAuth(***)"

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """Set ``Authorization``."""
        request.headers["Authorization"] = self._authorization
        return request


def has_scheme(token: str) -> bool:
    """Whether a token carries its own scheme: ``Bearer`` or ``AT`` before a blank or plus, or a signature."""
    return _SCHEME.match(token) is not None


def without(text: str, secret: str) -> str:
    """Return a text without a secret, also without its scheme, percent-encoded or escaped, and signatures."""
    secret = str(secret)
    spellings = {
        spelled
        for part in (secret, bare(secret))
        for spelled in (part, quote(part), quote(part, safe=""), json.dumps(part)[1:-1], repr(part)[1:-1])
        if spelled
    }
    for spelled in sorted(spellings, key=len, reverse=True):
        text = text.replace(spelled, MASK)
    # The look before costs a tenth of the search, and answers are long.
    return _SIGNATURE.sub(rf"\1{MASK}", text) if "Signature=" in text else text


def sent_signature(request: PreparedRequest) -> str:
    """Return the signature that a request carries, empty where it has none."""
    signed, mark, digits = str(request.headers.get("Authorization", "")).rpartition("Signature=")
    return Secret(digits) if signed and mark else Secret("")


def signature(app_secret: str, canonical: str) -> str:
    """Sign a canonical request ("Step 2: Create a To-Be-Signed String", "Step 3: Calculate …")."""
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    return hmac.new(app_secret.encode(), f"{ALGORITHM}\n{digest}".encode(), hashlib.sha256).hexdigest()


def canonical_request(method: str, path: str, query: str, headers: dict[str, str], body: bytes) -> str:
    """
    Build the text whose digest is signed ("Step 1: Construct a Standard Request").

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


def bare(token: str) -> str:
    """Return a token without its scheme."""
    return _SCHEME.sub("", token, count=1)


def _host_header(scheme: str, netloc: str) -> str:
    host = netloc.rpartition("@")[2]
    default_port = f":{_DEFAULT_PORTS.get(scheme)}"
    return host.removesuffix(default_port)


def _body_bytes(body: object) -> bytes | None:
    if body is None or isinstance(body, bytes):
        return body
    if isinstance(body, str):
        return body.encode()
    raise KooDriveConfigError(
        f"app authentication signs the body's bytes: pass bytes or text, not {type(body).__name__}"
    )
