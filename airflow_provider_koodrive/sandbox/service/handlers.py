"""The function that handles each operation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_koodrive.sandbox.service import (
    departments,
    group_spaces,
    members,
    quota,
    sessions,
    users,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow_provider_koodrive.sandbox.service.call import Call

HANDLERS: Mapping[str, Callable[[Call], dict[str, Any]]] = {
    "create": group_spaces.create,
    "groupList": group_spaces.group_list,
    "teamList": group_spaces.team_list,
    "dismiss": group_spaces.dismiss,
    "space": group_spaces.query_space,
    "departmentSpaceList": departments.department_space_list,
    "departmentList": departments.department_list,
    "userList": users.user_list,
    "user": users.user,
    "members": members.list_members,
    "batchAdd": members.batch_add,
    "batchDelete": members.batch_delete,
    "sessionAuth": sessions.session_auth,
    "quotaUsed": quota.quota_used,
}
