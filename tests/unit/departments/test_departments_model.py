"""The list of departments as it travels: plain JSON and back."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_koodrive.departments import BadRow, Department, DepartmentList
from airflow_provider_koodrive.departments.rows import department_list
from airflow_provider_koodrive.exceptions import KooDriveValidationError

texts = st.text(st.characters(codec="utf-8"), max_size=20)
departments = st.builds(
    Department,
    key=texts,
    name=texts,
    space_name=texts,
    user_ids=st.none() | st.lists(texts, max_size=3).map(tuple),
    capacity=st.none() | st.integers(1, 10**9),
    path=st.none() | texts,
    origin=texts,
    other_space_names=st.lists(texts, max_size=2).map(tuple),
)
bad_rows = st.builds(BadRow, origin=texts, problem=texts, key=st.none() | texts, space_name=st.none() | texts)
lists = st.builds(
    DepartmentList,
    source=texts,
    departments=st.lists(departments, max_size=4).map(tuple),
    bad_rows=st.lists(bad_rows, max_size=3).map(tuple),
    complete=st.booleans(),
)


@given(lists)
def test_comes_back_from_xcom_as_it_was(found: DepartmentList) -> None:
    value = json.loads(json.dumps(found.to_json()))
    assert DepartmentList.from_json(value) == found
    assert value["total"] == len(found.departments)
    assert department_list(value) == department_list(found) == found


def test_keys_of_the_xcom() -> None:
    found = DepartmentList(
        "departments.csv",
        (Department("7", "Finance", "Finance", ("u1",), 20, origin="line 2"),),
        (BadRow("line 3", "has no name"),),
    )
    assert found.to_json() == {
        "source": "departments.csv",
        "departments": [
            {
                "key": "7",
                "name": "Finance",
                "space_name": "Finance",
                "user_ids": ["u1"],
                "capacity": 20,
                "origin": "line 2",
            }
        ],
        "bad_rows": [{"origin": "line 3", "problem": "has no name"}],
        "complete": True,
        "total": 1,
    }


@pytest.mark.parametrize("value", [{}, {"departments": 1}, {"source": "x", "departments": [7]}, 7, None, "x"])
def test_something_else_is_refused(value: Any) -> None:
    with pytest.raises(KooDriveValidationError, match="not a list of departments"):
        department_list(value)


def test_a_plain_list_is_read_by_the_rules_of_tables() -> None:
    found = department_list(
        [
            {"key": "7", "name": " Finance\u200b ", "user_ids": ["u1", "u1", 12], "capacity": 20},
            {"name": "Sales", "members": []},
            {"name": "Law"},
            {"name": "Tax", "members": "1.5E+18"},
            {"name": ""},
            {"key": "7", "name": "Other"},
            "Research",
        ]
    )
    assert [(d.key, d.name, d.user_ids, d.capacity) for d in found.departments] == [
        ("7", "Finance", ("u1", "12"), 20),
        ("name:Sales", "Sales", (), None),
        ("name:Law", "Law", None, None),
        ("name:Tax", "Tax", (), None),
    ]
    assert [row.origin for row in found.bad_rows] == ["item 4", "item 6", "item 7"]


def test_a_name_that_needs_a_hash_gets_the_same_one_in_each_spelling() -> None:
    persian = "\u0646\u0627\u0645\u0647\u200c\u0647\u0627 / "
    names = [f"{persian}{'x' * 30}", f"{persian.replace(chr(0x200C), '')}{'x' * 30}"]
    spaces = {department_list([{"name": name}]).departments[0].space_name for name in names}
    assert len(spaces) == 1
