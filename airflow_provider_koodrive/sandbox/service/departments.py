"""Departments, users, the session and the quota: KooDrive API Reference, the sections of these names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_koodrive.sandbox.http.envelope import CODE_NOT_FOUND, RefusalError, bad_parameters
from airflow_provider_koodrive.sandbox.storage.seed import ORGANISATION_ID, ROOT_DEPARTMENT_ID, TENANT_ID

if TYPE_CHECKING:
    from airflow_provider_koodrive.sandbox.service.call import Call
    from airflow_provider_koodrive.sandbox.storage.store import Row


def department_list(call: Call) -> dict[str, Any]:
    """``GET /departmentList`` (GetDepartmentList): departments directly below one, by default the root."""
    rows = call.store.departments(call.query.get("departmentId") or ROOT_DEPARTMENT_ID)
    keyword = call.query.get("keyWord", "").casefold()
    return {"data": [_department(row) for row in rows if keyword in row["name"].casefold()]}


def _department(row: Row) -> dict[str, Any]:
    return {
        "id": row["id"],
        "orgId": ORGANISATION_ID,
        "deptId": row["dept_id"],
        "parentId": row["parent_id"],
        "name": row["name"],
        "tenantId": TENANT_ID,
    }


def user_list(call: Call) -> dict[str, Any]:
    """``GET /userList`` (GetUserList): the array is ``list`` in edition 2025-03 and ``data`` in 2024-07."""
    direct = call.query.get("isDirect", "false")
    if direct not in ("true", "false"):
        raise bad_parameters("isDirect must be true or false.")
    rows = call.store.users(department_id=call.query.get("deptId") or None, direct=direct == "true")
    keyword = call.query.get("keyWord", "").casefold()
    hits = [row for row in rows if keyword in row["name"].casefold()]
    array = "list" if call.dialect.edition == "2025-03" else "data"
    return {"total": call.dialect.number(len(hits)), array: [_user(row) for row in call.cut(hits)]}


def user(call: Call) -> dict[str, Any]:
    """``GET /users/{userId}`` (GetUser)."""
    row = call.store.user(call.path["userId"])
    if row is None:
        raise RefusalError(CODE_NOT_FOUND, f"Resource does not exist: user {call.path['userId']}")
    return {"data": {**_user(row), "orgId": ORGANISATION_ID}}


def _user(row: Row) -> dict[str, Any]:
    return {
        "id": row["id"],
        "userId": row["user_id"],
        "name": row["name"],
        "deptId": row["dept_id"],
        "deptName": row["dept_name"],
        "mobile": row["mobile"],
        "role": row["role"],
        "status": 0,
    }


def session_auth(call: Call) -> dict[str, Any]:
    """``GET /session/auth`` (authSession): who the token belongs to; not for app authentication."""
    return {
        "data": {
            "role": call.user["role"],
            "userName": call.user["name"],
            "innerUserId": call.user["id"],
            "userId": call.user["user_id"],
            "tenantId": TENANT_ID,
            "orgId": ORGANISATION_ID,
            "orgName": "Organisation",
            "deptId": call.user["dept_id"],
            "userCount": _user_count(call),
        }
    }


def quota_used(call: Call) -> dict[str, Any]:
    """``GET /service/quotaUsed`` (GetQuotaUsed): sizes in GB, what is used in KB."""
    pool = call.limits.max_capacity
    amounts = {
        "spaceCapacity": 5 * pool,
        "spaceUsed": 0,
        "spaceQuotaUsed": call.store.assigned_capacity(),
        "userCount": _user_count(call),
        "userMaxCount": 10 * _user_count(call),
        "deptSpaceQuota": 3 * pool,
        "personalSpaceQuota": pool,
        "groupSpaceQuota": pool,
        "reservedSpaceQuota": 0,
        "deptSpaceUsed": 0,
        "personalSpaceUsed": 0,
        "groupSpaceUsed": 0,
        "deptSpaceQuotaUsed": 0,
        "personalSpaceQuotaUsed": 0,
        "groupSpaceQuotaUsed": call.store.assigned_capacity(),
    }
    return {"data": {name: call.dialect.number(amount) for name, amount in amounts.items()}}


def _user_count(call: Call) -> int:
    return len(call.store.users(department_id=None, direct=False))
