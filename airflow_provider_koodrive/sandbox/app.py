"""The ASGI application: routes, and the way of a call from the wire to a handler and back."""

from __future__ import annotations

import json
import logging
import threading
from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Route

from airflow_provider_koodrive.sandbox import auth, clock, directory, members, spaces
from airflow_provider_koodrive.sandbox.call import Call, CallRecord, Limits
from airflow_provider_koodrive.sandbox.envelope import (
    CODE_INTERNAL,
    CODE_NOT_FOUND,
    Dialect,
    RefusalError,
    bad_parameters,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    from airflow_provider_koodrive.sandbox.store import Store

PREFIX = "/koodrive/ose/v1"
MAX_BODY_BYTES = 1024 * 1024
MAX_RECORDS = 100_000
TRACE_ID_CHARACTERS = 58

log = logging.getLogger(__name__)


class Operation(NamedTuple):
    """An operation of KooDrive's API: its name in records and fault plans, and what answers it."""

    name: str
    method: str
    path: str
    handler: Callable[[Call], dict[str, Any]]


OPERATIONS = (
    Operation("create", "POST", "/space/group", spaces.create),
    Operation("groupList", "GET", "/space/groupList", spaces.group_list),
    Operation("teamList", "GET", "/space/teamList", spaces.team_list),
    Operation("dismiss", "DELETE", "/space/group/{groupId}", spaces.dismiss),
    Operation("space", "GET", "/space/container/{containerId}", spaces.query_space),
    Operation("space", "GET", "/space/{ownerId}", spaces.query_space),
    Operation("departmentList", "GET", "/departmentList", directory.department_list),
    Operation("userList", "GET", "/userList", directory.user_list),
    Operation("user", "GET", "/users/{userId}", directory.user),
    Operation("members", "GET", "/usergroups/{groupId}/members", members.list_members),
    Operation("batchAdd", "POST", "/usergroups/{groupId}/members/batchAdd", members.batch_add),
    Operation("batchDelete", "POST", "/usergroups/{groupId}/members/batchDelete", members.batch_delete),
    Operation("sessionAuth", "GET", "/session/auth", directory.session_auth),
    Operation("quotaUsed", "GET", "/service/quotaUsed", directory.quota_used),
)


class Records:
    """The calls that the sandbox has taken, the last 100,000 of them; safe to read from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._records: deque[CallRecord] = deque(maxlen=MAX_RECORDS)

    def add(self, record: CallRecord) -> None:
        with self._lock:
            self._records.append(record)

    def all(self) -> list[CallRecord]:
        with self._lock:
            return list(self._records)


class Service:
    """
    Answers the calls of KooDrive's API.

    :param app_id: AppId of the one application that may sign
    :param app_secret: its AppSecret
    """

    def __init__(
        self, store: Store, *, app_id: str, app_secret: str, dialect: Dialect, limits: Limits
    ) -> None:
        self.store = store
        self.app_id = app_id
        self._app_secret = app_secret
        self.dialect = dialect
        self.limits = limits
        self.records = Records()

    async def take(self, operation: Operation, request: Request) -> Response:
        """Answer one call."""
        try:
            body = await read_body(request)
        except RefusalError as refusal:
            return self.envelope(self.dialect.refusal(refusal), refusal.http_status, clock.now())
        call = Call(
            store=self.store,
            dialect=self.dialect,
            limits=self.limits,
            path=request.path_params,
            query=dict(request.query_params),
            body=body,
            now=clock.now(),
        )
        response = self._answer(operation, request, call)
        self.records.add(
            CallRecord(
                operation=operation.name,
                method=request.method,
                path=request.url.path,
                query=call.query,
                status=response.status_code,
                trace_id=request.headers.get("x-traceid"),
                user_id=call.user["id"] if call.user else None,
                committed=call.committed,
                faults=(),
            )
        )
        return response

    def _answer(self, operation: Operation, request: Request, call: Call) -> Response:
        try:
            call.user = self._authenticate(request, call, operation)
            if len(request.headers.get("x-traceid", "x" * TRACE_ID_CHARACTERS)) != TRACE_ID_CHARACTERS:
                raise bad_parameters(f"X-Traceid must have {TRACE_ID_CHARACTERS} characters.")
            payload, status = self.dialect.success(operation.handler(call)), 200
        except RefusalError as refusal:
            payload, status = self.dialect.refusal(refusal), refusal.http_status
        except Exception:
            log.exception("The sandbox failed at %s", operation.name)
            failure = RefusalError(CODE_INTERNAL, "inner server invoke failure", http_status=500)
            payload, status = self.dialect.refusal(failure), failure.http_status
        return self.envelope(payload, status, call.now)

    def _authenticate(self, request: Request, call: Call, operation: Operation) -> dict[str, Any]:
        headers = request.headers
        if not auth.is_app_authentication(headers):
            user = self.store.user(
                auth.check_token(self.store, headers.get("authorization", ""), now=call.now)
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
        user_id = auth.check_signature(wire, app_id=self.app_id, app_secret=self._app_secret, now=call.now)
        user = self.store.user(user_id)
        if user is None:
            raise auth.signature_refused("X-User-Id is no user of this tenant")
        return user

    def envelope(self, payload: dict[str, Any], status: int, now: float) -> Response:
        """Make an answer of KooDrive's."""
        return Response(
            json.dumps(payload, ensure_ascii=False).encode(),
            status,
            headers={"Date": clock.http_date(now), "Server": "KooDrive-sandbox"},
            media_type="application/json;charset=UTF-8",
        )

    async def not_found(self, _request: Request, error: Exception) -> Response:
        """Answer what has no handler: an unknown path or method."""
        status = error.status_code if isinstance(error, HTTPException) else 500
        refusal = RefusalError(CODE_NOT_FOUND, "Resource does not exist.", http_status=status)
        return self.envelope(self.dialect.refusal(refusal), status, clock.now())


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
        async def answer(request: Request) -> Response:
            return await service.take(operation, request)

        return answer

    routes = [
        Route(PREFIX + operation.path, endpoint(operation), methods=[operation.method])
        for operation in OPERATIONS
    ]
    app = Starlette(routes=routes, exception_handlers={HTTPException: service.not_found})
    app.router.redirect_slashes = False
    return app
