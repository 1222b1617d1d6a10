"""Fixtures of real Airflow: one database and, for Airflow 3.3, one deployment for all tests."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from typing import TYPE_CHECKING

import pytest
from deployment import Deployment
from real_airflow import DAGS, HERE, NIGHTLY, Airflow

from airflow_provider_koodrive.sandbox.server import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# As an administrator may set it: the example DAG's retries, and its policy's, come too late for a test.
POLICY = f"""
from datetime import timedelta

def task_policy(task):
    if task.dag_id == "{NIGHTLY}":
        task.retries, task.retry_delay, task.retry_policy = 4, timedelta(seconds=1), None
"""


@pytest.fixture(scope="session")
def migrated_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Migrate an empty database once for all workers of the session, and return its file."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    home = folder / "migrated"
    with (folder / "migrated.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (home / "done").exists():
            home.mkdir()
            done = Airflow(home).command("-m", "airflow", "db", "migrate")
            assert done.returncode == 0, done.stdout
            (home / "done").touch()
    return home / "airflow.db"


@pytest.fixture(scope="session")
def airflow(migrated_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Airflow:
    """An Airflow with a migrated database, for all tests of the worker."""
    airflow = Airflow(tmp_path_factory.mktemp("airflow"))
    shutil.copy(migrated_database, airflow.home)
    return airflow


@pytest.fixture(scope="session")
def deployed_sandbox() -> Iterator[Sandbox]:
    """The sandbox that the deployment uses."""
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture(scope="session")
def deployment(
    deployed_sandbox: Sandbox, migrated_database: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Deployment]:
    """One Airflow 3.3 with scheduler and workers, which logs at DEBUG, for all tests that need one."""
    connection = json.loads(deployed_sandbox.connection_json())
    hasty = {**connection["extra"], "connect_timeout": 2, "read_timeout": 10}
    deployment = Deployment(
        tmp_path_factory.mktemp("deployment") / "airflow",
        migrated_database,
        [DAGS / f"{NIGHTLY}.py", HERE / "create_once_dag.py"],
        policy=POLICY,
        settings={
            "AIRFLOW_CONN_KOODRIVE_HASTY": json.dumps({**connection, "extra": hasty}),
            "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
            "AIRFLOW__LOGGING__LOGGING_LEVEL": "DEBUG",
            # A worker waits for the API server of a busy machine.
            "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "60",
        },
    )
    try:
        deployment.start()
        extra = json.dumps(connection["extra"])
        deployment.request(
            "POST", "connections", {**connection, "extra": extra, "connection_id": "koodrive_default"}
        )
        yield deployment
    finally:
        deployment.stop()
