"""The ASGI application: routes each call to its handler and sends the response."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.routing import Route

from airflow_provider_koodrive.sandbox import clock
from airflow_provider_koodrive.sandbox.faults.responses import NoResponse
from airflow_provider_koodrive.sandbox.http import auth
from airflow_provider_koodrive.sandbox.http.admin import Admin
from airflow_provider_koodrive.sandbox.http.records import CallRecord
from airflow_provider_koodrive.sandbox.service.call import Call
from airflow_provider_koodrive.sandbox.service.envelope import (
    CODE_INTERNAL,
    CODE_NOT_FOUND,
    RefusalError,
    ResponseFormat,
    bad_parameters,
)
from airflow_provider_koodrive.sandbox.service.handlers import HANDLERS
from airflow_provider_koodrive.sandbox.service.operations import OPERATIONS, PREFIX, Operation
from airflow_provider_koodrive.sandbox.service.responses import json_response, refusal_response

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from starlette.requests import Request

    from airflow_provider_koodrive.sandbox.faults.fault import Fault
    from airflow_provider_koodrive.sandbox.faults.plan import FaultPlan
    from airflow_provider_koodrive.sandbox.http.records import Records
    from airflow_provider_koodrive.sandbox.service.call import Limits
    from airflow_provider_koodrive.sandbox.storage.store import Store

MAX_BODY_BYTES = 1024 * 1024
TRACE_ID_CHARACTERS = 58

log = logging.getLogger(__name__)


class Service:
    """
    Answers the calls of KooDrive's API.

    :param app_id: AppId of the one application that may sign
    :param app_secret: its AppSecret
    """

    def __init__(
        self,
        store: Store,
        *,
        app_id: str,
        app_secret: str,
        response_format: ResponseFormat,
        limits: Limits,
        faults: FaultPlan,
        records: Records,
    ) -> None:
        self.store = store
        self.app_id = app_id
        self.app_secret = app_secret
        self.response_format = response_format
        self.limits = limits
        self.faults = faults
        self.records = records

    async def handle(self, operation: Operation, request: Request) -> Response:
        """Answer one call, with the faults that apply to it."""
        trace_id = request.headers.get("x-traceid")
        try:
            body = await read_body(request)
        except ClientDisconnect:
            return NoResponse()
        except RefusalError as refusal:
            return refusal_response(self.response_format, refusal, clock.now())
        call = Call(
            store=self.store,
            response_format=self.response_format,
            limits=self.limits,
            path=request.path_params,
            query=dict(request.query_params),
            body=body,
            now=clock.now(),
        )
        faults = self.faults.select(operation.name, trace_id)
        response = self._respond(operation, request, call, faults)
        self.records.add(
            CallRecord(
                operation=operation.name,
                method=request.method,
                path=request.url.path,
                query=call.query,
                status=None if isinstance(response, NoResponse) else response.status_code,
                trace_id=trace_id,
                user_id=call.user["id"] if call.user else None,
                committed=call.committed,
                faults=tuple(fault.kind for fault in faults),
            ),
            request.headers.get("authorization"),
        )
        return response

    def _respond(
        self, operation: Operation, request: Request, call: Call, faults: Sequence[Fault]
    ) -> Response:
        for fault in faults:
            fault.change(call)
        replacing = next((fault for fault in faults if fault.replaces_response), None)
        if replacing is None:
            return self._answer(operation, request, call)
        response = self._answer(operation, request, call) if replacing.does_work() else Response()
        return replacing.respond(call, response)

    def _answer(self, operation: Operation, request: Request, call: Call) -> Response:
        try:
            call.user = self._authenticate(request, call, operation)
            if len(request.headers.get("x-traceid", "x" * TRACE_ID_CHARACTERS)) != TRACE_ID_CHARACTERS:
                raise bad_parameters(f"X-Traceid must have {TRACE_ID_CHARACTERS} characters.")
            result = HANDLERS[operation.name](call)
            return json_response(self.response_format.success(result), 200, call.server_time)
        except RefusalError as refusal:
            return refusal_response(self.response_format, refusal, call.server_time)
        except Exception:
            log.exception("The sandbox failed at %s", operation.name)
            failure = RefusalError(CODE_INTERNAL, "inner server invoke failure", http_status=500)
            return refusal_response(self.response_format, failure, call.server_time)

    def _authenticate(self, request: Request, call: Call, operation: Operation) -> dict[str, Any]:
        headers = request.headers
        signed = auth.is_app_authentication(headers)
        if call.expired:
            raise auth.signature_refused("X-Date is too old") if signed else auth.token_refused()
        if not signed:
            user = self.store.user(
                auth.check_token(self.store, headers.get("authorization", ""), now=call.server_time)
            )
            if user is None:
                raise auth.token_refused()
            return user
        if operation.path.startswith("/session/"):
            raise auth.signature_refused("session management does not support app authentication")
        wire = auth.WireRequest(
            method=request.method,
            raw_path=request.scope["raw_path"].decode("ascii"),
            raw_query=request.scope["query_string"].decode("ascii"),
            headers=headers,
            body=call.body,
        )
        user_id = auth.check_signature(
            wire, app_id=self.app_id, app_secret=self.app_secret, now=call.server_time
        )
        user = self.store.user(user_id)
        if user is None:
            raise auth.signature_refused("X-User-Id is no user of this tenant")
        return user

    async def not_found(self, _request: Request, error: Exception) -> Response:
        """Answer a call of an unknown path or method."""
        status = error.status_code if isinstance(error, HTTPException) else 500
        refusal = RefusalError(CODE_NOT_FOUND, "Resource does not exist.", http_status=status)
        return refusal_response(self.response_format, refusal, clock.now())


async def read_body(request: Request) -> bytes:
    """
    Read a request's body.

    :raises RefusalError: it is larger than 1 MiB
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise RefusalError(
                bad_parameters("").code, f"The body is larger than {MAX_BODY_BYTES} bytes.", http_status=413
            )
    return bytes(body)


def build_app(service: Service) -> Starlette:
    """Make the application that serves KooDrive's paths."""

    def endpoint(operation: Operation) -> Callable[[Request], Any]:
        async def respond(request: Request) -> Response:
            return await service.handle(operation, request)

        return respond

    routes = [
        Route(PREFIX + operation.path, endpoint(operation), methods=[operation.method])
        for operation in OPERATIONS
    ]
    admin = Admin(service.records, service.faults, secret=service.app_secret)
    app = Starlette(routes=[*routes, *admin.routes()], exception_handlers={HTTPException: service.not_found})
    app.router.redirect_slashes = False
    return app
