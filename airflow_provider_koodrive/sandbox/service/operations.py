"""The operations of KooDrive's API that the sandbox knows: names, methods, paths."""

from __future__ import annotations

from typing import NamedTuple

PREFIX = "/koodrive/ose/v1"


class Operation(NamedTuple):
    """
    An operation of KooDrive's API.

    :param name: name in call records and fault plans
    :param method: HTTP method
    :param path: path below :data:`PREFIX`, with the names of ids in braces
    """

    name: str
    method: str
    path: str


OPERATIONS = (
    Operation("create", "POST", "/space/group"),
    Operation("groupList", "GET", "/space/groupList"),
    Operation("teamList", "GET", "/space/teamList"),
    Operation("departmentSpaceList", "GET", "/space/departmentList"),
    Operation("dismiss", "DELETE", "/space/group/{groupId}"),
    Operation("space", "GET", "/space/container/{containerId}"),
    Operation("space", "GET", "/space/{ownerId}"),
    Operation("departmentList", "GET", "/departmentList"),
    Operation("userList", "GET", "/userList"),
    Operation("user", "GET", "/users/{userId}"),
    Operation("members", "GET", "/usergroups/{groupId}/members"),
    Operation("batchAdd", "POST", "/usergroups/{groupId}/members/batchAdd"),
    Operation("batchDelete", "POST", "/usergroups/{groupId}/members/batchDelete"),
    Operation("sessionAuth", "GET", "/session/auth"),
    Operation("quotaUsed", "GET", "/service/quotaUsed"),
)
OPERATION_NAMES = tuple(dict.fromkeys(operation.name for operation in OPERATIONS))
LISTS = ("groupList", "teamList")
