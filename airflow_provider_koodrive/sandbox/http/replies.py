"""HTTP answers in KooDrive's envelope."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from starlette.responses import Response

from airflow_provider_koodrive.sandbox.clock import http_date

if TYPE_CHECKING:
    from airflow_provider_koodrive.sandbox.http.envelope import Dialect, RefusalError

JSON = "application/json;charset=UTF-8"


def reply(
    body: bytes, status: int, now: float, *, media_type: str = JSON, headers: dict[str, str] | None = None
) -> Response:
    """Answer with a body, dated by the server's time in seconds since 1970."""
    always = {"Date": http_date(now), "Server": "KooDrive-sandbox"}
    return Response(body, status, headers={**always, **(headers or {})}, media_type=media_type)


def json_reply(
    payload: object, status: int, now: float, *, headers: dict[str, str] | None = None
) -> Response:
    """Answer with JSON."""
    return reply(json.dumps(payload, ensure_ascii=False).encode(), status, now, headers=headers)


def refusal_reply(
    dialect: Dialect, refusal: RefusalError, now: float, *, headers: dict[str, str] | None = None
) -> Response:
    """Answer that a call failed."""
    return json_reply(dialect.refusal(refusal), refusal.http_status, now, headers=headers)
