"""What follows from each kind of failure, for each kind of call: on the wire, and as the README says it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import pytest
from support.clients import sandbox_client

from airflow_provider_koodrive.api.group_spaces import GroupSpaces
from airflow_provider_koodrive.exceptions import KooDriveError

README = Path(__file__).parents[3] / "README.md"
REPEATED, LOOKED_FOR, RAISED = "repeated", "looked for, then repeated", "raised"
CREATE = "/koodrive/ose/v1/space/group"
LIST = "/koodrive/ose/v1/space/groupList"


class Row(NamedTuple):
    """A kind of failure, the faults that show it, and what follows for a read, the create, another write."""

    failure: str
    faults: tuple[tuple[str, dict[str, Any]], ...]
    read: str
    create: str
    write: str


TABLE = (
    Row(
        "the request did not leave: name unknown, connection refused or not made in time, TLS refused",
        (),
        REPEATED,
        REPEATED,
        REPEATED,
    ),
    Row("HTTP 429", (("throttle_429", {"seconds": 0}),), REPEATED, REPEATED, REPEATED),
    Row(
        "connection lost, or no answer in time",
        (
            ("drop_before_commit", {}),
            ("drop_after_commit", {}),
            ("hang_before_commit", {}),
            ("hang_after_commit", {}),
        ),
        REPEATED,
        LOOKED_FOR,
        RAISED,
    ),
    Row(
        "HTTP 5xx, or code 13000201",
        (
            ("error_500_before", {}),
            ("error_500_after_commit", {}),
            ("error_503_retry_after", {"seconds": 0}),
            ("gateway_html", {}),
            ("error_200", {}),
        ),
        REPEATED,
        LOOKED_FOR,
        RAISED,
    ),
    Row(
        "HTTP below 500 with a body that is not KooDrive's, or a redirect",
        (("truncated_json", {}), ("wrong_type_json", {}), ("redirect", {})),
        RAISED,
        LOOKED_FOR,
        RAISED,
    ),
    Row(
        "KooDrive refuses: any other code, HTTP 401 or 403",
        (("error_200", {"code": 13000102}), ("expired_token", {})),
        RAISED,
        RAISED,
        RAISED,
    ),
)
# What the sandbox calls the operation of each column; two methods stand for another write.
OPERATIONS = {"read": "groupList", "create": "create", "write": "create", "delete": "dismiss"}
CELLS = [
    pytest.param(call, fault, options, getattr(row, column), id=f"{call}-{fault}-{options}")
    for row in TABLE
    for fault, options in row.faults
    for call, column in [("read", "read"), ("create", "create"), ("write", "write"), ("delete", "write")]
]


def markdown() -> str:
    """Return the table as the README has it."""
    lines = ["| what happened | a read | creating a space | another write |", "|---|---|---|---|"]
    lines += [f"| {row.failure} | {row.read} | {row.create} | {row.write} |" for row in TABLE]
    return "\n".join(lines)


def call(which: str, spaces: GroupSpaces, group_id: str) -> None:
    if which == "create":
        assert spaces.create("Finance")["created"]
    elif which == "read":
        spaces.client.call("GET", LIST, params={"offset": 0, "limit": 1})
    elif which == "write":
        spaces.client.call("POST", CREATE, json={"name": "Finance", "addGroupUsers": []})
    else:
        spaces.dismiss(group_id)


@pytest.fixture
def sales(koodrive_sandbox) -> str:
    """A space to dismiss."""
    return GroupSpaces(sandbox_client(koodrive_sandbox)).create("Sales")["id"]


def later(sandbox, before: int) -> list[str]:
    return [record.operation for record in sandbox.calls[before:]]


@pytest.mark.parametrize(("which", "fault", "options", "follows"), CELLS)
def test_cell(koodrive_sandbox, sales, which, fault, options, follows) -> None:
    operation, before = OPERATIONS[which], len(koodrive_sandbox.calls)
    koodrive_sandbox.faults.add(operation, fault, times=1, **options)
    spaces = GroupSpaces(sandbox_client(koodrive_sandbox, read_timeout=0.4))

    if follows == RAISED:
        with pytest.raises(KooDriveError):
            call(which, spaces, sales)
    else:
        call(which, spaces, sales)

    seen = later(koodrive_sandbox, before)
    struck = seen.index(operation)
    assert len(koodrive_sandbox.faults.hits) == 1
    if follows == RAISED:
        assert seen[struck + 1 :] == []
    elif follows == REPEATED:
        assert seen[struck + 1] == operation
    else:
        assert seen[struck + 1] == "teamList"
    stored = [space["name"] for space in koodrive_sandbox.spaces()]
    assert stored.count("Finance") <= 1
    assert which != "create" or follows == RAISED or "Finance" in stored


@pytest.mark.parametrize("which", ["read", "write", "delete"])
def test_a_request_that_did_not_leave_is_repeated(koodrive_sandbox, sales, which) -> None:
    """A refused connection stands for the row; the create's own look before it is a read that is repeated."""
    before = len(koodrive_sandbox.calls)
    spaces = GroupSpaces(sandbox_client(koodrive_sandbox, max_attempts=1000, backoff=0.02))
    koodrive_sandbox.refuse_connections(0.2)
    call(which, spaces, sales)
    assert later(koodrive_sandbox, before) == [OPERATIONS[which]]


def test_the_readme_has_the_table() -> None:
    text = README.read_text(encoding="utf-8")
    start, end = "<!-- truth-table:start -->\n", "<!-- truth-table:end -->"
    assert text[text.index(start) + len(start) : text.index(end)].strip() == markdown()
