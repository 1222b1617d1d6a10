"""``scripts/chaos.py`` in its short form, and that its meter finds what it looks for."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_koodrive.api.client import new_trace_id
from airflow_provider_koodrive.sandbox.faults import KINDS

if TYPE_CHECKING:
    from airflow_provider_koodrive.api.group_spaces import GroupSpaces

SCRIPTS = Path(__file__).parents[2] / "scripts"
LAST_LINE = r"wanted 200, created (\d+), duplicates 0, lost 0, unknown (\d+), calls (\d+), seconds \d+"


def send_until_it_works(spaces: GroupSpaces, order: Any) -> dict[str, Any]:
    """Do what a generic HTTP operator does: send the POST again where the answer does not please."""
    trace_id = new_trace_id()
    order.note({"trace_id": trace_id})
    answer = spaces.client.send(
        "POST",
        "/koodrive/ose/v1/space/group",
        json={"name": order.name, "addGroupUsers": []},
        trace_id=trace_id,
        deadline=spaces.client.deadline(),
    )
    return {"id": answer["id"], "failedList": order.user_ids}


def promise_and_do_nothing(_spaces: GroupSpaces, _order: Any) -> dict[str, Any]:
    return {"id": "1417956457311344513", "failedList": []}


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
    created, unknown, calls = map(int, counted.groups())
    # On a machine that is busy enough some callers may lose patience; they are told so.
    assert created + unknown > 190, done.stdout
    # One look, one create, one look for the containerId, and what the faults cost.
    assert calls > 600


def test_a_caller_who_sends_again_without_looking_is_found_out(chaos: Any) -> None:
    tally = chaos.run(100, seed=1, create=send_until_it_works)
    assert tally.duplicates > 0


def test_a_space_that_is_not_there_is_found_missing(chaos: Any) -> None:
    tally = chaos.run(20, seed=1, create=promise_and_do_nothing)
    assert (tally.wanted, tally.created, tally.lost) == (20, 0, 20)
