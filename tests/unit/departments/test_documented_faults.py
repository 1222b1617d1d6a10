"""The table of faults in ``docs/departments.md`` is true: each of its rows runs here."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from airflow_provider_koodrive.departments.rows import departments_of
from airflow_provider_koodrive.departments.table import TableError, read_table

if TYPE_CHECKING:
    from airflow_provider_koodrive.departments import Department

PAGE = Path(__file__).parents[3] / "docs" / "departments.md"


class Fault(NamedTuple):
    kind: str
    data: bytes
    columns: dict[str, str] | None
    departments: list[str]
    problems: list[str]


def faults() -> list[Fault]:
    table = PAGE.read_text(encoding="utf-8").split("<!-- faults:start -->")[1].split("<!-- faults:end -->")[0]
    return [fault(*line.strip("| ").split(" | ")) for line in table.strip().splitlines()[2:]]


def fault(kind: str, given: str, result: str) -> Fault:
    codes = re.findall("`([^`]*)`", given)
    encoding = given.rpartition(" in ")[2] if "` in " in given else "utf-8"
    text = codes[0].encode("ascii", "backslashreplace").decode("unicode_escape")
    text = text.replace("u*201", " ".join(f"u{number}" for number in range(201)))
    # "bytes" are UTF-8 with a byte that is not.
    data = text.encode("utf-8", "surrogateescape") if encoding == "bytes" else text.encode(encoding)
    columns = ast.literal_eval(codes[1]) if len(codes) > 1 else None
    # Text of problems may hold names in quotes, but no departments.
    problems = re.findall('"([^"]*)"', result)
    return Fault(kind, data, columns, re.findall("`([^`]*)`", re.sub('"[^"]*"', "", result)), problems)


def described(department: Department) -> str:
    values = {
        "id": None if department.key.startswith("name:") else department.key,
        "members": " ".join(department.user_ids or ()),
        "capacity": department.capacity,
    }
    shown = " ".join(f"{name}={value}" for name, value in values.items() if value)
    return f"{department.name} [{shown}]" if shown else department.name


def test_the_table_is_read() -> None:
    assert len(faults()) > 45


@pytest.mark.parametrize("fault", faults(), ids=lambda fault: fault.kind)
def test_fault(fault: Fault) -> None:
    names, problems = read(fault)
    assert names == fault.departments
    assert len(problems) == len(fault.problems), problems
    for text, part in zip(problems, fault.problems, strict=True):
        assert part in text


def read(fault: Fault) -> tuple[list[str], list[str]]:
    try:
        found = departments_of(read_table(fault.data, columns=fault.columns), source="the table")
    except TableError as err:
        return [], [str(err)]
    return [described(department) for department in found.departments], [str(row) for row in found.bad_rows]
