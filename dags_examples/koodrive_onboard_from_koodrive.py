"""
### Every department of KooDrive's own tree gets a group space, with its users as members.

Every night at 02:00 in Singapore, a group space is created for each department without one, and users that a
space lacks are added. `root_department_id` and `include` choose a part of the tree. One run creates at most
`[core] max_map_length` spaces, or `limit`. The last task names what needs a person, and fails. The user of
the connection must be a tenant administrator; only spaces that this user owns or has created count.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pendulum
from airflow.providers.common.compat.sdk import Param, TriggerRule, dag, get_current_context, task

from airflow_provider_koodrive.departments import KooDriveDepartments, onboarding_report, select_new
from airflow_provider_koodrive.hooks.koodrive import KooDriveHook
from airflow_provider_koodrive.operators import departments as koodrive
from airflow_provider_koodrive.operators.group_space import CreateGroupSpaceOperator, GroupSpaceListOperator

PARAMS = {
    "root_department_id": Param(None, type=["null", "string"], title="Only below", description="Its id"),
    "include": Param("*", type="string", title="Paths", description="Pattern such as Sales/*; * for all"),
    "limit": Param(None, type=["null", "integer"], minimum=1, title="Limit", description="Spaces per run"),
}
FIELDS = ("ownerId", "creator", "userNum", "capacity")


@task(task_id="select_new")
def choose(found: Any, listing: Any) -> list[dict[str, Any]]:
    """Return the departments that get a space, or members, in this run."""
    context: Any = get_current_context()
    limit = koodrive.mapping_limit(context, context["params"]["limit"])
    return select_new(found, listing, KooDriveHook().settings.user_id, limit)


@task(multiple_outputs=False)
def summarise(found: Any, before: Any, chosen: Any, after: Any) -> dict[str, Any]:
    """Log what became of each department."""
    results = koodrive.mapped_results(get_current_context(), "create_space")
    owner = KooDriveHook().settings.user_id
    return onboarding_report(found, before, after, chosen=chosen, results=results, owner_ids=owner)


# [START koodrive_onboard_from_koodrive]
@dag(
    description="A group space for each department of KooDrive's tree",
    schedule="0 2 * * *",
    start_date=pendulum.datetime(2026, 1, 1, tz="Asia/Singapore"),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=5), **koodrive.koodrive_retry()},
    params=PARAMS,
    doc_md=__doc__,
    tags=["koodrive"],
)
def koodrive_onboard_from_koodrive() -> None:
    """Build the DAG."""
    source = KooDriveDepartments(
        "{{ params.root_department_id or '' }}", include=["{{ params.include }}"], members="direct"
    )
    found = koodrive.DepartmentListOperator(task_id="read_departments", source=source).output
    before = GroupSpaceListOperator(task_id="list_spaces", fields=FIELDS).output
    chosen = choose(found, before)
    create = CreateGroupSpaceOperator.partial(
        task_id="create_space", map_index_template="{{ task.space.name }}", max_active_tis_per_dagrun=8
    ).expand(space=chosen)
    again = GroupSpaceListOperator(
        task_id="list_spaces_again", fields=FIELDS, trigger_rule=TriggerRule.ALL_DONE
    )
    create >> again
    report = summarise(found, before, chosen, again.output)
    task(task_id="report_problems")(koodrive.fail_on_problems)(report)


koodrive_onboard_from_koodrive()
# [END koodrive_onboard_from_koodrive]
