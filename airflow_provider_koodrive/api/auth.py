"""
KooDrive's two kinds of authentication, as ``requests`` authentication classes.

Sources in KooDrive's documents: "Authentication", "Authentication-related Request Headers".
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from requests.auth import AuthBase

from airflow_provider_koodrive.api.http.headers import header_value
from airflow_provider_koodrive.api.http.signing import (
    ALGORITHM,
    body_bytes,
    canonical_path,
    canonical_query,
    canonical_request,
    host_header,
    signature,
    x_date,
)
from airflow_provider_koodrive.exceptions import KooDriveConfigError
from airflow_provider_koodrive.formatting import Secret

if TYPE_CHECKING:
    from collections.abc import Sequence

    from requests import PreparedRequest

DEFAULT_TOKEN_PREFIX = "Bearer+"  # noqa: S105 - a scheme, no secret

_SCHEME = re.compile(r"(Bearer|AT|HMAC-SHA256)[ +]", re.IGNORECASE)


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
    clock_offset: float = 0.0
    """Seconds to add to this machine's clock for ``X-Date``; the client sets it if that clock is wrong."""

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

    def secrets(self) -> Sequence[str]:
        """Return what logs and errors must not show."""
        return (self._app_secret,)

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
        headers["X-Date"] = x_date(self.clock_offset)
        headers["Host"] = headers.get("Host") or host_header(scheme, netloc)
        names = ["host", "x-date", "x-user-id"] if self.sign_host else ["x-date", "x-user-id"]
        signed = {name: str(headers[name]) for name in names}
        body = body_bytes(request.body)
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

    def secrets(self) -> Sequence[str]:
        """Return what logs and errors must not show: the token, without its scheme."""
        return (Secret(bare(self._token)),)

    def __repr__(self) -> str:
        return "TokenAuth(***)"

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """Set ``Authorization``."""
        request.headers["Authorization"] = self._authorization
        return request


def has_scheme(token: str) -> bool:
    """Whether a token carries its own scheme: ``Bearer`` or ``AT`` before a blank or plus, or a signature."""
    return _SCHEME.match(token) is not None


def bare(token: str) -> str:
    """Return a token without its scheme."""
    return _SCHEME.sub("", token, count=1)
