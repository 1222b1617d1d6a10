"""
Authentication: KooDrive's two kinds, checked by code of the sandbox's own.

Tokens: KooDrive API Reference, "Authentication". Signatures: "Step 1: Construct a Standard Request",
"Step 2: Create a To-Be-Signed String", "Step 3: Calculate the Signature".
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote, unquote_to_bytes

from airflow_provider_koodrive.sandbox import clock
from airflow_provider_koodrive.sandbox.service.envelope import CODE_SIGNATURE, CODE_TOKEN, RefusalError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_koodrive.sandbox.storage.store import Store

TOKEN_SECONDS = 20 * 60
SIGNATURE_SECONDS = 15 * 60
ALGORITHM = "HMAC-SHA256"

_UNRESERVED = "-_.~"
_SIGNATURE = re.compile(
    rf"{ALGORITHM} AppId=(?P<app_id>[^,\s]+)"
    r",SignedHeaders=(?P<names>[a-z0-9;-]+)"
    r",Signature=(?P<signature>[0-9a-f]+)"
)
_TOKEN = re.compile(r"(?:(?:Bearer|AT)[+ ])?(?P<token>\S+)")


@dataclass(frozen=True)
class WireRequest:
    """
    The parts of a request that a signature covers, as they came over the wire.

    :param method: HTTP method
    :param raw_path: path with its percent-encoding, without the query
    :param raw_query: query without the question mark
    :param headers: headers, names in lower case
    :param body: body, byte for byte
    """

    method: str
    raw_path: str
    raw_query: str
    headers: Mapping[str, str]
    body: bytes


def token_refused() -> RefusalError:
    return RefusalError(
        CODE_TOKEN, "Incorrect IAM authentication information: token invalid or expired", http_status=401
    )


def signature_refused(reason: str) -> RefusalError:
    return RefusalError(
        CODE_SIGNATURE, f"Incorrect app authentication information: {reason}", http_status=401
    )


def is_app_authentication(headers: Mapping[str, str]) -> bool:
    return headers.get("authorization", "").startswith(ALGORITHM)


def canonical_path(raw_path: str) -> str:
    """Normalise and encode each segment, and end with a slash."""
    kept: list[str] = []
    for segment in raw_path.split("/")[1:]:
        plain = unquote_to_bytes(segment)
        if plain == b"..":
            del kept[-1:]
        elif plain != b".":
            kept.append(quote(plain, safe=_UNRESERVED))
    path = "/" + "/".join(kept)
    return path if path.endswith("/") else path + "/"


def canonical_query(raw_query: str) -> str:
    """Sort the parameters by name and encode them anew."""
    pairs = parse_qsl(raw_query, keep_blank_values=True)
    return "&".join(f"{quote(k, safe=_UNRESERVED)}={quote(v, safe=_UNRESERVED)}" for k, v in sorted(pairs))


def canonical_request(request: WireRequest, names: list[str]) -> str:
    """
    Put a request into the form that is signed.

    :param request: the request
    :param names: names of the signed headers, lower case, in order
    """
    return "\n".join(
        [
            request.method.upper(),
            canonical_path(request.raw_path),
            canonical_query(request.raw_query),
            *(f"{name}:{request.headers.get(name, '').strip()}" for name in names),
            "",
            ";".join(names),
            hashlib.sha256(request.body).hexdigest(),
        ]
    )


def signature(request: WireRequest, names: list[str], app_secret: str) -> str:
    """Sign a request as KooDrive does: an HMAC over two lines, the time being covered by ``x-date``."""
    digest = hashlib.sha256(canonical_request(request, names).encode()).hexdigest()
    return hmac.new(app_secret.encode(), f"{ALGORITHM}\n{digest}".encode(), hashlib.sha256).hexdigest()


def check_signature(request: WireRequest, *, app_id: str, app_secret: str, now: float) -> str:
    """
    Check an app signature.

    :param now: the server's time, in seconds since 1970
    :return: the id of the user on whose behalf the call runs
    :raises RefusalError: the signature is wrong or has expired
    """
    given = _SIGNATURE.fullmatch(request.headers.get("authorization", ""))
    if given is None:
        raise signature_refused("malformed Authorization header")
    names = given["names"].split(";")
    if names != sorted(set(names)) or not {"x-date", "x-user-id"} <= set(names):
        raise signature_refused("SignedHeaders must name x-date and x-user-id, each once, in ascending order")
    if missing := [name for name in names if name not in request.headers]:
        raise signature_refused(f"signed headers are absent: {';'.join(missing)}")
    signed_at = clock.parse_x_date(request.headers["x-date"].strip())
    if signed_at is None:
        raise signature_refused("X-Date is not of the form yyyyMMddTHHmmssZ")
    if signed_at > now:
        raise signature_refused("X-Date is later than the server's time")
    if signed_at < now - SIGNATURE_SECONDS:
        raise signature_refused("X-Date is more than 15 minutes old")
    expected = signature(request, names, app_secret)
    app_matches = hmac.compare_digest(given["app_id"].encode(), app_id.encode())
    if not (hmac.compare_digest(given["signature"].encode(), expected.encode()) and app_matches):
        raise signature_refused("AppId unknown or signature wrong")
    return request.headers["x-user-id"].strip()


def check_token(store: Store, authorization: str, *, now: float) -> str:
    """
    Check an access token, and extend it to 20 minutes from now.

    :param authorization: the header's value: a token, bare or after ``Bearer`` or ``AT`` and a ``+`` or blank
    :param now: the server's time, in seconds since 1970
    :return: the id of the token's user
    :raises RefusalError: the token is unknown or has expired
    """
    given = _TOKEN.fullmatch(authorization.strip())
    user_id = store.use_token(given["token"], now=now, lifetime=TOKEN_SECONDS) if given else None
    if user_id is None:
        raise token_refused()
    return user_id
