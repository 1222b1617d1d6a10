"""Departments: KooDrive API Reference, "Department Management"."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_koodrive.sandbox.service.envelope import no_permission
from airflow_provider_koodrive.sandbox.storage.seed import ORGANISATION_ID, ROOT_DEPARTMENT_ID, TENANT_ID

if TYPE_CHECKING:
    from airflow_provider_koodrive.sandbox.service.call import Call
    from airflow_provider_koodrive.sandbox.storage.store import Row


def department_list(call: Call) -> dict[str, Any]:
    """``GET /departmentList`` (GetDepartmentList): departments directly below one, by default the root."""
    rows = call.store.departments(call.query.get("departmentId") or ROOT_DEPARTMENT_ID)
    keyword = call.query.get("keyWord", "").casefold()
    return {"data": [_department(row) for row in rows if keyword in row["name"].casefold()]}


def department_space_list(call: Call) -> dict[str, Any]:
    """``GET /space/departmentList`` (GetDepartmentSpaceList): all departments, each of which has a space."""
    if not call.is_administrator:
        raise no_permission("Only tenant administrators may list all departments.")
    keyword = call.query.get("keyWord", "").casefold()
    hits = [row for row in call.store.all_departments() if keyword in row["name"].casefold()]
    fields = ("id", "parentId", "name", "tenantId")
    departments = [{key: _department(row)[key] for key in fields} for row in call.page_of(hits)]
    return {"total": call.response_format.number(len(hits)), "departments": departments}


def _department(row: Row) -> dict[str, Any]:
    return {
        "id": row["id"],
        "orgId": ORGANISATION_ID,
        "deptId": row["dept_id"],
        "parentId": row["parent_id"],
        "name": row["name"],
        "tenantId": TENANT_ID,
    }
