"""Real Airflow with a database of its own, driven as users do: by its command line or ``dag.test()``."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

HERE = Path(__file__).parent
DAGS = HERE.parents[1] / "dags_examples"
NIGHTLY = "koodrive_onboard_departments"


@dataclass(frozen=True)
class ToRun:
    """
    A DAG run that is wanted.

    :param file: file of the DAG
    :param conf: the run's parameters
    :param environment: variables that hold for this run alone
    """

    file: Path
    conf: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Run:
    """A DAG run as Airflow's database holds it, and the output of the command."""

    id: str
    dag_id: str
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

    def environment(self, settings: Mapping[str, str]) -> dict[str, str]:
        """Build the environment of a command; of the caller's Airflow settings, only connections reach it."""
        return {
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

    def command(self, *arguments: str | Path, **settings: str) -> subprocess.CompletedProcess[str]:
        """Run ``python arguments``."""
        return subprocess.run(
            [sys.executable, *map(str, arguments)],
            env=self.environment(settings),
            cwd=self.home,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )

    def commands(
        self, *commands: Iterable[str], environments: Iterable[Mapping[str, str]] = (), **settings: str
    ) -> list[tuple[int, str]]:
        """
        Run several ``airflow`` commands in one process, and return the exit status and output of each.

        :param commands: arguments of each command
        :param environments: variables that hold for one command alone, in the same order
        """
        own = [*environments, *({} for _ in commands)]
        entries = [
            {"arguments": [*arguments], "environment": dict(environment)}
            for arguments, environment in zip(commands, own, strict=False)
        ]
        done = self.command(HERE / "run_commands.py", json.dumps(entries), **settings)
        parts = re.split(r"^=== COMMAND (\d+)\n", done.stdout, flags=re.MULTILINE)
        found = [(int(status), output) for output, status in zip(parts[::2], parts[1::2], strict=False)]
        assert len(found) == len(entries), done.stdout
        return found

    def dags_test(self, dag_id: str, conf: dict[str, Any] | None = None, **settings: str) -> Run:
        """Run ``airflow dags test`` as a user does."""
        before = self.query("select coalesce(max(id), 0) from dag_run")[0][0]
        arguments = ["-m", "airflow", "dags", "test", dag_id, *(["-c", json.dumps(conf)] if conf else [])]
        done = self.command(*arguments, **settings)
        found = self.query("select run_id from dag_run where id > ?", before)
        assert len(found) == 1, f"{len(found)} runs came of it:\n{done.stdout}"
        return self._run(found[0][0], done.stdout)

    def runs(self, *wanted: ToRun, **settings: str) -> list[Run]:
        """Run DAGs one after the other, all in one process and without retries of their tasks."""
        entries = [
            {"file": str(one.file), "conf": dict(one.conf), "environment": dict(one.environment)}
            for one in wanted
        ]
        file = self.home / "runs.json"
        file.write_text(json.dumps(entries), "utf-8")
        done = self.command(HERE / "run_dags.py", file, **settings)
        parts = re.split(r"^=== RUN (\S*)\n", done.stdout, flags=re.MULTILINE)
        found = list(zip(parts[1::2], parts[::2], strict=False))
        assert len(found) == len(entries), done.stdout
        assert all(run_id for run_id, _ in found), done.stdout
        return [self._run(run_id, output) for run_id, output in found]

    def _run(self, run_id: str, output: str) -> Run:
        ((dag_id, state),) = self.query("select dag_id, state from dag_run where run_id = ?", run_id)
        tasks: dict[str, list[str]] = {}
        labels = []
        columns = "task_id, state, map_index, rendered_map_index"
        where = "where dag_id = ? and run_id = ? order by task_id, map_index"
        for task_id, task_state, map_index, label in self.query(
            f"select {columns} from task_instance {where}", dag_id, run_id
        ):
            tasks.setdefault(task_id, []).append(task_state)
            if map_index >= 0:
                labels.append(label)
        pulled = self.query(
            f"select task_id, value from xcom {where.replace('order', 'and key = ? order')}",
            dag_id,
            run_id,
            "return_value",
        )
        xcoms = {task_id: json.loads(value) for task_id, value in pulled if value is not None}
        return Run(run_id, dag_id, state, tasks, xcoms, labels, output)

    def query(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Read from the metadata database."""
        with closing(sqlite3.connect(self.home / "airflow.db")) as database:
            return database.execute(statement, values).fetchall()
