"""Group spaces: KooDrive API Reference, "Space Management"."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_koodrive.sandbox.clock import iso_milliseconds
from airflow_provider_koodrive.sandbox.service.envelope import (
    CODE_DUPLICATE_NAME,
    CODE_NO_SPACE_LEFT,
    RefusalError,
    bad_parameters,
    no_permission,
    unknown_group,
)
from airflow_provider_koodrive.sandbox.service.members import add_members, wanted_members
from airflow_provider_koodrive.sandbox.storage import names
from airflow_provider_koodrive.sandbox.storage.seed import TENANT_ID
from airflow_provider_koodrive.sandbox.storage.store import DuplicateNameError, Row

if TYPE_CHECKING:
    from airflow_provider_koodrive.sandbox.service.call import Call

DEFAULT_CAPACITY = 10
"""Size of a group space that is created without one, in GB; KooDrive user guide."""

_GROUP_SPACE_TYPE = "2"


def create(call: Call) -> dict[str, Any]:
    """``POST /space/group`` (CreateGroupSpace)."""
    body = call.json()
    name, capacity, icon_url = _creation(body)
    wanted = wanted_members(body, field="addGroupUsers", need_template=True)
    if wanted is None and call.response_format.edition == "2025-03":
        raise bad_parameters("addGroupUsers is mandatory.")
    with call.store.transaction():
        _check_room(call, capacity)
        try:
            space = call.store.add_space(
                {
                    "name": name,
                    "creator": call.user_id,
                    "capacity": capacity,
                    "icon_url": icon_url,
                    "created_at": call.now,
                    "visible_from": call.now + call.stale_seconds,
                }
            )
        except DuplicateNameError as err:
            raise RefusalError(CODE_DUPLICATE_NAME, f"Duplicate name: {name}") from err
        failed = add_members(call, space["id"], call.user_id, wanted or [])
    call.committed = True
    shown_id = {"group": space["id"], "container": space["container_id"]}.get(call.response_format.create_id)
    return {"failedList": failed, **({} if shown_id is None else {"id": shown_id})}


def _creation(body: dict[str, Any]) -> tuple[str, int, str]:
    given = {key: value for key, value in body.items() if value is not None}
    name, icon_url = given.get("name"), given.get("iconUrl", "")
    capacity = given.get("capacity", DEFAULT_CAPACITY)
    if not isinstance(name, str) or not isinstance(icon_url, str):
        raise bad_parameters("name and iconUrl must be strings.")
    if (rule := names.broken_rule(name)) is not None:
        raise bad_parameters(rule)
    if isinstance(capacity, bool) or not isinstance(capacity, int) or capacity < 1:
        raise bad_parameters("capacity must be a positive integer.")
    return name, capacity, icon_url


def _check_room(call: Call, capacity: int) -> None:
    if call.store.space_count() >= call.limits.groups_max:
        raise RefusalError(
            CODE_NO_SPACE_LEFT, f"Insufficient space. All {call.limits.groups_max} groups exist."
        )
    left = call.limits.max_capacity - call.store.assigned_capacity()
    if capacity > left:
        raise RefusalError(CODE_NO_SPACE_LEFT, f"Insufficient space. {left} GB are left.")


def group_list(call: Call) -> dict[str, Any]:
    """``GET /space/groupList`` (GetGroupSpaceList), for tenant administrators only."""
    if not call.is_administrator:
        raise no_permission("Only tenant administrators may list all group spaces.")
    offset, limit = call.page()
    keyword = call.query.get("keyWord", "")
    total, rows = call.store.spaces(
        offset=offset, limit=limit, keyword=keyword, now=call.now, least_age=call.stale_seconds
    )
    return {
        "total": call.response_format.number(total),
        "groupsTotal": call.store.space_count(),
        "groupsMax": call.limits.groups_max,
        "assignedCapacity": call.response_format.number(call.store.assigned_capacity()),
        "maxCapacity": call.response_format.number(call.limits.max_capacity),
        "groups": [_element(call, row) for row in rows],
    }


def team_list(call: Call) -> dict[str, Any]:
    """``GET /space/teamList`` (GetTeamSpaceList): the caller's spaces; none of departments exist here."""
    offset, limit = call.page()
    team_type = call.query.get("teamType")
    if team_type not in (None, "0", "1", "2"):
        raise bad_parameters("teamType must be 0, 1 or 2.")
    if team_type == "0":
        return {"total": call.response_format.number(0), "teams": []}
    total, rows = call.store.spaces(
        offset=offset,
        limit=limit,
        keyword=call.query.get("keyWord", ""),
        owner_id=call.user_id if team_type == "1" else None,
        # An owner is always a member, so the owner's spaces are found by the index of owners alone.
        member_id=call.user_id if team_type != "1" else None,
        not_owner_id=call.user_id if team_type == "2" else None,
        now=call.now,
        least_age=call.stale_seconds,
    )
    return {"total": call.response_format.number(total), "teams": [_team(call, row) for row in rows]}


def _team(call: Call, row: Row) -> dict[str, Any]:
    element = _element(call, row)
    if not call.response_format.team_list_names:
        del element[call.response_format.name_field]
    return {**element, "top": 0, "role": 0 if row["creator"] == call.user_id else 2}


def dismiss(call: Call) -> dict[str, Any]:
    """``DELETE /space/group/{groupId}`` (DeleteGroupSpace), for the owner and administrators."""
    group_id = call.path["groupId"]
    with call.store.transaction():
        space = call.store.space(space_id=group_id)
        if space is None:
            raise unknown_group(group_id)
        call.must_manage(space)
        call.store.remove_space(group_id)
    call.committed = True
    return {}


def query_space(call: Call) -> dict[str, Any]:
    """``GET /space/{ownerId}?type=2`` (GetSpace), ``GET /space/container/{…}`` (GetSpaceByContainerID)."""
    if "ownerId" in call.path and call.query.get("type") != _GROUP_SPACE_TYPE:
        raise bad_parameters("The sandbox knows spaces of type 2 only.")
    owner_id, container_id = call.path.get("ownerId"), call.path.get("containerId")
    space = call.store.space(space_id=owner_id, container_id=container_id)
    if space is None:
        raise unknown_group(owner_id or container_id or "")
    members = {member["user_id"] for member in call.store.members(space["id"])}
    if not call.is_administrator and call.user_id not in members:
        raise no_permission("Only members may see the space.")
    return {"data": _space_info(space)}


def _space_info(row: Row) -> dict[str, Any]:
    return {
        "type": _GROUP_SPACE_TYPE,
        "status": "0",
        "ownerId": row["id"],
        "containerId": row["container_id"],
        **_file_ids(row),
        "capacity": str(row["capacity"]),
        "spaceUsed": "0",
        "tenantId": TENANT_ID,
        "creator": row["creator"],
        "createTime": iso_milliseconds(row["created_at"]),
        "modifier": row["creator"],
        "updateTime": iso_milliseconds(row["created_at"]),
    }


def _element(call: Call, row: Row) -> dict[str, Any]:
    return {
        "id": row["id"],
        call.response_format.name_field: row["name"],
        "status": 0,
        "capacity": row["capacity"],
        "spaceUsed": call.response_format.number(0),
        "containerId": row["container_id"],
        "userNum": row["user_num"],
        "ownerId": row["creator"],
        "ownerName": row["owner_name"],
        "tenantId": TENANT_ID,
        "creator": row["creator"],
        "modifier": row["creator"],
        "createTime": iso_milliseconds(row["created_at"]),
        "updateTime": iso_milliseconds(row["created_at"]),
        **_file_ids(row),
        "iconUrl": row["icon_url"],
    }


def _file_ids(row: Row) -> dict[str, str]:
    return {"bizRootFileId": f"{row['container_id']}R", "bizSboxFileId": f"{row['container_id']}S"}
