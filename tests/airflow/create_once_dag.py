"""A task that fails where the space exists, unless the task has created it itself."""

from __future__ import annotations

from datetime import timedelta

from airflow.providers.common.compat.sdk import DAG, Param

from airflow_provider_koodrive.operators.group_space import CreateGroupSpaceOperator
from airflow_provider_koodrive.retry_policy import KooDriveRetryPolicy

with DAG(
    "create_once", schedule=None, params={"name": Param("", type="string"), "conn_id": "koodrive_hasty"}
):
    CreateGroupSpaceOperator(
        task_id="create_space",
        name="{{ params.name }}",
        if_exists="fail",
        koodrive_conn_id="{{ params.conn_id }}",
        retries=2,
        # For a worker that died; the policy decides on errors.
        retry_delay=timedelta(seconds=1),
        retry_policy=KooDriveRetryPolicy(delay=0.25, longest_delay=0.5),
    )
