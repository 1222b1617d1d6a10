"""Data reaches the caller as KooDrive sent it, even if it holds the characters of a secret."""

from __future__ import annotations

import json
import logging

import pytest
from support.clients import APP_SECRET, TOKEN, app_client, token_client
from support.raw_server import JSON, RawServer, always, reply
from support.spaces import Spaces

from airflow_provider_koodrive.api.endpoints import LIST_DEPARTMENTS, LIST_GROUP_SPACES
from airflow_provider_koodrive.api.resources.group_spaces import GroupSpaces
from airflow_provider_koodrive.api.resources.own_spaces import OwnSpaces
from airflow_provider_koodrive.exceptions import KooDriveResponseError

PATH = "/koodrive/ose/v1/space/groupList"
PIN = "1417"
PASSWORD = "hunter2"


def record(number: int, **fields: object) -> dict[str, object]:
    return {"id": f"{number}", "name": f"Space {number}", "containerId": f"c{number}", **fields}


def listing(*records: dict[str, object], **fields: object) -> bytes:
    return reply({"code": 0, "msg": "OK", "total": len(records), "groups": records, **fields}, headers=[JSON])


@pytest.fixture(params=[PIN, PASSWORD], ids=["short", "long"])
def password(request, monkeypatch):
    """The password of a proxy that the environment names, beside the exception from it."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "https_proxy", "http_proxy"):
        monkeypatch.setenv(name, f"http://user:{request.param}@127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    return request.param


@pytest.mark.parametrize("make", [token_client, app_client])
def test_a_proxys_password_in_ids_and_names(make, password):
    spaces = [
        record(1, id=f"{password}956457", name=f"Space {password}"),
        record(2, id=f"15050{password}", containerId=password, **{password: "a key", "ownerId": password}),
    ]
    with RawServer(always(listing(*spaces))) as server:
        groups = GroupSpaces(make(server.url)).list_all()["groups"]
    assert groups == spaces


@pytest.mark.parametrize("escaped", [False, True])
@pytest.mark.parametrize("make", [token_client, app_client])
def test_the_secrets_of_the_client(make, escaped, caplog):
    """A name can be equal to a secret; and what a server echoes, it knows already."""
    caplog.set_level(logging.DEBUG)
    seen = []

    def answer(exchange):
        echo = exchange.request.header("Authorization")
        seen.append({"code": 0, echo: 1, "groups": [{"name": f"é {echo}", "more": [{TOKEN: APP_SECRET}]}]})
        exchange.send(reply(json.dumps(seen[-1], ensure_ascii=escaped).encode(), headers=[JSON]))

    with RawServer(answer) as server:
        assert make(server.url).request("GET", PATH) == seen[0]
    (request,) = server.requests
    for secret in (TOKEN, APP_SECRET, request.header("Authorization")[-64:]):
        assert secret not in caplog.text


UNSTORABLE = "a\0b\ud83dc"
STORABLE = "a\ufffdb\ufffdc"


@pytest.mark.parametrize("escaped", [False, True])
@pytest.mark.parametrize("where", ["name", "id", "ownerId", "unknown", "key", "nested"])
def test_one_space_with_characters_that_airflow_cannot_store(where, escaped):
    """PostgreSQL stores no NUL and no half of a surrogate pair; the other spaces must still be listed."""
    fields = {
        "key": {"UNSTORABLE": 1},
        "nested": {"unknown": [{"UNSTORABLE": {"deep": ["UNSTORABLE"]}}]},
    }.get(where, {where: "UNSTORABLE"})
    spaces = [record(1), record(2, **fields), record(3)]
    text = json.dumps({"code": 0, "total": 3, "groups": spaces})

    def with_text(unstorable: str) -> str:
        return text.replace("UNSTORABLE", unstorable)

    body = with_text(json.dumps(UNSTORABLE)[1:-1] if escaped else UNSTORABLE).encode("utf-8", "surrogatepass")
    with RawServer(always(reply(body, headers=[JSON]))) as server:
        groups = GroupSpaces(token_client(server.url)).list_all()["groups"]
    assert groups == json.loads(with_text(STORABLE))["groups"]
    assert "\\u0000" not in json.dumps(groups)
    json.dumps(groups, ensure_ascii=False).encode()


@pytest.mark.parametrize(
    "endpoint", [LIST_DEPARTMENTS, LIST_GROUP_SPACES], ids=["departments", "group spaces"]
)
def test_an_error_about_a_record_shows_no_secret(endpoint):
    body = {"code": 0, "total": 1, "data": [TOKEN], "groups": [{"id": [TOKEN]}]}
    with (
        RawServer(always(reply(body, headers=[JSON]))) as server,
        pytest.raises(KooDriveResponseError) as caught,
    ):
        token_client(server.url).call(endpoint)
    assert TOKEN not in str(caught.value)


def test_a_log_of_failed_members_shows_no_secret(caplog):
    spaces = {"code": 0, "total": 1, "teams": [{"id": "7", "name": "Finance"}]}

    def answer(exchange):
        if exchange.request.method == "POST":
            exchange.send(reply({"code": 0, "id": "7", "failedList": [TOKEN]}, headers=[JSON]))
            return
        is_first = len(server.requests) == 1
        exchange.send(reply({"code": 0, "total": 0, "teams": []} if is_first else spaces, headers=[JSON]))

    with RawServer(answer) as server:
        created = Spaces(token_client(server.url)).create("Finance")
    assert created["failedList"] == [TOKEN]
    assert "could not add 1 members" in caplog.text
    assert TOKEN not in caplog.text


def test_a_last_page_without_the_total_does_not_complete_a_list():
    """KooDrive said that there are three; nothing may be created on what two of them show."""
    pages = iter([{"total": 3, "teams": [{"id": "7", "name": "Sales"}]}, {"teams": []}] * 2)

    def answer(exchange):
        exchange.send(reply({"code": 0, **next(pages)}, headers=[JSON]))

    with RawServer(answer) as server:
        client = token_client(server.url)
        found = OwnSpaces(client).look_up("Finance", context=client.new_context())
    assert found.space is None
    assert not found.complete
