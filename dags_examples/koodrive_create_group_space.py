"""
### Create one KooDrive group space.

Started by hand: the trigger dialog asks for the space. What was created is in the XCom of `create_space`.
"""

from __future__ import annotations

from typing import Any

import pendulum
from airflow.providers.common.compat.sdk import DAG, Param

from airflow_provider_koodrive.operators.group_space import CreateGroupSpaceOperator

try:
    from airflow_provider_koodrive.retry_policy import KooDriveRetryPolicy
except ImportError:  # below Airflow 3.3 tasks have no retry policy
    RETRY_POLICY: dict[str, Any] = {}
else:
    RETRY_POLICY = {"retry_policy": KooDriveRetryPolicy()}

# [START koodrive_create_group_space]
with DAG(
    dag_id="koodrive_create_group_space",
    schedule=None,
    default_args={"retries": 3, "retry_delay": pendulum.duration(minutes=1), **RETRY_POLICY},
    start_date=pendulum.datetime(2026, 1, 1, tz="Asia/Singapore"),
    params={
        # No maxLength: that counts code points, and one Tamil letter or emoji may have several.
        "name": Param(
            type="string",
            title="Name",
            minLength=1,
            pattern=r'^(?!\.{1,2}$)[^<>|:"*?/\\\x00-\x1f\x7f]+$',
            description='At most 30 characters, none of < > | : " * ? / \\',
        ),
        "capacity": Param(
            None,
            type=["null", "integer"],
            title="Capacity (GB)",
            minimum=1,
            description="Empty for KooDrive's default, usually 10 GB",
        ),
        "user_ids": Param(
            [],
            type=["null", "array"],
            title="Members",
            items={"type": "string", "minLength": 1},
            maxItems=200,
            uniqueItems=True,
            description="KooDrive user ids, one a line, at most 200",
        ),
        "if_exists": Param(
            "reuse",
            type="string",
            title="If you own a space of this name",
            enum=["reuse", "fail", "skip"],
            description="reuse: take it and complete its members; fail: fail; skip: skip the task",
        ),
    },
    doc_md=__doc__,
    tags=["koodrive"],
) as dag:
    CreateGroupSpaceOperator(
        task_id="create_space",
        name="{{ params.name }}",
        # A template would make text of what is none; Airflow 3.0 and 3.1 want the default once more.
        capacity=dag.param("capacity", None),
        user_ids=dag.param("user_ids", []),
        if_exists="{{ params.if_exists }}",
    )
# [END koodrive_create_group_space]
