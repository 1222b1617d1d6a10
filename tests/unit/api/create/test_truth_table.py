"""The table of what follows each kind of failure, for each kind of call, on the wire."""

from __future__ import annotations

import socket
from contextlib import contextmanager, nullcontext
from typing import Any

import pytest
from support.clients import sandbox_client
from support.raw_server import reply
from support.relay import relay
from support.scripts import load_script
from support.spaces import Spaces
from support.tls import self_signed

from airflow_provider_koodrive.exceptions import KooDriveConflictError, KooDriveError

states = load_script("protocol_states")
REPEATED, RAISED = states.REPEATED, states.RAISED
LOOKED_UP, LOOKED_UP_ONCE = states.LOOKED_UP, states.LOOKED_UP_ONCE
CREATE = "/koodrive/ose/v1/space/group"
LIST = "/koodrive/ose/v1/space/groupList"


# The faults that show each kind of failure of the table, in its order.
FAULTS: tuple[tuple[tuple[str, dict[str, Any]], ...], ...] = (
    (),  # see test_a_request_that_did_not_leave_is_repeated
    (("throttle_429", {"seconds": 0}),),
    (
        ("drop_before_commit", {}),
        ("drop_after_commit", {}),
        ("hang_before_commit", {}),
        ("hang_after_commit", {}),
    ),
    (
        ("error_500_before", {}),
        ("error_500_after_commit", {}),
        ("error_503_retry_after", {"seconds": 0}),
        ("gateway_html", {}),
        ("error_200", {}),
    ),
    (("truncated_json", {}), ("wrong_type_json", {}), ("redirect", {})),
    (
        ("error_200", {"code": 13000102}),
        ("error_200", {"code": 13000311}),
        ("error_200", {"code": 13000410}),
        ("expired_token", {}),
        ("gateway_html", {"status": 401}),
        ("gateway_html", {"status": 403}),
    ),
    (
        ("error_200", {"code": 13000309}),
        ("error_200", {"code": 13009999}),
        ("error_200", {"code": 13000405}),
    ),
)
# What the sandbox calls the operation of each column; two methods stand for another write.
OPERATIONS = {"read": "groupList", "create": "create", "write": "create", "delete": "dismiss"}
COLUMNS = {"read": 0, "create": 1, "write": 2, "delete": 2}
CELLS = [
    pytest.param(call, fault, options, states.cells(errors)[column], id=f"{call}-{fault}-{options}")
    for errors, faults in zip(states.FAILURES.values(), FAULTS, strict=True)
    for fault, options in faults
    for call, column in COLUMNS.items()
]


def call(which: str, spaces: Spaces, group_id: str) -> None:
    if which == "create":
        assert spaces.create("Finance")["created"]
    elif which == "read":
        spaces.client.request("GET", LIST, params={"offset": 0, "limit": 1})
    elif which == "write":
        spaces.client.request("POST", CREATE, json={"name": "Finance", "addGroupUsers": []})
    else:
        spaces.dismiss(group_id)


@pytest.fixture
def sales(koodrive_sandbox) -> str:
    """A space to dismiss."""
    return Spaces(sandbox_client(koodrive_sandbox)).create("Sales")["id"]


def later(sandbox, before: int) -> list[str]:
    return [record.operation for record in sandbox.calls[before:]]


@pytest.mark.parametrize(("which", "fault", "options", "follows"), CELLS)
def test_cell(koodrive_sandbox, sales, which, fault, options, follows) -> None:
    operation, before = OPERATIONS[which], len(koodrive_sandbox.calls)
    koodrive_sandbox.faults.add(operation, fault, times=1, **options)
    spaces = Spaces(sandbox_client(koodrive_sandbox, read_timeout=0.4))

    raised = follows in (RAISED, LOOKED_UP_ONCE)
    with pytest.raises(KooDriveError) if raised else nullcontext():
        call(which, spaces, sales)

    seen = later(koodrive_sandbox, before)
    failed = seen.index(operation)
    assert len(koodrive_sandbox.faults.hits) == 1
    if follows == RAISED:
        assert seen[failed + 1 :] == []
    elif follows == REPEATED:
        assert seen[failed + 1] == operation
    else:
        assert seen[failed + 1] == "teamList"
        assert seen[failed + 2 :].count(operation) <= (follows == LOOKED_UP)
    stored = [space["name"] for space in koodrive_sandbox.spaces()]
    assert stored.count("Finance") <= 1
    assert which != "create" or raised or "Finance" in stored


@pytest.mark.parametrize(
    ("which", "status", "code", "looks"),
    [
        *((which, 404, 13000309, 1) for which in OPERATIONS),
        ("create", 400, 13000102, 0),
        ("create", 400, 13000405, 2),
    ],
)
def test_a_refusal_with_a_status_of_its_own(koodrive_sandbox, sales, which, status, code, looks) -> None:
    before = len(koodrive_sandbox.calls)
    koodrive_sandbox.faults.add(OPERATIONS[which], "error_200", code=code)
    spaces = Spaces(sandbox_client(koodrive_sandbox))
    with relay(koodrive_sandbox, status=lambda asked: None if "teamList" in asked.path else status) as server:
        spaces.client.endpoint = server.url
        with pytest.raises(KooDriveError) as caught:
            call(which, spaces, sales)
        spaces.client.close()
    assert (caught.value.http_status, caught.value.code) == (status, code)
    around = ["teamList"] if which == "create" else []
    assert later(koodrive_sandbox, before) == [*around, OPERATIONS[which], *around * looks]


@pytest.mark.parametrize(("status", "code"), [(500, 13000102), (504, 13000405)])
@pytest.mark.parametrize("committed", [True, False])
def test_a_server_that_breaks_settles_nothing_whatever_its_code(
    koodrive_sandbox, status, code, committed
) -> None:
    koodrive_sandbox.faults.add("create", "error_200", code=code, committed=committed, times=1)
    statuses = iter([status])
    spaces = Spaces(sandbox_client(koodrive_sandbox))
    with relay(
        koodrive_sandbox, status=lambda asked: next(statuses, None) if asked.method == "POST" else None
    ) as server:
        spaces.client.endpoint = server.url
        assert spaces.create("Finance")["created"] is True
        spaces.client.close()
    seen = later(koodrive_sandbox, 0)
    assert seen.count("create") == (1 if committed else 2)
    assert seen[:3] == ["teamList", "create", "teamList"]


def test_a_space_that_is_there_after_a_refusal_is_found(koodrive_sandbox) -> None:
    """The look finds it: KooDrive's documents have no code for a name that exists."""
    koodrive_sandbox.faults.add("create", "error_200", code=13009999, committed=True)
    with pytest.raises(KooDriveConflictError):
        Spaces(sandbox_client(koodrive_sandbox)).create("Finance")
    assert Spaces(sandbox_client(koodrive_sandbox)).create("Finance", if_exists="reuse")["id"]


def fail_once(monkeypatch, owner, name, error) -> None:
    """Have a function raise an error when it is called next."""
    original = getattr(owner, name)

    def fail(*_args, **_kwargs):
        monkeypatch.setattr(owner, name, original)
        raise error

    monkeypatch.setattr(owner, name, fail)


@contextmanager
def unknown_name(sandbox, monkeypatch, _folder):
    error = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    yield sandbox_client(sandbox), lambda: fail_once(monkeypatch, socket, "getaddrinfo", error)


@contextmanager
def refused_connection(sandbox, _monkeypatch, _folder):
    client = sandbox_client(sandbox, max_attempts=1000, backoff=0.02)
    yield client, lambda: sandbox.refuse_connections(0.2)


@contextmanager
def connection_not_made_in_time(sandbox, monkeypatch, _folder):
    yield sandbox_client(sandbox), lambda: fail_once(monkeypatch, socket.socket, "connect", TimeoutError())


@contextmanager
def refused_tls(sandbox, _monkeypatch, folder):
    context, trusted = self_signed(folder)
    refusals: list[bytes] = []

    def greet(exchange):
        if refusals:
            exchange.send(refusals.pop())
        return True

    server = relay(sandbox)
    server.tls, server.greet = context, greet
    client = sandbox_client(sandbox, verify=trusted)
    with server:
        client.endpoint = server.url
        yield client, lambda: refusals.append(reply(b"this port speaks no TLS", 400))
        client.close()


class Journal:
    """Has something happen when the first create is about to go out, on a connection that is new."""

    def __init__(self, client, happen) -> None:
        self.client = client
        self.happen = happen
        self.notes: list[dict[str, Any]] = []

    def read(self) -> None:
        return None

    def note(self, intent: dict[str, Any]) -> None:
        if not self.notes:
            self.client.close()
            self.happen()
        self.notes.append(intent)

    def forget(self) -> None:
        """Nothing was sent."""
        self.notes.append({})


@pytest.mark.parametrize("which", OPERATIONS)
@pytest.mark.parametrize(
    ("trouble", "message"),
    [
        (unknown_name, "the host's name is not known"),
        (refused_connection, "the host cannot be reached"),
        (connection_not_made_in_time, "the host did not accept the connection in time"),
        (refused_tls, "TLS failed"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_request_that_did_not_leave_is_repeated(
    koodrive_sandbox, sales, monkeypatch, tmp_path, caplog, which, trouble, message
) -> None:
    before = len(koodrive_sandbox.calls)
    with trouble(koodrive_sandbox, monkeypatch, tmp_path) as (client, happen):
        if which == "create":
            journal = Journal(client, happen)
            assert Spaces(client).create("Finance", journal=journal)["created"]
            # What was not sent is not open while the next attempt is waited for.
            assert journal.notes[1] == {}
        else:
            happen()
            call(which, Spaces(client), sales)
    assert f"failed: {message}" in caplog.text
    around = ["teamList"] if which == "create" else []
    assert later(koodrive_sandbox, before) == [*around, *around, OPERATIONS[which], *around]
