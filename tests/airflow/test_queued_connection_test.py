"""The form and the test button of Airflow 3.3: by its API server, and queued for a worker."""

from __future__ import annotations

import json
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest
from deployment import NEEDS_AIRFLOW_3_3, Deployment, wait_for

from airflow_provider_koodrive.connection.fields import EXTRA_FIELDS
from airflow_provider_koodrive.connection.form import LABELS
from airflow_provider_koodrive.sandbox.server import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [NEEDS_AIRFLOW_3_3, pytest.mark.xdist_group("test_queued_connection_test")]

SECONDS = 120


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    # A worker shall not mind that the API server of a busy machine is slow.
    settings = {"AIRFLOW__CORE__TEST_CONNECTION": "Enabled", "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "60"}
    deployment = Deployment(tmp_path_factory.mktemp("queued") / "airflow", [], settings=settings)
    try:
        yield deployment.start()
    finally:
        deployment.stop()


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with Sandbox(tmp_path_factory.mktemp("sandbox") / "koodrive.db") as sandbox:
        yield sandbox


def form(sandbox: Sandbox, connection_id: str, **changes: str) -> dict[str, Any]:
    connection = json.loads(sandbox.connection_json())
    extra = json.dumps(connection["extra"])
    return {**connection, "extra": extra, "connection_id": connection_id, **changes}


def test_the_endpoint_behind_the_form(deployment: Deployment) -> None:
    url = f"{deployment.address}/ui/connections/hook_meta"
    with urllib.request.urlopen(url, timeout=30) as answer:  # noqa: S310
        types = {meta["connection_type"]: meta for meta in json.load(answer)}
    meta = types["koodrive"]
    assert meta["hook_name"] == "Huawei Cloud KooDrive"
    standard = {name: field for name, field in meta["standard_fields"].items() if field}
    assert [name for name, field in standard.items() if field["hidden"]] == ["url_schema"]
    assert {name: field["title"] for name, field in standard.items() if field["title"]} == LABELS
    labels = {name: field["schema"]["title"] for name, field in meta["extra_fields"].items()}
    assert labels == {entry.name: entry.label for entry in EXTRA_FIELDS}


def test_the_endpoint_behind_the_button(deployment: Deployment, sandbox: Sandbox) -> None:
    answer = deployment.request("POST", "connections/test", form(sandbox, "koodrive_asked"))
    assert answer["status"] is True
    assert answer["message"].startswith(f"{sandbox.url}: connected with app authentication as user")


@pytest.mark.parametrize(
    ("connection_id", "changes", "state", "words"),
    [
        ("koodrive_good", {}, "success", "a tenant administrator: creating and listing group spaces works"),
        ("koodrive_bad", {"password": "s3cr3tAndWrong"}, "failed", "Check login (App ID), password"),
    ],
    ids=["works", "fails"],
)
def test_a_queued_test_on_a_worker(
    deployment: Deployment,
    sandbox: Sandbox,
    connection_id: str,
    changes: dict[str, str],
    state: str,
    words: str,
) -> None:
    queued = form(sandbox, connection_id, **changes)
    assert deployment.request("POST", "connections/enqueue-test", queued)["connection_id"] == connection_id
    asked = "select state, result_message from connection_test_request where connection_id = ?"
    ended = f"{asked} and state in ('success', 'failed')"
    ((ended_as, message),) = wait_for(
        lambda: deployment.query(ended, connection_id), SECONDS, f"the test of {connection_id}"
    )
    assert (ended_as, words in message) == (state, True), message
    assert "s3cr3tAndWrong" not in message
