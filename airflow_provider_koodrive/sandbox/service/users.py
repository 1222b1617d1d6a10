"""Users: KooDrive API Reference, "User Management"."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_koodrive.sandbox.service.envelope import CODE_NOT_FOUND, RefusalError, bad_parameters
from airflow_provider_koodrive.sandbox.storage.seed import ORGANISATION_ID

if TYPE_CHECKING:
    from airflow_provider_koodrive.sandbox.service.call import Call
    from airflow_provider_koodrive.sandbox.storage.store import Row


def user_list(call: Call) -> dict[str, Any]:
    """``GET /userList`` (GetUserList): the array is ``list`` in edition 2025-03 and ``data`` in 2024-07."""
    direct = call.query.get("isDirect", "false")
    if direct not in ("true", "false"):
        raise bad_parameters("isDirect must be true or false.")
    rows = call.store.users(department_id=call.query.get("deptId") or None, direct=direct == "true")
    keyword = call.query.get("keyWord", "").casefold()
    hits = [row for row in rows if keyword in row["name"].casefold()]
    array = "list" if call.response_format.edition == "2025-03" else "data"
    return {
        "total": call.response_format.number(len(hits)),
        array: [_user(row) for row in call.page_of(hits)],
    }


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
