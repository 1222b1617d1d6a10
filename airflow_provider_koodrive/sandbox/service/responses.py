"""HTTP responses in KooDrive's envelope."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from starlette.responses import Response

from airflow_provider_koodrive.sandbox.clock import http_date

if TYPE_CHECKING:
    from airflow_provider_koodrive.sandbox.service.envelope import RefusalError, ResponseFormat

JSON = "application/json;charset=UTF-8"


def dated_response(
    body: bytes, status: int, now: float, *, media_type: str = JSON, headers: dict[str, str] | None = None
) -> Response:
    """Return a response with a ``Date``; ``now`` is the server's time in seconds since 1970."""
    always = {"Date": http_date(now), "Server": "KooDrive-sandbox"}
    return Response(body, status, headers={**always, **(headers or {})}, media_type=media_type)


def json_response(
    payload: object, status: int, now: float, *, headers: dict[str, str] | None = None
) -> Response:
    """Return a response with JSON."""
    return dated_response(json.dumps(payload, ensure_ascii=False).encode(), status, now, headers=headers)


def refusal_response(
    response_format: ResponseFormat,
    refusal: RefusalError,
    now: float,
    *,
    headers: dict[str, str] | None = None,
) -> Response:
    """Return a response that says why a call failed."""
    return json_response(response_format.refusal(refusal), refusal.http_status, now, headers=headers)
