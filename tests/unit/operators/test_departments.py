"""The operator that reads departments, and the helpers of a DAG that onboards them."""

from __future__ import annotations

import json
import logging
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.common.compat.sdk import DAG, AirflowFailException, BaseHook, ObjectStoragePath
from airflow.providers.common.sql.hooks.sql import DbApiHook

from airflow_provider_koodrive.departments import FileDepartments, KooDriveDepartments, SqlDepartments
from airflow_provider_koodrive.operators.departments import (
    DepartmentListOperator,
    fail_on_problems,
    mapped_results,
    mapping_limit,
)

if TYPE_CHECKING:
    from pathlib import Path


class TaskInstance:
    """As much of a task instance as the operator uses; a run before this one may have left XComs."""

    def __init__(self, before: Any = None, try_number: int = 1) -> None:
        self.before = before
        self.try_number = try_number
        self.xcoms: dict[str, Any] = {}

    def xcom_push(self, key: str, value: Any) -> None:
        self.xcoms[key] = json.loads(json.dumps(value))

    def xcom_pull(self, **arguments: Any) -> Any:
        self.pulled = arguments
        return self.before


def execute(source: Any, context: dict[str, Any] | None = None, **arguments: Any) -> Any:
    operator = DepartmentListOperator(task_id="departments", source=source, **arguments)
    found = operator.execute(context or {})  # type: ignore[arg-type]
    assert json.loads(json.dumps(found)) == found
    return found


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "departments.csv"
    path.write_text("name,id\nFinance,1\nSales,2\n,3\n")
    return path


class TestFile:
    def test_xcom_and_warnings(
        self, file: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
    ) -> None:
        instance = TaskInstance()
        with caplog.at_level(logging.INFO):
            found = execute(FileDepartments(str(file)), {"ti": instance})
        assert found == {
            "source": str(file),
            "departments": [
                {"key": "1", "name": "Finance", "space_name": "Finance", "origin": "line 2"},
                {"key": "2", "name": "Sales", "space_name": "Sales", "origin": "line 3"},
            ],
            "bad_rows": [{"origin": "line 4", "problem": "has no name"}],
            "complete": True,
            "total": 2,
        }
        assert instance.xcoms == {"total": 2}
        # Airflow 3 writes a task's log to the standard output, Airflow 2 to logging.
        assert f"{file}: line 4 has no name" in capsys.readouterr().out + caplog.text

    @pytest.mark.parametrize("form", ["file://{}", ObjectStoragePath], ids=["address", "object"])
    def test_an_object_storage(self, file: Path, form: Any) -> None:
        path = form.format(file) if isinstance(form, str) else form(f"file://{file}")
        assert execute(FileDepartments(path))["total"] == 2

    @pytest.mark.parametrize("path", ["/nowhere/departments.csv", "file:///nowhere/departments.csv"])
    def test_an_absent_file_is_not_tried_again(self, path: str) -> None:
        with pytest.raises(AirflowFailException, match="cannot be read on host"):
            execute(FileDepartments(path))


class TestSql:
    @pytest.fixture
    def database(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = tmp_path / "hr.db"
        with closing(sqlite3.connect(path)) as db, db:
            db.execute("CREATE TABLE departments (code, dept, users, region)")
            db.execute("INSERT INTO departments VALUES (1, 'Finance', 'u1 u2', 'EU'), (2, 'Ops', NULL, 'US')")

        class SqliteHook(DbApiHook):
            conn_name_attr = "sqlite_conn_id"

            def get_conn(self) -> Any:
                return sqlite3.connect(path)

        # The provider of SQLite, whose hook is no other, is not there on each Airflow.
        monkeypatch.setattr(BaseHook, "get_hook", classmethod(lambda cls, conn_id: SqliteHook(conn_id)))

    @pytest.mark.usefixtures("database")
    def test_parameters_are_bound_and_not_logged(
        self, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
    ) -> None:
        source = SqlDepartments(
            "hr",
            "SELECT code AS id, dept AS name, users AS members FROM departments WHERE region = ?",
            ["EU"],
        )
        with caplog.at_level(logging.DEBUG):
            found = execute(source)
        assert [(d["key"], d["user_ids"]) for d in found["departments"]] == [("1", ["u1", "u2"])]
        assert "EU" not in capsys.readouterr().out + caplog.text

    @pytest.mark.usefixtures("database")
    def test_a_statement_that_returns_nothing(self) -> None:
        with pytest.raises(AirflowFailException, match="give a SELECT"):
            execute(SqlDepartments("hr", "DELETE FROM departments"))

    def test_a_connection_that_is_no_database(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AIRFLOW_CONN_HR", json.dumps({"conn_type": "koodrive"}))
        with pytest.raises(AirflowFailException, match="'hr' is not one of a database"):
            execute(SqlDepartments("hr", "SELECT 1"))


@pytest.mark.usefixtures("koodrive_conn")
def test_koodrives_own_departments_are_read_with_the_connection() -> None:
    found = execute(KooDriveDepartments(members="direct"))
    assert [d["name"] for d in found["departments"]] == ["Finance", "Human Resources", "Research", "Sales"]
    assert sum(len(d["user_ids"]) for d in found["departments"]) == 20


class TestGuards:
    def test_an_empty_source(self, tmp_path: Path) -> None:
        (tmp_path / "d.csv").write_text("name,id\n,7\n")
        with pytest.raises(AirflowFailException) as caught:
            execute(FileDepartments(tmp_path / "d.csv"))
        assert "has 0 departments and 1 bad rows, fewer than min_departments=1" in str(caught.value)
        assert "the first: line 2 has no name" in str(caught.value)
        assert execute(FileDepartments(tmp_path / "d.csv"), min_departments=0)["total"] == 0

    @pytest.mark.parametrize(
        ("before", "max_shrink", "fails"),
        [
            (None, 0, False),
            (3, 0, False),  # the bad row is the third department
            (4, 0, True),
            (4, 1, False),
            (4, "25%", False),
            (5, "25%", True),
            (5, None, False),
            ([4], 0, True),
        ],
    )
    def test_a_source_that_has_shrunk(self, file: Path, before: Any, max_shrink: Any, fails: bool) -> None:
        instance = TaskInstance(before)
        if not fails:
            execute(FileDepartments(str(file)), {"ti": instance}, max_shrink=max_shrink)
            assert instance.xcoms == {"total": 2}
            return
        with pytest.raises(AirflowFailException, match=f"{file} has 2 departments"):
            execute(FileDepartments(str(file)), {"ti": instance}, max_shrink=max_shrink)
        assert instance.pulled == {"task_ids": "departments", "key": "total", "include_prior_dates": True}
        # The next run compares with the last one that succeeded.
        assert instance.xcoms == {}

    def test_max_shrink_that_is_no_number(self, file: Path) -> None:
        with pytest.raises(AirflowFailException, match="max_shrink='some' is neither"):
            execute(FileDepartments(str(file)), {"ti": TaskInstance(9)}, max_shrink="some")


class TestTemplates:
    def test_the_sources_own_fields_are_rendered_each_time_anew(self) -> None:
        source = SqlDepartments("{{ name }}", "SELECT {{ name }}", ["{{ name }}"])
        operator = DepartmentListOperator(task_id="departments", source=source)
        for name in ("one", "two"):
            task = operator.prepare_for_execution()
            task.render_template_fields({"name": name})  # type: ignore[arg-type,typeddict-unknown-key]
            assert task.source == SqlDepartments(name, f"SELECT {name}", [name])
        assert source.conn_id == "{{ name }}"

    def test_a_sql_file_is_loaded(self, tmp_path: Path) -> None:
        (tmp_path / "departments.sql").write_text("SELECT {{ 1 + 1 }}")
        with DAG("d", schedule=None, template_searchpath=[str(tmp_path)]):
            operator = DepartmentListOperator(
                task_id="departments", source=SqlDepartments("hr", "departments.sql")
            )
        operator.resolve_template_files()
        operator.render_template_fields({})  # type: ignore[typeddict-item]
        assert operator.source.sql == "SELECT 2"


class TestHelpers:
    @pytest.mark.parametrize(
        ("try_number", "limit", "expected"),
        [
            (1, None, 1024),
            (1, 5, 5),
            (2, None, 128),
            (3, None, 16),
            (4, None, 2),
            (9, None, 1),
            (2, 500, 128),
        ],
    )
    def test_each_try_maps_over_an_eighth_of_the_one_before(
        self, try_number: int, limit: int | None, expected: int
    ) -> None:
        assert mapping_limit({"ti": TaskInstance(try_number=try_number)}, limit) == expected

    @pytest.mark.parametrize(
        ("pulled", "expected"),
        [(None, []), ({"id": "1"}, [{"id": "1"}]), ([{"id": "1"}, None], [{"id": "1"}]), ([], [])],
    )
    def test_results_of_mapped_tasks(self, pulled: Any, expected: list[Any]) -> None:
        assert mapped_results({"ti": TaskInstance(pulled)}, "create_space") == expected

    def test_problems_fail_the_task_for_good(self) -> None:
        fail_on_problems({"source": "d.csv", "problems": []})
        with pytest.raises(AirflowFailException, match=r"d\.csv: line 2 has no name; line 3 has no name"):
            fail_on_problems({"source": "d.csv", "problems": ["line 2 has no name", "line 3 has no name"]})
