"""
The records that the hook returns and XCom holds, as types.

Field names are KooDrive's. Records are plain JSON, and ids are always text.
"""

from __future__ import annotations

from typing import TypedDict


class _NamedSpace(TypedDict):
    id: str
    name: str | None


class GroupSpace(_NamedSpace, total=False):
    """
    A group space, as KooDrive lists it; fields that are not named here are kept as they came.

    Sources in KooDrive's documents: "Listing Group Spaces in an Enterprise", "Querying Information About a
    Team Space". ``id`` is the group id and ``containerId`` the space id; ``capacity`` is in GB, ``spaceUsed``
    in KB (inferred); times are text such as ``2024-05-10T01:46:22.000Z``. A number that cannot be read is
    None.
    """

    containerId: str | None
    status: int | None
    capacity: int | None
    spaceUsed: int | None
    userNum: int | None
    ownerId: str | None
    ownerName: str | None
    creator: str | None
    modifier: str | None
    createTime: str | None
    updateTime: str | None
    tenantId: str | None
    iconUrl: str | None
    bizRootFileId: str | None
    bizSboxFileId: str | None


class GroupSpaceListing(TypedDict):
    """
    The enterprise's group spaces, all pages joined.

    Source in KooDrive's documents: "Listing Group Spaces in an Enterprise". ``total`` counts what was asked
    for, ``groupsTotal`` all group spaces, ``groupsMax`` those that the enterprise may have;
    ``assignedCapacity`` and ``maxCapacity`` are in GB (inferred). A number that KooDrive leaves out is None.
    """

    total: int | None
    groupsTotal: int | None
    groupsMax: int | None
    assignedCapacity: int | None
    maxCapacity: int | None
    groups: list[GroupSpace]


class CreatedGroupSpace(TypedDict):
    """
    The result of creating a group space.

    Source in KooDrive's documents: "Creating a Group Space". ``id`` is the group id and ``containerId`` the
    space id, None if it is not known; ``capacity`` is in GB; ``created`` is False if an existing space was
    reused; ``failedList`` has the user ids that could not be added as members.
    """

    id: str
    containerId: str | None
    name: str
    capacity: int | None
    created: bool
    failedList: list[str]
