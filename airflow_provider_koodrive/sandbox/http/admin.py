"""
The sandbox's own API beside KooDrive's: its calls and its fault plan over HTTP.

``GET /sandbox/calls``, and ``GET``, ``POST`` and ``DELETE /sandbox/faults``. Each call needs the header
``Authorization: Bearer APP_SECRET``.
"""

from __future__ import annotations

import hmac
from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from airflow_provider_koodrive.sandbox.service.call import read_object

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request

    from airflow_provider_koodrive.sandbox.faults.plan import FaultPlan
    from airflow_provider_koodrive.sandbox.http.records import Records

    Endpoint = Callable[[Request], Awaitable[Response]]

MAX_SHOWN = 1000


class Admin:
    """
    Answers the calls below ``/sandbox``.

    :param secret: bearer token that a call must send
    """

    def __init__(self, records: Records, faults: FaultPlan, *, secret: str) -> None:
        self._records = records
        self._faults = faults
        self._expected = f"Bearer {secret}".encode()

    def routes(self) -> list[Route]:
        """Make the routes."""
        return [
            Route("/sandbox/calls", self._guard(self._show_calls), methods=["GET"]),
            Route("/sandbox/faults", self._guard(self._show_faults), methods=["GET"]),
            Route("/sandbox/faults", self._guard(self._add_fault), methods=["POST"]),
            Route("/sandbox/faults", self._guard(self._clear_faults), methods=["DELETE"]),
        ]

    def _guard(self, answer: Endpoint) -> Endpoint:
        async def endpoint(request: Request) -> Response:
            given = request.headers.get("authorization", "").encode()
            if not hmac.compare_digest(given, self._expected):
                return JSONResponse({"error": "send the header Authorization: Bearer APP_SECRET"}, 401)
            return await answer(request)

        return endpoint

    async def _show_calls(self, _request: Request) -> Response:
        """Return the number of calls of each operation, and the last 1,000 calls."""
        records = self._records.all()
        counts = Counter(record.operation for record in records)
        return JSONResponse({"counts": counts, "calls": [asdict(record) for record in records[-MAX_SHOWN:]]})

    async def _show_faults(self, _request: Request) -> Response:
        hits = [hit._asdict() for hit in self._faults.hits]
        return JSONResponse({"faults": self._faults.as_dicts(), "hits": hits})

    async def _add_fault(self, request: Request) -> Response:
        """Add a fault, given as JSON with the arguments of ``FaultPlan.add``."""
        try:
            self._faults.add(**read_object(await request.body()))
        except (TypeError, ValueError) as err:
            return JSONResponse({"error": str(err)}, 400)
        return await self._show_faults(request)

    async def _clear_faults(self, request: Request) -> Response:
        self._faults.clear()
        return await self._show_faults(request)
