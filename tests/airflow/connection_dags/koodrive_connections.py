"""Use connections from every source: by the hook in a task, by HttpOperator, by operators with a link."""

from __future__ import annotations

from typing import Any

from airflow.providers.common.compat.sdk import DAG, task
from airflow.providers.http.operators.http import HttpOperator

from airflow_provider_koodrive.api.auth import AppAuth
from airflow_provider_koodrive.operators.group_space import CreateGroupSpaceOperator


@task
def try_hook(conn_id: str) -> list[Any]:
    from airflow_provider_koodrive.hooks.koodrive import KooDriveHook

    hook = KooDriveHook(conn_id)
    return [hook.list_group_spaces()["total"], *hook.test_connection()]


with DAG("koodrive_connections", schedule=None):
    one = CreateGroupSpaceOperator(task_id="one", name="One", koodrive_conn_id="koodrive_uri")
    many = CreateGroupSpaceOperator.partial(task_id="many", koodrive_conn_id="koodrive_json").expand(
        name=["First", "Second"]
    )
    page = HttpOperator(
        task_id="page",
        method="GET",
        http_conn_id="koodrive_http",
        endpoint="koodrive/ose/v1/space/groupList",
        data={"offset": 0, "limit": 2},
        headers={"X-User-Id": "{{ var.value.koodrive_user_id }}"},
        auth_type=AppAuth,
        response_filter=lambda response: response.json(),
    )
    tries = try_hook.expand(conn_id=["koodrive_added", "koodrive_uri", "koodrive_json", "koodrive_file"])
    one >> many >> [page, tries]
