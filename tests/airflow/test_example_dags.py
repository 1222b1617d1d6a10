"""The example DAGs under real Airflow against the sandbox."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import requests

if TYPE_CHECKING:
    from conftest import Airflow, Run

    from airflow_provider_koodrive.sandbox.server import Sandbox

ONBOARDING = "koodrive_onboard_departments"
FORM = "koodrive_create_group_space"
DAGS = Path(__file__).parents[2] / "dags_examples"
UNITED_KINGDOM = Path(__file__).parents[3] / "shared" / "data" / "uk-government-organisations.tsv"

pytestmark = pytest.mark.usefixtures("koodrive_conn")


def names(sandbox: Sandbox) -> set[str]:
    return {space["name"] for space in sandbox.spaces()}


def statuses(run: Run) -> dict[str, str]:
    return {row["name"]: row["status"] for row in run.xcoms["summarise"]}


def test_parsing_touches_no_network_and_no_data(airflow: Airflow) -> None:
    done = airflow.command(Path(__file__).parent / "parse_dags.py", *sorted(DAGS.glob("*.py")))
    assert done.returncode == 0, done.stdout
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["errors"] == {}
    assert found["touched"] == []
    assert found.keys() >= {ONBOARDING, FORM}
    nightly = found[ONBOARDING]
    assert (nightly["schedule"], nightly["timezone"]) == ("0 2 * * *", "Asia/Singapore")
    assert (nightly["catchup"], nightly["max_active_runs"]) == (False, 1)
    assert "create_space" in nightly["tasks"]


def test_two_nights(airflow: Airflow, koodrive_sandbox: Sandbox) -> None:
    first = airflow.dags_test(ONBOARDING)
    assert first.state == "success", first.output
    assert first.tasks["create_space"] == ["success"] * 8
    assert set(first.map_labels) == names(koodrive_sandbox)
    assert set(statuses(first).values()) == {"created"}
    spaces = {space["name"]: space for space in koodrive_sandbox.spaces()}
    assert len(spaces) == 8
    assert spaces["Finance"]["capacity"] == 20
    assert spaces["Finance"]["members"] == [koodrive_sandbox.user_ids[n] for n in (0, 1, 2)]

    second = airflow.dags_test(ONBOARDING)
    assert second.state == "success", second.output
    assert second.tasks.pop("create_space") == ["skipped"]
    assert all(states == ["success"] for states in second.tasks.values())
    assert set(statuses(second).values()) == {"existed"}
    assert {space["id"] for space in koodrive_sandbox.spaces()} == {space["id"] for space in spaces.values()}
    assert "existed  " in second.output


def test_bad_rows_more_departments_than_one_run_takes_and_no_file(
    airflow: Airflow, koodrive_sandbox: Sandbox, tmp_path: Path
) -> None:
    file = tmp_path / "departments.tsv"
    rows = ["A\t", "\t5", "B\tmany", "C\t", '"D\t', "E\t7", "A\t", "F\t", "G\t"]
    file.write_text("name\tcapacity\n" + "\n".join(rows) + "\n")
    settings = {"AIRFLOW_VAR_DEPARTMENTS_FILE": str(file), "AIRFLOW__CORE__MAX_MAP_LENGTH": "3"}

    first, second, third, without = airflow.dag_test(
        ONBOARDING, {}, {"limit": 1}, {}, {"departments_file": "nowhere.csv"}, **settings
    )

    assert first.tasks["create_space"] == ["success"] * 3
    assert statuses(first) == {"A": "created", "C": "created", "E": "created", "F": "waits", "G": "waits"}
    assert "2 of 5 new departments wait" in first.output
    assert statuses(second) == {"A": "existed", "C": "existed", "E": "existed", "F": "created", "G": "waits"}
    assert "1 of 2 new departments wait" in second.output
    assert third.tasks["create_space"] == ["success"]
    assert names(koodrive_sandbox) == set("ACEFG")
    for run in (first, second, third):
        assert run.state == "failed"
        assert [task for task, states in run.tasks.items() if states == ["failed"]] == ["report_problems"]
    assert [bad["line"] for bad in first.xcoms["read_departments"]["bad_rows"]] == [3, 4, 6, 8]
    errors = [line for line in first.output.splitlines() if "ERROR" in line or "[error" in line]
    for problem in (
        "3 has no name",
        "4 'B' has the capacity 'many'",
        "6 cannot be split",
        "8 'A' is the same",
    ):
        assert any(f"{file}: line {problem}" in line for line in errors), errors
    assert without.state == "failed"
    assert without.tasks["read_departments"] == ["failed"]
    assert without.tasks["report_problems"] == ["upstream_failed"]
    assert f"No such file or directory: '{airflow.home / 'nowhere.csv'}'" in without.output


def test_what_fails_is_named_and_stops_nothing_else(
    airflow: Airflow, koodrive_sandbox: Sandbox, tmp_path: Path
) -> None:
    administrator, known, other = (koodrive_sandbox.user_ids[n] for n in (0, 4, 5))
    create_space_of(other, "Finance", koodrive_sandbox)
    file = tmp_path / "departments.csv"
    file.write_text(
        "name,members,capacity\n{{ 6 + 1 }},,\n"
        f"Finance,{known},5\nLegal,{known} {{{{ti}}}},\nArchive,,999999999\nSales,,\n"
    )

    (run,) = airflow.dag_test(ONBOARDING, {"departments_file": str(file)})

    assert run.tasks["create_space"] == ["success", "success", "failed", "failed", "success"]
    assert run.state == "failed"
    assert {(space["name"], space["ownerId"]) for space in koodrive_sandbox.spaces()} == {
        ("Finance", other),
        *((name, administrator) for name in ("{{ 6 + 1 }}", "Finance", "Legal", "Sales")),
    }
    assert {
        row["name"]: (row["status"], row["capacity"], row["failedList"]) for row in run.xcoms["summarise"]
    } == {
        "{{ 6 + 1 }}": ("created", 10, []),
        "Finance": ("created", 5, []),
        "Legal": ("created", 10, ["{{ti}}"]),
        "Archive": ("FAILED", None, []),
        "Sales": ("created", 10, []),
    }
    assert f"{file}: 'Legal' lacks the members {{{{ti}}}}" in run.output
    assert f"{file}: 'Archive' got no space" in run.output


def test_real_departments(airflow: Airflow, koodrive_sandbox: Sandbox) -> None:
    if not UNITED_KINGDOM.exists():
        warnings.warn(f"NOT TESTED with real departments: {UNITED_KINGDOM} is not there", stacklevel=1)
        pytest.skip(f"the real departments are not there: {UNITED_KINGDOM}")
    conf = {"departments_file": str(UNITED_KINGDOM), "limit": 4}
    run = airflow.dags_test(ONBOARDING, conf)
    assert run.state == "success", run.output
    assert len(koodrive_sandbox.spaces()) == 4
    assert "977 of 981 new departments wait" in run.output
    assert [row["status"] for row in run.xcoms["summarise"]] == ["created"] * 4 + ["waits"] * 977


def test_the_form_s_values_arrive_as_they_are(airflow: Airflow, koodrive_sandbox: Sandbox) -> None:
    spaces = ["007", "42", "[1]", "None", "{{ 6 + 1 }}", "{'a'}", "தமிழ் நிர்வாகத் துறை அலுவலகம்"]
    members = koodrive_sandbox.user_ids[1:3]
    *runs, full, taken, refused = airflow.dag_test(
        FORM,
        *({"name": name} for name in spaces),
        {"name": "Finance", "capacity": 7, "user_ids": members, "if_exists": "fail"},
        {"name": "Finance", "capacity": None, "user_ids": [], "if_exists": "skip"},
        {"name": "x" * 31},
    )
    assert [run.xcoms["create_space"]["name"] for run in runs] == spaces
    assert {(run.state, run.xcoms["create_space"]["capacity"]) for run in runs} == {("success", 10)}
    assert (full.state, full.xcoms["create_space"]["capacity"]) == ("success", 7)
    assert koodrive_sandbox.spaces()[-1]["members"] == [koodrive_sandbox.admin_user_id, *members]
    assert taken.tasks == {"create_space": ["skipped"]}
    assert refused.state == "failed"
    assert "at most 30 characters, not 31" in refused.output
    assert names(koodrive_sandbox) == {*spaces, "Finance"}


def create_space_of(user_id: str, name: str, sandbox: Sandbox) -> None:
    """Create a space as somebody else does."""
    response = requests.post(
        f"{sandbox.url}/koodrive/ose/v1/space/group",
        headers={"Authorization": sandbox.issue_token(user_id)},
        json={"name": name, "addGroupUsers": []},
        timeout=10,
    )
    assert response.json()["code"] == 0, response.text
