"""The report of a run: statuses, what still lacks, and what needs a person."""

from __future__ import annotations

import json
from typing import Any

from airflow_provider_koodrive.departments import (
    BadRow,
    Department,
    DepartmentList,
    onboarding_report,
    report_lines,
)


def space(name: str, number: int = 1, owner: str = "7", users: int = 1) -> dict[str, Any]:
    return {
        "id": str(number),
        "name": name,
        "ownerId": owner,
        "creator": owner,
        "capacity": 10,
        "userNum": users,
    }


def result(name: str, number: int, *, created: bool = True, failed: tuple[str, ...] = ()) -> dict[str, Any]:
    return {"id": str(number), "name": name, "capacity": 10, "created": created, "failedList": list(failed)}


DEPARTMENTS = DepartmentList(
    "d.csv",
    tuple(
        Department(f"name:{name}", name, name, ("u1", "u2"), origin=f"line {line}")
        for line, name in enumerate("ABCDEFGH", 2)
    ),
    (BadRow("line 10", "has no name"),),
)
REPORT = onboarding_report(
    DEPARTMENTS.to_json(),
    {"groups": [space("A", 1, users=3), space("H", 8, users=2)]},
    {
        "groups": [
            space("A", 1, users=3),
            space("B", 2, users=3),
            space("C", 3, users=2),
            space("E", 5, users=3),
            space("F", 6, owner="8"),
            space("H", 8, users=2),
        ]
    },
    chosen=[{"name": name} for name in "BCDEH"],
    results=[result("B", 2), result("C", 3, created=False, failed=("u2",)), None],
    owner_ids="7",
)


def test_what_became_of_each_department() -> None:
    assert {row["name"]: (row["status"], row["id"], row["missing"]) for row in REPORT["rows"]} == {
        "B": ("created", "2", []),
        "C": ("reused", "3", ["u2"]),
        "D": ("FAILED", None, []),
        # Its task failed, and yet the space is there.
        "E": ("created", "5", []),
        "F": ("waits", None, []),
        "G": ("waits", None, []),
        "H": ("existed", "8", []),
    }
    assert REPORT["counts"] == {"created": 2, "reused": 1, "existed": 2, "waits": 2, "FAILED": 1}
    assert REPORT["total"] == 8
    assert json.loads(json.dumps(REPORT)) == REPORT


def test_what_needs_a_person_has_reason_and_line() -> None:
    assert REPORT["problems"] == [
        "line 10 has no name",
        "line 4 'C' lacks the members u2: KooDrive could not add them",
        "line 5 'D' got no space; see the log of its task",
        "line 9 'H' lacks 1 of its members: the space has 2 users",
    ]


def test_a_missing_member_is_reported_every_night() -> None:
    listing = {"groups": [space("A", 1, users=2)]}
    departments = [{"name": "A", "user_ids": ["u1", "u2"]}]
    for _ in range(2):
        report = onboarding_report(
            departments,
            listing,
            listing,
            chosen=[{"name": "A"}],
            results=[result("A", 1, created=False, failed=("u2",))],
        )
        assert report["problems"] == ["item 1 'A' lacks the members u2: KooDrive could not add them"]
        assert report["counts"]["existed"] == 1


def test_a_refused_name_names_the_space_that_reads_the_same() -> None:
    report = onboarding_report(
        [{"name": "SALES"}], {"groups": []}, {"groups": [space("Sales")]}, chosen=[{"name": "SALES"}]
    )
    assert "'SALES' got no space: the space 'Sales' differs only in case or width" in report["problems"][0]


def test_a_source_that_is_not_complete_is_a_problem() -> None:
    report = onboarding_report(DepartmentList("x", complete=False), {"groups": []}, {"groups": []})
    assert report["problems"] == ["the source is not complete: what it lacks is read in the next run"]


def test_table() -> None:
    lines = [" ".join(line.split()) for line in report_lines(REPORT)]
    assert lines[0] == "status id GB space department"
    assert "reused 3 10 C C (members not added: u2)" in lines
    assert "FAILED - - D D" in lines
    assert lines[-1] == "8 departments: 2 created, 1 reused, 2 existed, 2 waits, 1 FAILED; 4 problems"
