"""Nights at DEBUG, with failures, under a scheduler: no secret is in any file or table of Airflow."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from deployment import NEEDS_AIRFLOW_3_3, Deployment

from airflow_provider_koodrive.sandbox.server import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = NEEDS_AIRFLOW_3_3

NIGHTLY = "koodrive_onboard_departments"
CONNECTION = "connections/koodrive_default"
NIGHT_SECONDS = 180
MARKER = "Marker 5f0e"
WRONG_SECRET = "0123456789abcdef" * 4

POLICY = """
from datetime import timedelta

def task_policy(task):
    task.retries, task.retry_delay, task.retry_policy = 1, timedelta(seconds=1), None
"""


class Nights:
    """
    The nightly DAG under Airflow, with a connection that changes from run to run.

    :param deployment: Airflow
    :param sandbox: KooDrive
    """

    def __init__(self, deployment: Deployment, sandbox: Sandbox, folder: Path) -> None:
        self.deployment = deployment
        self.sandbox = sandbox
        self._folder = folder
        self._connection = {"connection_id": "koodrive_default", "conn_type": "koodrive"}
        self.secrets = {sandbox.app_secret, WRONG_SECRET}
        deployment.request("POST", "connections", self._connection)

    def run(self, password: str, departments: list[str], *, login: str | None) -> str:
        """Run one night with these credentials, and return the run's state."""
        file = self._folder / "departments.csv"
        members = self.sandbox.user_ids[1]
        rows = [f"{name},{members}" for name in departments]
        file.write_text("\n".join(["name,members", *rows]), encoding="utf-8")
        self.secrets.add(password)
        connection = {
            **self._connection,
            "host": self.sandbox.url,
            "login": login,
            "password": password,
            "extra": json.dumps({"user_id": self.sandbox.admin_user_id} if login else {}),
        }
        self.deployment.request("PATCH", CONNECTION, connection)
        run_id = self.deployment.trigger(NIGHTLY, {"departments_file": str(file)})
        return self.deployment.end_of_run(run_id, NIGHT_SECONDS)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def nights(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nights]:
    """Let good and bad nights pass."""
    folder = tmp_path_factory.mktemp("leaks")
    dag = Path(__file__).parents[2] / "dags_examples" / f"{NIGHTLY}.py"
    settings = {"AIRFLOW__LOGGING__LOGGING_LEVEL": "DEBUG"}
    deployment = Deployment(folder / "airflow", [dag], policy=POLICY, settings=settings)
    try:
        nights = Nights(deployment.start(), sandbox, folder)
        # One create fails for good, one list at its first try.
        sandbox.faults.add("create", "expired_token", times=1)
        for kind in ("error_500_before", "throttle_429", "drop_before_commit", "truncated_json"):
            sandbox.faults.add("list", kind, times=1)
        assert nights.run(sandbox.app_secret, [MARKER, "A", "B"], login=sandbox.app_id) == "failed"
        sandbox.faults.add("create", "member_failures", times=1)
        assert nights.run(sandbox.issue_token(), [MARKER, "A", "B", "C"], login=None) == "success"
        assert nights.run(WRONG_SECRET, ["D"], login=sandbox.app_id) == "failed"
        assert nights.run(sandbox.issue_token(lifetime=-1), ["D"], login=None) == "failed"
        yield nights
    finally:
        deployment.stop()


def spellings(secret: str) -> set[bytes]:
    """Return the ways in which a secret may be written; it is hexadecimal, so no other escapes it."""
    return {secret.encode(), base64.b64encode(secret.encode())}


def wanted(nights: Nights) -> set[bytes]:
    """Return what must not be found: secrets, ``Authorization`` headers, and the signatures in them."""
    headers = set(nights.sandbox.authorizations)
    signatures = {found[1] for header in headers if (found := re.search("Signature=(.+)", header))}
    assert len(signatures) > 5
    assert any(header.startswith("Bearer+") for header in headers)
    return {spelling for secret in {*nights.secrets, *headers, *signatures} for spelling in spellings(secret)}


def files_with(nights: Nights, texts: set[bytes]) -> list[str]:
    found = []
    for file in nights.deployment.home.rglob("*"):
        if file.is_file():
            content = file.read_bytes()
            found += [f"{file}: {text!r}" for text in texts if text in content]
    return found


def columns_with(nights: Nights, texts: set[bytes]) -> list[str]:
    """Look into every column of every table of the metadata database."""
    found = []
    for (table,) in nights.deployment.query("select name from sqlite_master where type = 'table'"):
        for row in nights.deployment.query(f'select * from "{table}"'):
            for value in row:
                content = value if isinstance(value, bytes) else str(value).encode()
                found += [f"{table}: {text!r} in {content[:200]!r}" for text in texts if text in content]
    return found


def test_the_search_finds_what_is_there(nights: Nights) -> None:
    marker = {MARKER.encode()}
    files, columns = files_with(nights, marker), columns_with(nights, marker)
    assert any("task_id=create_space" in file for file in files)
    assert {column.partition(":")[0] for column in columns} >= {
        "rendered_task_instance_fields",
        "task_state_store",
        "xcom",
    }
    debug = files_with(nights, {b"urllib3.connectionpool"})
    assert any("task_id=create_space" in file for file in debug)
    errors = files_with(nights, {b"KooDriveAuthenticationError", b"KooDriveMembersError"})
    assert any("task_id=create_space" in file for file in errors)


def test_no_file_holds_a_secret(nights: Nights) -> None:
    assert files_with(nights, wanted(nights)) == []


def test_no_table_holds_a_secret(nights: Nights) -> None:
    assert columns_with(nights, wanted(nights)) == []
