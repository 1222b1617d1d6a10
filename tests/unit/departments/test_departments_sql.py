"""Departments from a query, tried with SQLite."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_koodrive.departments import SqlDepartments
from airflow_provider_koodrive.departments.table import rows_of_query
from airflow_provider_koodrive.exceptions import KooDriveSourceError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence


class Database:
    """An access to a database in memory."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self.db = db

    def query(
        self, conn_id: str, sql: str, parameters: Sequence[Any] | Mapping[str, Any] | None
    ) -> tuple[list[str], list[tuple[Any, ...]]]:
        assert conn_id == "hr"
        cursor = self.db.execute(sql, parameters or ())
        return [column[0] for column in cursor.description], cursor.fetchall()

    open_file = directory = None


@pytest.fixture
def access() -> Iterator[Any]:
    with closing(sqlite3.connect(":memory:")) as db:
        db.execute("CREATE TABLE d (code INTEGER, dept TEXT, users TEXT, gb REAL, region TEXT)")
        db.executemany(
            "INSERT INTO d VALUES (?, ?, ?, ?, ?)",
            [
                (1505084218764547201, "Finance", "u1,u2", 20.0, "EU"),
                (2, "Sales", None, None, "EU"),
                (3, "Law", "", None, "EU"),
                (4, "", "u1", None, "EU"),
                (5, "Tax", None, 1.5, "EU"),
                (6, "Ops", None, None, "US"),
            ],
        )
        yield Database(db)


def test_values_of_a_database(access: Any) -> None:
    source = SqlDepartments(
        "hr",
        "SELECT code AS id, dept AS NAME, users AS Members, gb AS capacity FROM d WHERE region = ?",
        ("EU",),
    )
    found = source.read(access)
    assert [(d.key, d.name, d.user_ids, d.capacity) for d in found.departments] == [
        ("1505084218764547201", "Finance", ("u1", "u2"), 20),
        ("2", "Sales", None, None),
        ("3", "Law", (), None),
    ]
    assert [str(row) for row in found.bad_rows] == [
        "row 4 has no name",
        "row 5 'Tax' has the capacity '1.5', not a whole number of GB from 1 on",
    ]
    assert found.source == "query on connection 'hr'"


def test_columns_may_have_other_names(access: Any) -> None:
    source = SqlDepartments(
        "hr", "SELECT dept, code FROM d WHERE code = 6", columns={"name": "dept", "id": "code"}
    )
    assert [(d.key, d.name) for d in source.read(access).departments] == [("6", "Ops")]


@pytest.mark.parametrize(
    ("sql", "problem"),
    [
        ("SELECT dept FROM d", "no column 'name' among 'dept'"),
        ("SELECT dept AS name, code AS Name FROM d", "'Name' stands there twice"),
    ],
)
def test_a_query_without_the_columns(access: Any, sql: str, problem: str) -> None:
    with pytest.raises(KooDriveSourceError, match=problem):
        SqlDepartments("hr", sql).read(access)


def test_parameters_are_not_shown() -> None:
    assert "s3cr3t" not in repr(SqlDepartments("hr", "SELECT 1", ["s3cr3t"]))


def test_types_that_other_databases_return() -> None:
    rows = rows_of_query(
        ["name", "id", "members", "capacity"],
        [
            ("A", Decimal("1505084218764547201"), ["u1", 7, None], Decimal("20.00")),
            ("B", 1.505084218764547e18, (), None),
            ("C", b"\x01", None, None),
            (None, None, None, None),
        ],
    )
    assert rows[0].cells == {
        "name": "A",
        "id": "1505084218764547201",
        "members": "u1\n7",
        "capacity": "20.00",
    }
    assert rows[1].text("id") == "1.505084218764547e+18"
    assert rows[2].problem == "has b'\\x01' in 'id', which is neither text nor a number"
    assert len(rows) == 3
