"""The hook, with connections as users write them, against the sandbox."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest
from airflow import __version__ as airflow_version
from airflow.models import Connection
from support.clients import APP_SECRET, TOKEN
from support.raw_server import JSON, RawServer, always, reply
from support.signing import check_wire

from airflow_provider_koodrive import __version__
from airflow_provider_koodrive.connection.settings import settings_from
from airflow_provider_koodrive.exceptions import (
    KooDriveConfigError,
    KooDriveConflictError,
    KooDriveValidationError,
)
from airflow_provider_koodrive.hooks.koodrive import KooDriveHook

PATH = "/koodrive/ose/v1/service/quotaUsed"


@pytest.fixture
def server():
    with RawServer(always(reply({"code": 0}, headers=[JSON]))) as running:
        yield running


@pytest.fixture
def hook_of(monkeypatch):
    """A hook of a connection, which is given as a URI or as JSON."""

    def make(connection: str | dict) -> KooDriveHook:
        text = connection if isinstance(connection, str) else json.dumps(connection)
        monkeypatch.setenv("AIRFLOW_CONN_MY_DRIVE", text)
        return KooDriveHook("my_drive")

    return make


def token_connection(server, **extra) -> dict:
    return {"conn_type": "koodrive", "host": server.url, "password": TOKEN, "extra": extra}


class TestClient:
    def test_nothing_is_read_before_it_is_needed(self):
        KooDriveHook("there_is_none")

    def test_app_authentication_from_a_uri(self, server, hook_of):
        uri = (
            f"koodrive://app-id:{APP_SECRET}@{quote(server.url, safe='')}"
            "/?user_id=1505084218764547200&sign_host=false&language=zh-CN&max_attempts=2"
        )
        hook = hook_of(uri)
        hook.request("GET", PATH)
        (request,) = server.requests
        check_wire(request, APP_SECRET)
        assert request.header("X-User-Id") == "1505084218764547200"
        assert "SignedHeaders=x-date;x-user-id," in request.header("Authorization")
        assert request.header("language") == "zh-CN"
        assert hook.client.max_attempts == 2

    def test_token_from_json(self, server, hook_of):
        hook_of(token_connection(server, token_prefix="Bearer ")).request("get", PATH)
        assert server.requests[0].header("Authorization") == f"Bearer {TOKEN}"

    def test_token_alone(self, server, hook_of):
        hook_of(token_connection(server, token_prefix="none")).request("get", PATH)
        assert server.requests[0].header("Authorization") == TOKEN

    def test_a_link_of_what_no_address_can_hold(self, server, hook_of):
        hook = hook_of(token_connection(server, space_url="https://drive.example.com/{id}?c={containerId}"))
        assert (
            hook.space_url({"id": "a/b", "containerId": "\ud800"}) == "https://drive.example.com/a%2Fb?c=%3F"
        )

    def test_user_agent_says_both_versions(self, server, hook_of):
        hook_of(token_connection(server)).request("GET", PATH)
        expected = f"airflow-provider-koodrive/{__version__} apache-airflow/{airflow_version}"
        assert server.requests[0].header("User-Agent") == expected

    def test_one_client_for_all_calls(self, server, hook_of):
        hook = hook_of(token_connection(server))
        hook.request("GET", PATH)
        assert hook.get_conn() is hook.client
        hook.request("GET", PATH)
        assert server.connections == 1

    def test_tls_that_is_not_verified_is_told(self, server, hook_of, caplog, capsys):
        assert hook_of(token_connection(server, verify="false")).settings.verify is False
        # Airflow's log goes to Python's logging or, from 3.1 on, to structlog.
        assert "TLS certificates are not verified" in caplog.text + capsys.readouterr().out

    @pytest.mark.parametrize(
        ("changes", "field"),
        [
            ({"host": "kd.example.com/a"}, "host"),
            ({"host": "http://kd.example.com"}, "TLS"),
            ({"login": "app-id"}, "user_id"),
            ({"extra": {"deadline": "soon"}}, "deadline"),
            ({"extra": {"language": "a\r\nX-Evil: 1"}}, "language"),
            ({"extra": {"user_id": "a\nb"}, "login": "app-id"}, "user_id"),
            ({"password": f"{TOKEN}\n"}, "password"),
            ({"password": None}, "password"),
        ],
    )
    def test_bad_connections(self, server, hook_of, changes, field):
        hook = hook_of({**token_connection(server), **changes})
        for _ in range(2):
            with pytest.raises(KooDriveConfigError, match=field) as caught:
                hook.list_group_spaces()
            assert TOKEN not in str(caught.value)
        assert server.requests == []


class TestRequest:
    def test_envelope(self, koodrive_sandbox, koodrive_conn):
        hook = KooDriveHook(koodrive_conn)
        users = hook.request("GET", "/koodrive/ose/v1/userList", params={"offset": 0, "limit": 2})
        assert users["code"] == 0
        assert len(users["list"]) == 2

    @pytest.mark.parametrize(
        "path", ["https://evil.example.com/koodrive/", "/other", "/koodrive/../a", "/koodrive/?a"]
    )
    def test_paths(self, koodrive_sandbox, koodrive_conn, path):
        with pytest.raises(KooDriveValidationError, match="path"):
            KooDriveHook(koodrive_conn).request("GET", path)
        assert koodrive_sandbox.calls == []


class TestGroupSpaces:
    def test_create_list_iterate_find(self, koodrive_sandbox, koodrive_conn):
        hook = KooDriveHook(koodrive_conn)
        members = koodrive_sandbox.user_ids[1:3]
        created = hook.create_group_space("Finance", user_ids=members, capacity=20)
        assert set(created) == {"id", "containerId", "name", "capacity", "created", "failedList"}
        assert hook.create_group_space("Sales")["created"] is True
        listing = hook.list_group_spaces(page_size=1)
        assert set(listing) == {
            "total",
            "groupsTotal",
            "groupsMax",
            "assignedCapacity",
            "maxCapacity",
            "groups",
        }
        assert [group["name"] for group in listing["groups"]] == ["Finance", "Sales"]
        assert [space["name"] for space in hook.iter_group_spaces(keyword="sal")] == ["Sales"]
        assert hook.find_group_space("Finance")["id"] == created["id"]
        assert hook.find_group_space("Fin") is None
        json.dumps(listing)

    def test_existing(self, koodrive_sandbox, koodrive_conn):
        hook = KooDriveHook(koodrive_conn)
        first = hook.create_group_space("Finance")
        with pytest.raises(KooDriveConflictError):
            hook.create_group_space("Finance")
        assert hook.create_group_space("Finance", if_exists="reuse") == {**first, "created": False}

    @pytest.mark.parametrize(
        ("extra", "field"), [({}, "template -1"), ({"permission_template": "159"}, "template 159")]
    )
    def test_members_of_the_connections_template(self, server, hook_of, extra, field):
        answers = {
            "GET": reply({"code": 0, "total": 0, "teams": []}, headers=[JSON]),
            "POST": reply({"code": 0, "id": "17"}, headers=[JSON]),
        }
        server.handle = lambda exchange: exchange.send(answers[exchange.request.method])
        hook = hook_of(token_connection(server, max_attempts=1, **extra))
        assert hook.create_group_space("Finance", user_ids=["7"])["id"] == "17"
        (sent,) = [json.loads(request.body) for request in server.requests if request.method == "POST"]
        (member,) = sent["addGroupUsers"]
        assert f"template {member['template']}" == field
        assert ("capabilities" in member) is (member["template"] == -1)

    def test_the_old_edition(self, server, hook_of):
        answers = {
            "GET": reply({"code": "0", "total": "0", "teams": []}, headers=[JSON]),
            "POST": reply({"code": "0", "id": "17"}, headers=[JSON]),
        }
        server.handle = lambda exchange: exchange.send(answers[exchange.request.method])
        hook = hook_of(token_connection(server, max_attempts="1", api_edition="2024-07"))
        hook.create_group_space("Finance", user_ids=["7"], capacity=20, icon_url="1")
        (sent,) = [json.loads(request.body) for request in server.requests if request.method == "POST"]
        assert sent == {"name": "Finance", "iconUrl": "1", "capacity": 20, "userIds": ["7"]}


def test_a_uri_survives_airflow():
    """The connection's JSON and URI say the same to Airflow."""
    extra = {"user_id": "1505084218764547200", "verify": "/etc/ssl/ca.pem"}
    connection = Connection(
        conn_id="my_drive",
        conn_type="koodrive",
        host="https://kd.example.com:8443",
        login="app-id",
        password=APP_SECRET,
        extra=extra,
    )
    again = Connection(conn_id="my_drive", uri=connection.get_uri())
    assert settings_from(again) == settings_from(connection)
