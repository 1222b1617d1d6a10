"""The form and the test button of Airflow 3.3: by its API server, and queued for a worker."""

from __future__ import annotations

import json
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest
from deployment import NEEDS_AIRFLOW_3_3, wait_for

from airflow_provider_koodrive.connection.fields import EXTRA_FIELDS
from airflow_provider_koodrive.connection.form import LABELS

if TYPE_CHECKING:
    from deployment import Deployment

    from airflow_provider_koodrive.sandbox.server import Sandbox

pytestmark = NEEDS_AIRFLOW_3_3

SECONDS = 120


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


def test_the_endpoint_behind_the_button(deployment: Deployment, deployed_sandbox: Sandbox) -> None:
    answer = deployment.request("POST", "connections/test", form(deployed_sandbox, "koodrive_form"))
    assert answer["status"] is True
    assert answer["message"].startswith(f"{deployed_sandbox.url}: connected with app authentication as user")


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
    deployed_sandbox: Sandbox,
    connection_id: str,
    changes: dict[str, str],
    state: str,
    words: str,
) -> None:
    queued = form(deployed_sandbox, connection_id, **changes)
    assert deployment.request("POST", "connections/enqueue-test", queued)["connection_id"] == connection_id
    query = "select state, result_message from connection_test_request where connection_id = ?"
    ended = f"{query} and state in ('success', 'failed')"
    ((ended_as, message),) = wait_for(
        lambda: deployment.query(ended, connection_id), SECONDS, f"the test of {connection_id}"
    )
    assert (ended_as, words in message) == (state, True), message
    assert "s3cr3tAndWrong" not in message
