"""Airflow as it runs in production: API server, scheduler with LocalExecutor, DAG processor."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import closing
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, TypeVar

import psutil
import pytest
from cryptography.fernet import Fernet
from packaging.version import Version

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

T = TypeVar("T")

NEEDS_AIRFLOW_3_3 = pytest.mark.skipif(
    Version(version("apache-airflow")) < Version("3.3"), reason="needs Airflow 3.3: its parts, its task state"
)

LOOPBACK = "127.0.0.1"
POLL_SECONDS = 0.1
START_SECONDS = 180.0
STOP_SECONDS = 15.0


class Deployment:
    """
    An Airflow with a home, a database and ports of its own; runs between :meth:`start` and :meth:`stop`.

    :param home: ``AIRFLOW_HOME``
    :param database: migrated database to copy
    :param dags: files of the DAGs folder
    :param policy: Python of ``airflow_local_settings``: a cluster policy, as an administrator writes it
    :param settings: further environment variables
    """

    def __init__(
        self,
        home: Path,
        database: Path,
        dags: Sequence[Path],
        *,
        policy: str = "",
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.home = home
        self.address = f"http://{LOOPBACK}:{free_port()}"
        self._parts: list[subprocess.Popen[bytes]] = []
        for folder in ("dags", "config"):
            (home / folder).mkdir(parents=True)
        shutil.copy(database, home / "airflow.db")
        for file in dags:
            shutil.copy(file, home / "dags")
        (home / "config" / "airflow_local_settings.py").write_text(policy, encoding="utf-8")
        self._environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("AIRFLOW_")},
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__API__BASE_URL": self.address,
            "AIRFLOW__API__HOST": LOOPBACK,
            "AIRFLOW__API__PORT": self.address.rpartition(":")[2],
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__API_AUTH__JWT_SECRET": "not-a-secret-but-long-enough-to-sign-with-it-0123456789abcdef",
            "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
            # Else each part, as they start together, would make a key of its own.
            "AIRFLOW__CORE__FERNET_KEY": Fernet.generate_key().decode(),
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__PARALLELISM": "8",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
            "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(free_port()),
            # Runs begin when a test says so, at any time of the day.
            "AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE": "False",
            # A worker that died is missed within half a minute.
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "20",
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "2",
            "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "2",
            "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.2",
            "NO_PROXY": LOOPBACK,
            "no_proxy": LOOPBACK,
            **(settings or {}),
        }

    def start(self) -> Deployment:
        """Start all parts, and wait until they are healthy."""
        # Readers and writers of SQLite's rollback journal would wait for each other.
        with closing(self._connect()) as database:
            database.execute("PRAGMA journal_mode = WAL")
        for part in ("api-server", "scheduler", "dag-processor"):
            self._parts.append(self._launch(part))
        wait_for(self._is_ready, START_SECONDS, f"Airflow to be ready, see {self.home}")
        return self

    def stop(self) -> None:
        """End all processes of this Airflow, whoever started them."""
        for part in self._parts:
            os.kill(part.pid, signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        while self._processes() and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
        for process in self._processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        for part in self._parts:
            part.wait()

    def _processes(self) -> list[psutil.Process]:
        """
        Return all live processes of the sessions that the parts began.

        Numbers of the dead are used again, but not before somebody has waited for them: nobody does so
        for a part before all is over.
        """
        sessions = {part.pid for part in self._parts}
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, ProcessLookupError):
                if os.getsid(process.pid) in sessions and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
        return found

    def request(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Call Airflow's REST API."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.address}/api/v2/{path}", data, headers, method=method)  # noqa: S310
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            return json.load(answer)

    def trigger(self, dag_id: str, conf: Mapping[str, Any]) -> str:
        """Trigger a run of a DAG, which may be paused still, and return the run's id."""
        self.pause(dag_id, paused=False)
        body = {"logical_date": None, "conf": conf}
        return str(self.request("POST", f"dags/{dag_id}/dagRuns", body)["dag_run_id"])

    def clear(self, dag_id: str, run_id: str) -> None:
        """Clear all tasks of a run that has ended, so that it runs again."""
        body = {"dry_run": False, "dag_run_id": run_id, "only_failed": False, "reset_dag_runs": True}
        self.request("POST", f"dags/{dag_id}/clearTaskInstances", body)

    def pause(self, dag_id: str, paused: bool) -> None:
        """Pause a DAG, or let it go on."""
        self.request("PATCH", f"dags/{dag_id}", {"is_paused": paused})

    def end_of_run(self, run_id: str, seconds: float) -> str:
        """Wait for the end of a run, and return its state."""
        ended = "select state from dag_run where run_id = ? and state in ('success', 'failed')"
        return str(wait_for(lambda: self.query(ended, run_id), seconds, f"the end of {run_id}")[0][0])

    def query(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Read from the metadata database."""
        with closing(self._connect()) as database:
            return database.execute(statement, values).fetchall()

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self.home / "airflow.db", timeout=30)

    def _launch(self, *arguments: str) -> subprocess.Popen[bytes]:
        with (self.home / f"{arguments[0]}.out").open("ab") as output:
            return subprocess.Popen(
                [sys.executable, "-m", "airflow", *arguments],
                cwd=self.home,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _is_ready(self) -> bool:
        alive = {process.pid for process in self._processes()}
        assert all(part.pid in alive for part in self._parts), f"a part has ended by itself, see {self.home}"
        try:
            health = self.request("GET", "monitor/health")
            known = self.request("GET", "dags")["total_entries"]
        except OSError:
            return False
        healthy = all(health[part]["status"] == "healthy" for part in ("scheduler", "dag_processor"))
        return healthy and known == len(list((self.home / "dags").glob("*.py")))


def wait_for(call: Callable[[], T], seconds: float, what: str) -> T:
    """Call until something is returned, for at most so many seconds."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := call():
            return found
        time.sleep(POLL_SECONDS)
    raise AssertionError(f"{what} did not come within {seconds:.0f} s")


def free_port() -> int:
    """Find a port of the loopback interface that nothing listens on."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])
