"""Members of a group space: KooDrive API Reference, "Group Management"."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_koodrive.sandbox.clock import iso_milliseconds
from airflow_provider_koodrive.sandbox.service.envelope import bad_parameters, no_permission, unknown_group

if TYPE_CHECKING:
    from airflow_provider_koodrive.sandbox.service.call import Call
    from airflow_provider_koodrive.sandbox.storage.store import Row

MAX_MEMBERS = 200
CUSTOM_TEMPLATE = -1
CAPABILITIES = frozenset(
    {
        "addChildNodePermission",
        "copyPermission",
        "deletePermission",
        "downloadPermission",
        "editPermission",
        "listChildNodePermission",
        "removeChildNodePermission",
        "renameFilePermission",
        "shareFilePermission",
        "uploadPermission",
        "viewPermission",
    }
)


@dataclass(frozen=True)
class WantedMember:
    """A member as a request names it."""

    user_id: str
    template: int | None = None
    capabilities: dict[str, bool] | None = None


def wanted_members(body: dict[str, Any], *, field: str, need_template: bool) -> list[WantedMember] | None:
    """
    Read the members that a body names, in either edition's form.

    :param field: the newer form's field, an array of objects; the older form is ``userIds``
    :param need_template: whether the newer form must say the template
    :return: each user once, or None if the body has neither field
    """
    if field in body and "userIds" in body:
        raise bad_parameters(f"{field} and userIds must not both be given.")
    listed = body.get(field, body.get("userIds"))
    if listed is None:
        return None
    if not isinstance(listed, list):
        raise bad_parameters(f"{field} or userIds must be an array.")
    read = _read_object if field in body else _read_id
    members = {member.user_id: member for member in (read(item, need_template) for item in listed)}
    if len(members) > MAX_MEMBERS:
        raise bad_parameters(f"A group space has at most {MAX_MEMBERS} members.")
    return list(members.values())


def _read_id(item: object, _need_template: bool) -> WantedMember:
    if not isinstance(item, str):
        raise bad_parameters("userIds must hold strings.")
    return WantedMember(item)


def _read_object(item: object, need_template: bool) -> WantedMember:
    if not isinstance(item, dict):
        raise bad_parameters("A member must be an object.")
    user_id, template, capabilities = (item.get(key) for key in ("userId", "template", "capabilities"))
    # The create call says String, the batch calls Long.
    if isinstance(user_id, bool) or not isinstance(user_id, str | int):
        raise bad_parameters("userId of a member must be a string or an integer.")
    if template is None and not need_template:
        return WantedMember(str(user_id))
    if isinstance(template, bool) or not isinstance(template, int):
        raise bad_parameters("template of a member must be an integer.")
    if capabilities is not None:
        if template != CUSTOM_TEMPLATE:
            raise bad_parameters(f"capabilities go with template {CUSTOM_TEMPLATE} only.")
        if not _are_capabilities(capabilities):
            raise bad_parameters("capabilities must hold each permission as a boolean.")
    return WantedMember(str(user_id), template, capabilities)


def _are_capabilities(value: object) -> bool:
    return (
        isinstance(value, dict)
        and value.keys() == CAPABILITIES
        and all(isinstance(granted, bool) for granted in value.values())
    )


def add_members(call: Call, space_id: str, owner_id: str, wanted: list[WantedMember]) -> list[str]:
    """
    Make users members of a space; a member stays one, with the permissions given now, and the owner owner.

    :return: ids of the users that could not be added
    """
    failed: list[str] = []
    for member in wanted:
        if member.user_id == owner_id:
            continue
        if len(failed) < call.failing_members or call.store.user(member.user_id) is None:
            failed.append(member.user_id)
            continue
        call.store.add_member(
            space_id,
            member.user_id,
            template=member.template,
            capabilities=member.capabilities,
            now=call.now,
        )
    return failed


def list_members(call: Call) -> dict[str, Any]:
    """``GET /usergroups/{groupId}/members`` (GetUserGroupMemberList)."""
    space = _space(call)
    rows = call.store.members(space["id"])
    if not call.is_administrator and call.user_id not in {row["user_id"] for row in rows}:
        raise no_permission("Only members may see the members.")
    keyword = call.query.get("keyWord", "").casefold()
    hits = [row for row in rows if keyword in row["name"].casefold()]
    return {
        "total": call.response_format.number(len(hits)),
        "userGroupMemberInfos": [_member_info(row, space) for row in call.page_of(hits)],
    }


def _member_info(row: Row, space: Row) -> dict[str, Any]:
    added = iso_milliseconds(row["added_at"])
    return {
        "userId": row["user_id"],
        "userName": row["name"],
        "deptId": row["dept_id"],
        "deptName": row["dept_name"],
        "mobile": row["mobile"],
        "createdTime": added,
        "updatedTime": added,
        "role": 0 if row["user_id"] == space["creator"] else 2,
        "top": 0,
    }


def batch_add(call: Call) -> dict[str, Any]:
    """``POST /usergroups/{groupId}/members/batchAdd`` (BatchAddGroupMembers)."""
    wanted = _batch(call)
    with call.store.transaction():
        space = _space(call)
        call.must_manage(space)
        present = {row["user_id"] for row in call.store.members(space["id"])} - {space["creator"]}
        if len(present | {member.user_id for member in wanted}) > MAX_MEMBERS:
            raise bad_parameters(f"A group space has at most {MAX_MEMBERS} members.")
        failed = add_members(call, space["id"], space["creator"], wanted)
    return _batch_result(call, wanted, failed)


def batch_delete(call: Call) -> dict[str, Any]:
    """``POST /usergroups/{groupId}/members/batchDelete`` (batchDeleteGroupMembers)."""
    wanted = _batch(call)
    failed: list[str] = []
    with call.store.transaction():
        space = _space(call)
        call.must_manage(space)
        for member in wanted:
            stays = len(failed) < call.failing_members or member.user_id == space["creator"]
            if stays or not call.store.remove_member(space["id"], member.user_id):
                failed.append(member.user_id)
    return _batch_result(call, wanted, failed)


def _batch(call: Call) -> list[WantedMember]:
    wanted = wanted_members(call.json(), field="amendModRoles", need_template=False)
    if not wanted:
        raise bad_parameters("amendModRoles or userIds must name at least one user.")
    return wanted


def _batch_result(call: Call, wanted: list[WantedMember], failed: list[str]) -> dict[str, Any]:
    call.committed = len(failed) < len(wanted)
    if not failed:
        status = 0
    elif call.committed:
        status = 1
    else:
        status = 2
    return {"status": status, "failedList": failed}


def _space(call: Call) -> Row:
    group_id = call.path["groupId"]
    space = call.store.space(space_id=group_id)
    if space is None:
        raise unknown_group(group_id)
    return space
