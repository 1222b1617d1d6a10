from __future__ import annotations

import json
import logging
import traceback

import pytest
from support.clients import APP_SECRET, TOKEN, app_client, token_client
from support.raw_server import JSON, Exchange, RawServer, always, reply

from airflow_provider_koodrive.api.auth import AppAuth, TokenAuth
from airflow_provider_koodrive.exceptions import (
    KooDriveConfigError,
    KooDriveError,
    KooDriveValidationError,
)

PATH = "/koodrive/ose/v1/space/groupList"
SUCCESS = reply({"code": 0, "msg": "OK"}, headers=[JSON])


@pytest.fixture
def server():
    with RawServer(always(SUCCESS)) as running:
        yield running


def nobody() -> str:
    """The address of a port on which nothing listens."""
    with RawServer(always(SUCCESS)) as server:
        return server.url


class TestRefusedBeforeSending:
    @pytest.mark.parametrize(
        "path",
        [
            "http://evil.example.com/koodrive/",
            "https://evil.example.com/koodrive/",
            "//evil.example.com/koodrive/",
            "koodrive/ose",
            "/koodrive",
            "/koodrivel/",
            "/",
            "",
            "/other/",
            "/koodrive/../other",
            "/koodrive/..",
            "/koodrive/a/../../other",
            "/koodrive/%2e%2e/other",
            "/koodrive/%2E./other",
            "/koodrive/..%2fother",
            "/koodrive/a%2f..%2f..%2fother",
            "/koodrive/..\\other",
            "/koodrive/%5c..%5cother",
            "/koodrive/./a",
            "/koodrive/a?b=c",
            "/koodrive/a#b",
            "/koodrive/a\r\nX-Evil: 1",
            "/koodrive/a%0d%0aX-Evil",
            "/koodrive/\x00",
            "/koodrive/\ud800",
            " /koodrive/a",
            "@evil.example.com/koodrive/",
            ":80@evil.example.com/koodrive/",
        ],
    )
    def test_paths(self, server, path):
        with pytest.raises(KooDriveValidationError, match="path"):
            token_client(server.url).call("GET", path)
        assert server.requests == []

    @pytest.mark.parametrize(
        "path", ["/koodrive/", "/koodrive/ose/v2/space/1", "/koodrive/a%2Fb", "/koodrive/ü b"]
    )
    def test_paths_below_koodrive(self, server, path):
        token_client(server.url).call("GET", path)
        assert server.requests[0].path.startswith("/koodrive/")

    @pytest.mark.parametrize("method", ["", "GET\r\nX-Evil: 1", "GET /koodrive/", "GÉT", "G T"])
    def test_methods(self, server, method):
        with pytest.raises(KooDriveValidationError, match="method"):
            token_client(server.url).call(method, PATH)
        assert server.requests == []

    @pytest.mark.parametrize(
        "body", [float("nan"), float("inf"), {1, 2}, b"a", object(), "\ud800", {"a": "\udfff"}]
    )
    def test_bodies(self, server, body):
        with pytest.raises(KooDriveValidationError, match="JSON"):
            token_client(server.url).call("POST", PATH, json={"a": body})
        assert server.requests == []

    def test_a_body_without_end(self, server):
        body: list[object] = []
        body.append(body)
        with pytest.raises(KooDriveValidationError, match="JSON"):
            token_client(server.url).call("POST", PATH, json=body)
        assert server.requests == []

    def test_params_that_are_no_text(self, server):
        with pytest.raises(KooDriveValidationError, match="Unicode"):
            token_client(server.url).call("GET", PATH, params={"keyWord": "\ud800"})
        assert server.requests == []


def echo(status: int, form: str):
    """A hostile or careless server that says back what it was sent."""

    def handle(exchange: Exchange) -> None:
        request = exchange.request
        said = f"{request.header('Authorization')} {TOKEN} {APP_SECRET}"
        if form == "msg":
            answer = reply({"code": 13009999, "msg": f"no, {said}"}, status)
        elif form == "code":
            answer = reply({"code": said, "msg": "no"}, status)
        elif form == "at the cut":
            answer = reply(b"x" * 190 + said.encode(), status)
        elif form == "json":
            answer = reply([dict(request.headers), said], status)
        else:
            answer = reply(
                said.encode() * 3, status, [("Server", said), ("Retry-After", said), ("Date", said)]
            )
        exchange.send(answer)

    return RawServer(handle)


def failing(client, method: str) -> KooDriveError:
    with pytest.raises(KooDriveError) as caught:
        client.call(method, PATH, json={} if method == "POST" else None)
    return caught.value


def with_locals(error: KooDriveError) -> str:
    """The traceback as a log shows it that adds each frame's variables."""
    return "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())


FORMS = ["msg", "code", "at the cut", "json", "body and headers"]


class TestNothingLeaks:
    @pytest.mark.parametrize("status", [200, 400, 401, 500])
    @pytest.mark.parametrize("form", FORMS)
    @pytest.mark.parametrize("make", [token_client, app_client])
    def test_secrets_that_come_back(self, make, form, status, caplog):
        caplog.set_level(logging.DEBUG)
        with echo(status, form) as server:
            error = failing(make(server.url, max_attempts=2), "GET")
        signatures = [request.header("Authorization")[-64:] for request in server.requests]
        secret = TOKEN if make is token_client else APP_SECRET
        told = [str(error), repr(error), json.dumps(vars(error)), with_locals(error)]
        for text in [*told, *caplog.messages]:
            assert secret not in text
            assert not any(signature in text for signature in signatures)

    @pytest.mark.parametrize("make", [token_client, app_client])
    def test_no_answer(self, make, caplog):
        caplog.set_level(logging.DEBUG)
        error = failing(make(nobody()), "POST")
        for text in [with_locals(error), *caplog.messages]:
            assert TOKEN not in text
            assert APP_SECRET not in text

    @pytest.mark.parametrize(
        "make",
        [
            lambda secret: TokenAuth(f"{secret}\n"),
            lambda secret: TokenAuth(secret, "\n"),
            lambda secret: AppAuth("\n", secret),
            lambda secret: AppAuth("app-id", secret, "\n"),
        ],
    )
    def test_what_cannot_be_sent(self, make):
        with pytest.raises(KooDriveConfigError) as caught:
            make(TOKEN)
        # The frames of this test know the secret.
        assert TOKEN not in with_locals(caught.value.with_traceback(caught.tb.tb_next.tb_next))
