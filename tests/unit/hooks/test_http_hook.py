"""The way out for paths without an operator: Airflow's own HttpHook with our authentication."""

from __future__ import annotations

import json

import pytest
from airflow.providers.http.hooks.http import HttpHook
from support.raw_server import JSON, RawServer, always, reply
from support.signing import check_wire

from airflow_provider_koodrive.api.auth import AppAuth, TokenAuth

APP_ID = "example-app-id"
APP_SECRET = "example-app-secret"
USER_ID = "1505084218764547200"


@pytest.fixture
def server():
    with RawServer(always(reply({"code": 0}, headers=[JSON]))) as running:
        yield running


class TestAirflowsHttpHook:
    """``HttpHook`` hands the connection's login and password to its ``auth_type``, by position."""

    @pytest.fixture
    def run(self, server, monkeypatch):
        def run(auth_type, login, password, **arguments):
            connection = {"conn_type": "http", "host": server.url, "login": login, "password": password}
            monkeypatch.setenv("AIRFLOW_CONN_KOODRIVE_HTTP", json.dumps(connection))
            hook = HttpHook("GET", http_conn_id="koodrive_http", auth_type=auth_type)
            hook.run("koodrive/ose/v1/space/groupList", **arguments)
            return server.requests[-1]

        return run

    def test_app_auth(self, run):
        request = run(AppAuth, APP_ID, APP_SECRET, data={"limit": 1}, headers={"X-User-Id": USER_ID})
        assert request.target == "/koodrive/ose/v1/space/groupList?limit=1"
        assert request.header("X-User-Id") == USER_ID
        check_wire(request, APP_SECRET)

    @pytest.mark.parametrize(("password", "sent"), [(None, "Bearer+013b45"), ("Bearer ", "Bearer 013b45")])
    def test_token_auth(self, run, password, sent):
        assert run(TokenAuth, "013b45", password).header("Authorization") == sent
