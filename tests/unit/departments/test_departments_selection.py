"""Selection of departments: who needs a space or members, and when the run stops."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from airflow_provider_koodrive.departments import select_new
from airflow_provider_koodrive.exceptions import KooDriveGuardError, KooDriveValidationError


def space(name: str, owner: str = "7", users: int | None = None, **fields: Any) -> dict[str, Any]:
    return {
        "id": f"id of {name}",
        "name": name,
        "ownerId": owner,
        "creator": owner,
        "userNum": users,
        **fields,
    }


def selected(departments: Any, groups: list[dict[str, Any]], **options: Any) -> list[str]:
    chosen = select_new(departments, {"groups": groups}, **{"owner_ids": ["7"], **options})
    return [choice["name"] for choice in chosen]


def named(*names: str) -> list[dict[str, Any]]:
    return [{"name": name} for name in names]


class TestNew:
    def test_departments_without_a_space_in_the_order_of_the_source(self) -> None:
        assert selected(named("C", "A", "B"), [space("A")]) == ["C", "B"]

    def test_arguments_of_a_space(self) -> None:
        departments = [{"name": "R&D / Ops", "user_ids": ["u1"], "capacity": 20}, {"name": "{{ x }}"}]
        assert select_new(departments, {"groups": []}) == [
            {"name": "R&D - Ops~g4dizsfgj", "user_ids": ["u1"], "capacity": 20},
            {"name": "{{ x }}", "user_ids": None, "capacity": None},
        ]

    @pytest.mark.parametrize(
        ("group", "counts"),
        [
            ({"name": "A", "ownerId": "7", "creator": "7"}, True),
            ({"name": "A", "ownerId": "8", "creator": "7"}, True),
            ({"name": "A", "ownerId": "7"}, True),
            ({"name": "A", "ownerId": "8", "creator": "8"}, False),
            ({"name": "A"}, False),
        ],
        ids=["own", "handed-over", "no-creator", "another-user's", "nobody's"],
    )
    def test_spaces_of_which_users_count(self, group: dict[str, Any], counts: bool) -> None:
        departments = named("A", "B", "C")
        assert ("A" not in selected(departments, [group])) is counts
        assert "A" not in selected(departments, [group], owner_ids=None)
        assert "A" not in selected(departments, [group], owner_ids=[])
        assert ("A" not in selected(departments, [group], owner_ids="7")) is counts

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ("Büro", "Bu\u0308ro"),
            ("Finance", "Fin\u200bance\u200f"),
            ("Human Resources", " Human\u00a0 Resources"),
            ("क\u094d\u200dष", "क\u094dष"),
            ("Finance", '="Finance"'),
            ("❤\ufe0f", "❤"),
            ("क\u094d\u200dष" * 40, "क\u094dष" * 40),
            ("👨\u200d👩\u200d👧" * 20, "👨👩👧" * 20),
        ],
        ids=["composition", "marks", "blanks", "joiner", "formula", "variation", "joiner-and-hash", "length"],
    )
    def test_a_department_in_another_spelling_gets_no_second_space(self, one: str, other: str) -> None:
        for tonight, tomorrow in ((one, other), (other, one)):
            (made,) = selected(named(tonight), [])
            assert selected(named(tomorrow), [space(made)]) == []

    def test_a_space_that_version_0_1_made_of_a_name_with_marks_is_found(self) -> None:
        # Its hash is of the text with the mark.
        assert selected(named("Finance\u200b"), [space("Finance~v72fngtjo")]) == []

    def test_names_that_differ_in_case_are_two_and_a_warning(self, caplog: pytest.LogCaptureFixture) -> None:
        with caplog.at_level(logging.WARNING):
            assert selected(named("SALES", "Sales"), [space("Sales")]) == ["SALES"]
        assert "the space 'Sales' differs only in case or width" in caplog.text


class TestLimit:
    def test_the_rest_waits(self, caplog: pytest.LogCaptureFixture) -> None:
        with caplog.at_level(logging.WARNING):
            assert selected(named(*"ABC"), [], limit=2) == ["A", "B"]
        assert "1 of 3 departments wait for the next run" in caplog.text

    @pytest.mark.parametrize("limit", [0, -1, "3", 1.5, True])
    def test_a_limit_that_is_none(self, limit: Any) -> None:
        with pytest.raises(KooDriveValidationError, match="limit="):
            selected(named("A"), [], limit=limit)


class TestMembers:
    @pytest.mark.parametrize(
        ("user_ids", "number", "again"),
        [
            (["u1", "u2"], 3, False),
            (["u1", "u2"], 2, True),
            (["u1", "7"], 2, False),
            (["u1"], None, False),
            ([], 1, False),
            (None, 1, False),
            (["u1"], 9, False),
        ],
        ids=["all", "one-lacks", "owner-named", "unknown", "none", "not-managed", "more"],
    )
    def test_a_space_with_fewer_members_is_taken_up_again(
        self, user_ids: list[str] | None, number: int | None, again: bool
    ) -> None:
        departments = [{"name": "A", "user_ids": user_ids, "capacity": 20}, {"name": "B"}]
        chosen = select_new(departments, {"groups": [space("A", users=number)]}, "7")
        lacking = {"name": "A", "user_ids": user_ids, "capacity": None}
        # New departments come first.
        assert [choice["name"] for choice in chosen] == (["B", "A"] if again else ["B"])
        assert (lacking in chosen) is again

    def test_the_space_keeps_the_name_that_it_has(self) -> None:
        departments = [{"name": "Büro", "user_ids": ["u1", "u2"]}]
        chosen = select_new(departments, {"groups": [space("Bu\u0308ro", users=1)]}, "7")
        assert chosen[0]["name"] == "Bu\u0308ro"


class TestSecondSpaces:
    def test_a_space_of_somebody_else_is_a_warning(self, caplog: pytest.LogCaptureFixture) -> None:
        with caplog.at_level(logging.WARNING):
            assert selected(named("A", "B"), [space("A", owner="8")]) == ["A", "B"]
        assert "Department 'A' gets a second space: user 8 has one of the name 'A'" in caplog.text

    def test_more_than_half_stop_the_run(self) -> None:
        groups = [space("A", owner="8"), space("B", owner="8")]
        with pytest.raises(KooDriveGuardError) as caught:
            selected(named("A", "B", "C"), groups)
        assert "2 of 3 departments would get a second space" in str(caught.value)
        assert "'8'" in str(caught.value)
        assert "owner_ids" in str(caught.value)
        assert not caught.value.retryable
        assert selected(named("A", "B", "C"), groups, owner_ids=["7", "8"]) == ["C"]
        assert selected(named("A", "B", "C"), groups, allow_second_spaces=True) == ["A", "B", "C"]
