"""After runs at DEBUG, with failures, under a scheduler: no secret is in any file or table of Airflow."""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING

import pytest
from deployment import NEEDS_AIRFLOW_3_3
from real_airflow import NIGHTLY

if TYPE_CHECKING:
    from pathlib import Path

    from deployment import Deployment

    from airflow_provider_koodrive.sandbox.server import Sandbox

pytestmark = NEEDS_AIRFLOW_3_3

NIGHT_SECONDS = 180
MARKER = "Marker 5f0e"
WRONG_SECRET = "0123456789abcdef" * 4


class Nights:
    """
    Runs under Airflow with connections that differ.

    :param deployment: Airflow
    :param sandbox: KooDrive
    :param folder: new folder for the file of departments
    """

    def __init__(self, deployment: Deployment, sandbox: Sandbox, folder: Path) -> None:
        self.deployment = deployment
        self.sandbox = sandbox
        self._file = folder / "departments.csv"
        self.secrets = {sandbox.app_secret}

    def run(self, password: str, departments: list[str], *, login: str | None) -> str:
        """Run the nightly DAG with these credentials, and return the run's state."""
        members = self.sandbox.user_ids[1]
        rows = [f"{name},{members}" for name in departments]
        self._file.write_text("\n".join(["name,members", *rows]), encoding="utf-8")
        self.deployment.request(
            "PATCH", "connections/koodrive_default", self._connection("koodrive_default", password, login)
        )
        run_id = self.deployment.trigger(NIGHTLY, {"departments_file": str(self._file)})
        return self.deployment.end_of_run(run_id, NIGHT_SECONDS)

    def start_create(self, conn_id: str, password: str, *, login: str | None) -> str:
        """Trigger a run of one create task with a new connection, and return the run's id."""
        self.deployment.request("POST", "connections", self._connection(conn_id, password, login))
        return self.deployment.trigger("create_once", {"name": MARKER, "conn_id": conn_id})

    def _connection(self, conn_id: str, password: str, login: str | None) -> dict[str, str | None]:
        self.secrets.add(password)
        return {
            "connection_id": conn_id,
            "conn_type": "koodrive",
            "host": self.sandbox.url,
            "login": login,
            "password": password,
            "extra": json.dumps({"user_id": self.sandbox.admin_user_id} if login else {}),
        }


@pytest.fixture(scope="module")
def nights(
    deployment: Deployment, deployed_sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory
) -> Nights:
    """Let runs succeed and fail, with an App secret and with tokens, right, wrong and expired."""
    sandbox = deployed_sandbox
    nights = Nights(deployment, sandbox, tmp_path_factory.mktemp("leaks"))
    refused = [
        nights.start_create("koodrive_wrong", WRONG_SECRET, login=sandbox.app_id),
        nights.start_create("koodrive_expired", sandbox.issue_token(lifetime=-1), login=None),
    ]
    assert [deployment.end_of_run(run_id, NIGHT_SECONDS) for run_id in refused] == ["failed"] * 2
    # One create fails for good, one list at its first try.
    sandbox.faults.clear()
    sandbox.faults.add("create", "expired_token", times=1)
    for kind in ("error_500_before", "throttle_429", "drop_before_commit", "truncated_json"):
        sandbox.faults.add("list", kind, times=1)
    assert nights.run(sandbox.app_secret, [MARKER, "A", "B"], login=sandbox.app_id) == "failed"
    sandbox.faults.add("create", "member_failures", times=1)
    assert nights.run(sandbox.issue_token(), [MARKER, "A", "B", "C"], login=None) == "success"
    return nights


def spellings(secret: str) -> set[bytes]:
    """Return the spellings of a secret; it is hexadecimal, so no escaping changes it."""
    return {secret.encode(), base64.b64encode(secret.encode())}


def forbidden(nights: Nights) -> set[bytes]:
    """Return the texts that must not be found: secrets, ``Authorization`` headers and their signatures."""
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
    """Search every column of every table of the metadata database."""
    found = []
    for (table,) in nights.deployment.query("select name from sqlite_master where type = 'table'"):
        for row in nights.deployment.query(f'select * from "{table}"'):
            values = [value if isinstance(value, bytes) else str(value).encode() for value in row]
            content = b"\n".join(values)
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
    assert files_with(nights, forbidden(nights)) == []


def test_no_table_holds_a_secret(nights: Nights) -> None:
    assert columns_with(nights, forbidden(nights)) == []
