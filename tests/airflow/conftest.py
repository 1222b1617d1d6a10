"""Real Airflow with a database of its own, driven as users do: by its command line or ``dag.test()``."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

DAGS = Path(__file__).parents[2] / "dags_examples"


@dataclass(frozen=True)
class Run:
    """A DAG run as Airflow's database tells it, and what the command printed."""

    id: str
    state: str
    tasks: dict[str, list[str]]
    xcoms: dict[str, Any]
    map_labels: list[str]
    output: str


class Airflow:
    """
    An Airflow with its own home folder.

    :param home: ``AIRFLOW_HOME``, with its database
    """

    def __init__(self, home: Path) -> None:
        self.home = home

    def command(self, *arguments: str | Path, **settings: str) -> subprocess.CompletedProcess[str]:
        """Run ``python arguments``; of the caller's Airflow settings, only connections reach it."""
        environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("AIRFLOW_")},
            **{key: value for key, value in os.environ.items() if key.startswith("AIRFLOW_CONN_")},
            "AIRFLOW_HOME": str(self.home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            # Airflow 3.0 breaks an error's text into the lines of a terminal, and paints it.
            "COLUMNS": "1000",
            "NO_COLOR": "1",
            **settings,
        }
        return subprocess.run(
            [sys.executable, *map(str, arguments)],
            env=environment,
            cwd=self.home,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )

    def dags_test(self, dag_id: str, conf: dict[str, Any] | None = None, **settings: str) -> Run:
        """Run ``airflow dags test`` as a user does."""
        arguments = ["-m", "airflow", "dags", "test", dag_id, *(["-c", json.dumps(conf)] if conf else [])]
        return self._new_runs(dag_id, arguments, settings)[0]

    def dag_test(self, dag_id: str, *confs: dict[str, Any], **settings: str) -> list[Run]:
        """Run a DAG once for each conf, all in one process and without retries of its tasks."""
        program = Path(__file__).parent / "run_dag.py"
        return self._new_runs(dag_id, [program, DAGS / f"{dag_id}.py", json.dumps(confs)], settings)

    def _new_runs(self, dag_id: str, arguments: list[str | Path], settings: dict[str, str]) -> list[Run]:
        before = self._query("select coalesce(max(id), 0) from dag_run")[0][0]
        done = self.command(*arguments, **settings)
        runs = self._query(
            "select run_id, state from dag_run where dag_id = ? and id > ? order by id", dag_id, before
        )
        assert runs, f"no run came of it:\n{done.stdout}"
        return [self._run(dag_id, run_id, state, done.stdout) for run_id, state in runs]

    def _run(self, dag_id: str, run_id: str, state: str, output: str) -> Run:
        tasks: dict[str, list[str]] = {}
        labels = []
        columns = "task_id, state, map_index, rendered_map_index"
        where = "where dag_id = ? and run_id = ? order by task_id, map_index"
        for task_id, task_state, map_index, label in self._query(
            f"select {columns} from task_instance {where}", dag_id, run_id
        ):
            tasks.setdefault(task_id, []).append(task_state)
            if map_index >= 0:
                labels.append(label)
        pulled = self._query(
            f"select task_id, value from xcom {where.replace('order', 'and key = ? order')}",
            dag_id,
            run_id,
            "return_value",
        )
        xcoms = {task_id: json.loads(value) for task_id, value in pulled if value is not None}
        return Run(run_id, state, tasks, xcoms, labels, output)

    def _query(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.home / "airflow.db")) as database:
            return database.execute(statement, values).fetchall()


@pytest.fixture(scope="session")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> Airflow:
    """An Airflow with a migrated database, for all tests of the session."""
    airflow = Airflow(tmp_path_factory.mktemp("airflow"))
    done = airflow.command("-m", "airflow", "db", "migrate")
    assert done.returncode == 0, done.stdout
    return airflow
