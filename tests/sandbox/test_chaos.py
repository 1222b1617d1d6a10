"""``scripts/chaos.py`` in its short form, and that its meter finds what it looks for."""

from __future__ import annotations

import re
import subprocess
import sys
from copy import copy
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from support.spaces import Spaces

from airflow_provider_koodrive.api.endpoints import CREATE_GROUP_SPACE
from airflow_provider_koodrive.exceptions import KooDriveOutcomeUnknownError, KooDriveServerError
from airflow_provider_koodrive.sandbox.faults.kinds import KINDS

if TYPE_CHECKING:
    from airflow_provider_koodrive.api.client import KooDriveClient

SCRIPTS = Path(__file__).parents[2] / "scripts"
LAST_LINE = r"wanted 200, created (\d+), duplicates 0, lost 0, unknown \d+, calls (\d+), seconds \d+"


# Callers who do what must be found out; at the top of the module, since other processes run them.


def send_until_it_works(client: KooDriveClient, order: Any) -> dict[str, Any]:
    """Do what a generic HTTP operator does: send the POST again where the answer does not please."""
    body = {"name": order.name, "addGroupUsers": []}
    answer = client.send(CREATE_GROUP_SPACE, client.new_context(), json=body)
    return {"id": answer["id"], "failedList": order.user_ids}


def create(client: KooDriveClient, order: Any) -> dict[str, Any]:
    return Spaces(client).create(order.name, user_ids=order.user_ids, if_exists="reuse")


def create_and_say_nothing_of_it(client: KooDriveClient, order: Any) -> dict[str, Any]:
    if order.noted is None:
        order.noted = create(client, order)
    raise KooDriveServerError("something else went wrong")


def do_nothing(_client: KooDriveClient, _order: Any) -> dict[str, Any]:
    raise KooDriveServerError("something went wrong")


def promise_and_do_nothing(_client: KooDriveClient, _order: Any) -> dict[str, Any]:
    return {"id": "1417956457311344513", "failedList": []}


def forget_the_members(client: KooDriveClient, order: Any) -> dict[str, Any]:
    return Spaces(client).create(order.name, if_exists="reuse")


def create_for_somebody_else_too(client: KooDriveClient, order: Any) -> dict[str, Any]:
    other = copy(client)
    other.auth = copy(client.auth)
    other.auth.user_id = order.user_ids[0]
    Spaces(other).create(order.name, if_exists="reuse")
    return create(client, order)


def create_dismiss_and_create(client: KooDriveClient, order: Any) -> dict[str, Any]:
    Spaces(client).dismiss(create(client, order)["id"])
    return create(client, order)


def shrug(_client: KooDriveClient, order: Any) -> dict[str, Any]:
    raise KooDriveOutcomeUnknownError("nobody knows", name=order.name)


@pytest.fixture
def chaos(monkeypatch: pytest.MonkeyPatch) -> Any:
    # By the path, since the callers' processes import it too.
    monkeypatch.syspath_prepend(SCRIPTS)
    import chaos

    return chaos


def test_200_creates_make_200_spaces() -> None:
    done = subprocess.run(
        [sys.executable, SCRIPTS / "chaos.py", "--creates", "200"],
        capture_output=True,
        text=True,
        check=False,
    )
    told = done.stdout.splitlines()
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert re.search(r"--seed \d+", told[0])
    counted = re.fullmatch(LAST_LINE, told[-1])
    assert counted, done.stdout
    # All but the two that can strike a create alone are certain to have come up.
    struck = re.match(r"(\d+) kinds of faults struck (\d+)% of the calls; ", told[-2])
    assert struck, done.stdout
    assert int(struck[1]) >= len(KINDS) - 2
    assert 25 <= int(struck[2]) <= 35
    created, calls = map(int, counted.groups())
    # On a machine that is busy enough some callers may lose patience; they are told so.
    assert created >= 190, done.stdout
    # One look, one create, one look for the containerId, and what the faults cost.
    assert calls > 600


@pytest.fixture
def counted(chaos: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Have a caller carry out 20 orders; return the exit status and the last line's numbers."""

    def counted(caller: Any) -> tuple[int, dict[str, int]]:
        monkeypatch.setattr(chaos, "run", partial(chaos.run, create=caller))
        monkeypatch.setattr(sys, "argv", ["chaos.py", "--creates", "20", "--seed", "1"])
        status = chaos.main()
        last = capsys.readouterr().out.splitlines()[-1]
        return status, {name: int(number) for name, number in re.findall(r"(\w+) (\d+)", last)}

    return counted


@pytest.mark.parametrize(
    "caller",
    [create_and_say_nothing_of_it, do_nothing, promise_and_do_nothing, forget_the_members],
    ids=lambda caller: caller.__name__,
)
def test_who_is_not_told_of_a_space_that_is_there_is_lost(counted: Any, caller: Any) -> None:
    status, numbers = counted(caller)
    assert (status, numbers["created"], numbers["lost"], numbers["unknown"]) == (1, 0, 20, 0)


def test_a_caller_who_sends_again_without_looking_loses_spaces(counted: Any) -> None:
    status, numbers = counted(send_until_it_works)
    assert (status, numbers["created"] + numbers["lost"]) == (1, 20)
    assert numbers["lost"] > 0


@pytest.mark.parametrize(
    "caller", [create_for_somebody_else_too, create_dismiss_and_create], ids=lambda caller: caller.__name__
)
def test_what_was_created_twice_is_a_duplicate(counted: Any, caller: Any) -> None:
    status, numbers = counted(caller)
    assert status == 1
    assert numbers["duplicates"] >= 10


def test_who_is_told_that_nobody_knows_is_not_lost(counted: Any) -> None:
    status, numbers = counted(shrug)
    assert (status, numbers["created"], numbers["lost"], numbers["unknown"]) == (0, 0, 0, 20)
