"""The operations of KooDrive's API that the sandbox knows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_provider_koodrive.sandbox.service import departments, group_spaces, members

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_koodrive.sandbox.service.call import Call

PREFIX = "/koodrive/ose/v1"


class Operation(NamedTuple):
    """An operation of KooDrive's API: its name in records and fault plans, and what answers it."""

    name: str
    method: str
    path: str
    handler: Callable[[Call], dict[str, Any]]


OPERATIONS = (
    Operation("create", "POST", "/space/group", group_spaces.create),
    Operation("groupList", "GET", "/space/groupList", group_spaces.group_list),
    Operation("teamList", "GET", "/space/teamList", group_spaces.team_list),
    Operation("dismiss", "DELETE", "/space/group/{groupId}", group_spaces.dismiss),
    Operation("space", "GET", "/space/container/{containerId}", group_spaces.query_space),
    Operation("space", "GET", "/space/{ownerId}", group_spaces.query_space),
    Operation("departmentList", "GET", "/departmentList", departments.department_list),
    Operation("userList", "GET", "/userList", departments.user_list),
    Operation("user", "GET", "/users/{userId}", departments.user),
    Operation("members", "GET", "/usergroups/{groupId}/members", members.list_members),
    Operation("batchAdd", "POST", "/usergroups/{groupId}/members/batchAdd", members.batch_add),
    Operation("batchDelete", "POST", "/usergroups/{groupId}/members/batchDelete", members.batch_delete),
    Operation("sessionAuth", "GET", "/session/auth", departments.session_auth),
    Operation("quotaUsed", "GET", "/service/quotaUsed", departments.quota_used),
)
