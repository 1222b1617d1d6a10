"""Workers that die between KooDrive's commit and the end of their task, under a scheduler."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

import psutil
import pytest
from deployment import NEEDS_AIRFLOW_3_3, wait_for
from real_airflow import NIGHTLY
from support.spaces import Spaces

from airflow_provider_koodrive.api.auth import AppAuth
from airflow_provider_koodrive.api.client import KooDriveClient

if TYPE_CHECKING:
    from pathlib import Path

    from deployment import Deployment

    from airflow_provider_koodrive.sandbox.server import Sandbox

pytestmark = NEEDS_AIRFLOW_3_3

DEPARTMENTS = [f"Department {number:02}" for number in range(1, 21)]
KILLED = 2

ONCE_EACH: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("create", "drop_before_commit", {}),
    ("create", "drop_after_commit", {}),
    ("create", "error_500_before", {}),
    ("create", "error_500_after_commit", {}),
    ("create", "error_503_retry_after", {"seconds": 1}),
    ("create", "throttle_429", {"seconds": 1, "date": True}),
    ("create", "gateway_html", {"committed": True}),
    ("create", "truncated_json", {}),
    ("create", "wrong_type_json", {}),
    ("create", "error_200", {"committed": True}),
    ("create", "redirect", {}),
    ("create", "slow_body", {"seconds": 1}),
    ("create", "stale_list", {"seconds": 2}),
    ("create", "member_failures", {}),
    ("list", "drop_before_commit", {}),
    ("list", "error_500_before", {}),
    ("list", "throttle_429", {"seconds": 1}),
    ("list", "truncated_json", {}),
    ("*", "refuse_connection", {"seconds": 1}),
)


class Try(NamedTuple):
    """A running try of a task."""

    run_id: str
    map_index: int
    pid: int
    noted: dict[str, Any]


@pytest.fixture
def sandbox(deployed_sandbox: Sandbox) -> Sandbox:
    """Return the deployment's sandbox, without faults."""
    deployed_sandbox.faults.clear()
    return deployed_sandbox


@pytest.fixture
def departments_file(sandbox: Sandbox, tmp_path: Path) -> Path:
    file = tmp_path / "departments.csv"
    rows = [f"{name},{sandbox.user_ids[1]}" for name in DEPARTMENTS]
    file.write_text("\n".join(["name,members", *rows]), encoding="utf-8")
    return file


def tries_with_fault(deployment: Deployment, sandbox: Sandbox, kind: str) -> list[Try]:
    """Return the tries whose create call met a fault; the task stored the call's trace id before it."""
    tries = []
    for call in sandbox.calls:
        if kind in call.faults:
            found = deployment.query(
                "select run_id, map_index, pid, value from task_state_store"
                " join task_instance using (dag_id, run_id, task_id, map_index)"
                " where value like ?",
                f'%"{call.trace_id}"%',
            )
            tries += [Try(run_id, index, pid, json.loads(noted)) for run_id, index, pid, noted in found]
    return tries


def kill(pid: int, *, with_supervisor: bool) -> None:
    """Kill a task's process, as the kernel does when memory runs out; or its worker with it."""
    task = psutil.Process(pid)
    supervisor = task.parent()
    assert supervisor
    assert "airflow" in " ".join(supervisor.cmdline()).lower(), supervisor.cmdline()
    if with_supervisor:
        supervisor.kill()
    task.kill()


def states(deployment: Deployment, run_id: str) -> list[tuple[Any, ...]]:
    return deployment.query(
        "select task_id, map_index, state, try_number from task_instance where run_id = ?"
        " order by start_date",
        run_id,
    )


def result(deployment: Deployment, run_id: str, task_id: str, map_index: int = -1) -> Any:
    """Read what a task returned; None where it returned nothing."""
    found = deployment.query(
        "select value from xcom where run_id = ? and task_id = ? and map_index = ? and key = 'return_value'",
        run_id,
        task_id,
        map_index,
    )
    return json.loads(found[0][0]) if found else None


def test_a_night_with_faults_and_two_kills_makes_each_space_once(
    deployment: Deployment, sandbox: Sandbox, departments_file: Path
) -> None:
    sandbox.faults.add("create", "hang_after_commit", times=KILLED)
    for seed, (operation, kind, options) in enumerate(ONCE_EACH):
        sandbox.faults.add(operation, kind, times=1, probability=0.3, seed=seed, **options)

    run_id = deployment.trigger(NIGHTLY, {"departments_file": str(departments_file)})
    killed = []
    for number in range(KILLED):

        def hanging(number: int = number) -> list[Try]:
            return tries_with_fault(deployment, sandbox, "hang_after_commit")[number:]

        killed.append(wait_for(hanging, 120, "a create whose answer does not come")[0])
        kill(killed[-1].pid, with_supervisor=number == 0)
    state = deployment.end_of_run(run_id, 180)

    tasks = states(deployment, run_id)
    assert state == "success", tasks
    spaces = [space for space in sandbox.spaces() if space["name"].startswith("Department")]
    assert sorted(space["name"] for space in spaces) == DEPARTMENTS
    stored = {space["name"]: space for space in spaces}
    assert all(sandbox.user_ids[1] in space["members"] for space in stored.values())
    tries = {index: try_number for task_id, index, _, try_number in tasks if task_id == "create_space"}
    for one in killed:
        assert tries[one.map_index] > 1
        returned = result(deployment, run_id, "create_space", one.map_index)
        assert (returned["id"], returned["created"]) == (stored[one.noted["name"]]["id"], True)
    summary = result(deployment, run_id, "summarise")
    assert {row["name"]: row["status"] for row in summary["rows"]} == dict.fromkeys(DEPARTMENTS, "created")
    assert len({hit.kind for hit in sandbox.faults.hits}) > 12


def decisions(deployment: Deployment, run_id: str) -> list[tuple[Any, ...]]:
    """Read what the retry policy decided on the tries of a run's only task that were retried."""
    return deployment.query(
        "select try_number, retry_reason, retry_delay_override from task_instance_history"
        " where run_id = ? order by try_number",
        run_id,
    )


def test_a_retry_reuses_the_space_that_its_killed_try_created(
    deployment: Deployment, sandbox: Sandbox
) -> None:
    sandbox.faults.add("create", "hang_after_commit", times=1)
    run_id = deployment.trigger("create_once", {"name": "Mine alone"})

    def hanging() -> list[Try]:
        return [
            one for one in tries_with_fault(deployment, sandbox, "hang_after_commit") if one.run_id == run_id
        ]

    stuck = wait_for(hanging, 60, "a create whose answer does not come")[0]
    # What the retry meets, which leaves it to the next one.
    sandbox.faults.add("list", "wrong_type_json", times=1)
    kill(stuck.pid, with_supervisor=False)

    assert deployment.end_of_run(run_id, 90) == "success", states(deployment, run_id)
    returned = result(deployment, run_id, "create_space")
    assert [space["id"] for space in sandbox.spaces() if space["name"] == "Mine alone"] == [returned["id"]]
    assert returned["created"] is True
    assert states(deployment, run_id)[0][3] == 3
    # Nobody asks the policy about a process that was killed.
    assert decisions(deployment, run_id) == [(1, None, None), (2, "KooDriveOutcomeUnknownError, try 2", 0.5)]


def test_a_retry_does_not_reuse_what_somebody_else_created_in_between(
    deployment: Deployment, sandbox: Sandbox
) -> None:
    sandbox.faults.add("create", "hang_before_commit", times=1)
    run_id = deployment.trigger("create_once", {"name": "Not mine"})

    def hanging() -> list[Try]:
        return tries_with_fault(deployment, sandbox, "hang_before_commit")

    stuck = wait_for(hanging, 60, "a create that does not arrive")[0]
    # The retry waits until it is unpaused, by when somebody else has created the space: so soon that its time
    # could be our create's, but with a member for whom that did not ask.
    deployment.pause("create_once", paused=True)
    kill(stuck.pid, with_supervisor=False)
    auth = AppAuth(sandbox.app_id, sandbox.app_secret, sandbox.admin_user_id)
    others = Spaces(KooDriveClient(sandbox.url, auth))
    other = others.create("Not mine", user_ids=sandbox.user_ids[1:2])
    deployment.pause("create_once", paused=False)

    assert deployment.end_of_run(run_id, 90) == "failed"
    assert states(deployment, run_id) == [("create_space", -1, "failed", 3)]
    # Nothing decides whether this task created it.
    assert decisions(deployment, run_id) == [
        (1, None, None),
        (2, "KooDriveOutcomeUnknownError, try 2", 0.5),
    ]
    assert result(deployment, run_id, "create_space") is None
    assert [space["id"] for space in sandbox.spaces() if space["name"] == "Not mine"] == [other["id"]]


def test_a_task_that_is_cleared_reuses_its_own_space(deployment: Deployment, sandbox: Sandbox) -> None:
    run_id = deployment.trigger("create_once", {"name": "Cleared"})
    assert deployment.end_of_run(run_id, 60) == "success"
    first = result(deployment, run_id, "create_space")

    deployment.clear("create_once", run_id)
    assert deployment.end_of_run(run_id, 60) == "success", states(deployment, run_id)
    assert states(deployment, run_id)[0][3] == 2
    assert result(deployment, run_id, "create_space") == first
    # Another run of the DAG finds it, and it is not its own.
    other_id = deployment.trigger("create_once", {"name": "Cleared"})
    assert deployment.end_of_run(other_id, 60) == "failed"
    assert decisions(deployment, other_id) == []
    assert [space["id"] for space in sandbox.spaces() if space["name"] == "Cleared"] == [first["id"]]
