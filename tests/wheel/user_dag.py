"""A user's DAG, as it is checked against the installed wheel; each line marked as wrong must be an error."""

from __future__ import annotations

from airflow.sdk import DAG, task

from airflow_provider_koodrive.api.auth import AppAuth, TokenAuth
from airflow_provider_koodrive.exceptions import KooDriveThrottledError
from airflow_provider_koodrive.hooks.koodrive import KooDriveHook
from airflow_provider_koodrive.naming import group_space_name
from airflow_provider_koodrive.operators.group_space import CreateGroupSpaceOperator, GroupSpaceListOperator
from airflow_provider_koodrive.retry_policy import KooDriveRetryPolicy


@task
def user_ids_of(department: str) -> list[str]:
    hook = KooDriveHook("koodrive_default")
    try:
        space = hook.find_group_space(department) or hook.create_group_space(department, capacity=5)
    except KooDriveThrottledError as err:
        wait: float | None = err.retry_after
        raise RuntimeError(f"wait {wait}") from err
    names: list[str] = [group["name"] or "" for group in hook.iter_group_spaces(page_size=50)]
    total: int = hook.list_group_spaces(max_records=10)["total"] or 0
    works: bool = hook.test_connection()[0]
    return [space["id"], *names, str(total), str(works)]


with DAG("typed", schedule=None) as dag:
    finance = CreateGroupSpaceOperator(
        task_id="finance",
        name=group_space_name("Finance"),
        user_ids=["1505084218764547202"],
        capacity=20,
        if_exists="fail",
        retries=3,
        retry_policy=KooDriveRetryPolicy(delay=5),
    )
    templated = CreateGroupSpaceOperator(
        task_id="templated",
        name="{{ params.name }}",
        capacity="{{ params.capacity }}",
        members="{{ params.members }}",
        koodrive_conn_id="{{ var.value.conn }}",
    )
    of_a_task = CreateGroupSpaceOperator(
        task_id="of_a_task", name=dag.param("name"), user_ids=user_ids_of("Finance")
    )
    spaces = GroupSpaceListOperator(task_id="spaces", keyword="Fin", page_size=10)
    CreateGroupSpaceOperator(task_id="by_param", name="A", koodrive_conn_id=dag.param("conn"))
    GroupSpaceListOperator(task_id="list_by_param", koodrive_conn_id=dag.param("conn"))
    CreateGroupSpaceOperator.partial(task_id="mapped", if_exists="reuse").expand(name=["A", "B"])
    CreateGroupSpaceOperator(task_id="by_space", space={"name": "A", "capacity": 20})
    finance >> templated >> spaces

AppAuth("app-id", "app-secret", "1505084218764547201")
TokenAuth("token", prefix="AT+")

CreateGroupSpaceOperator(task_id="name", name=42)  # wrong
CreateGroupSpaceOperator(task_id="space", space="A")  # wrong
CreateGroupSpaceOperator(task_id="user_ids", name="A", user_ids=[1.5])  # wrong
CreateGroupSpaceOperator(task_id="members", name="A", members=[("1", -1)])  # wrong
CreateGroupSpaceOperator(task_id="capacity", name="A", capacity=1.5)  # wrong
CreateGroupSpaceOperator(task_id="if_exists", name="A", if_exists=True)  # wrong
CreateGroupSpaceOperator(task_id="conn", name="A", koodrive_conn_id=42)  # wrong
GroupSpaceListOperator(task_id="page_size", page_size="many")  # wrong
GroupSpaceListOperator(task_id="list_conn", koodrive_conn_id=None)  # wrong
KooDriveHook(dag.param("conn"))  # wrong
KooDriveHook(42)  # wrong
KooDriveHook().create_group_space(42)  # wrong
KooDriveHook().create_group_space("A", capacity="many")  # wrong
KooDriveHook().create_group_space("A", if_exists="ignore")  # wrong
KooDriveHook().list_group_spaces(page_size="many")  # wrong
KooDriveHook().list_group_spaces()["count"]  # wrong
KooDriveHook().find_group_space(None)  # wrong
KooDriveRetryPolicy(delay="long")  # wrong
AppAuth("app-id", "app-secret", 42)  # wrong
group_space_name(42)  # wrong
