"""A server between a client and a sandbox, which can change responses."""

from __future__ import annotations

import http.client
from contextlib import closing
from typing import TYPE_CHECKING

from support.raw_server import RawRequest, RawServer, reply

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_koodrive.sandbox.server import Sandbox
    from support.raw_server import Exchange


def relay(
    sandbox: Sandbox,
    *,
    before: Callable[[RawRequest], object] = lambda _request: None,
    rewrite: Callable[[RawRequest, bytes], bytes] = lambda _request, body: body,
    status: Callable[[RawRequest], int | None] = lambda _request: None,
) -> RawServer:
    """
    Make the server.

    :param before: called with each request before it is passed on
    :param rewrite: makes the answer's body of the sandbox's
    :param status: HTTP status to answer in place of the sandbox's, None to keep that
    """

    def handle(exchange: Exchange) -> None:
        request = exchange.request
        before(request)
        with closing(http.client.HTTPConnection("127.0.0.1", sandbox.port)) as connection:
            connection.putrequest(request.method, request.target, skip_host=True, skip_accept_encoding=True)
            for name, value in request.headers:
                connection.putheader(name, value)
            connection.endheaders(request.body)
            answer = connection.getresponse()
            body = rewrite(request, answer.read())
        kept = [(name, value) for name, value in answer.getheaders() if name.lower() != "content-length"]
        exchange.send(reply(body, status(request) or answer.status, kept))

    return RawServer(handle)
