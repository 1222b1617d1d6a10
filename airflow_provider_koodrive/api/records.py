"""KooDrive's records and their tolerant parsing: documents and examples differ in names and types."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

from pydantic import BeforeValidator, ConfigDict, TypeAdapter, ValidationError, with_config

# pydantic needs this one below Python 3.12; Airflow brings it.
from typing_extensions import TypedDict

from airflow_provider_koodrive.exceptions import KooDriveResponseError


def _int_or_none(value: object) -> int | None:
    """Numbers come as numbers or as text; what is neither is unknown."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return int(value)
    except (ValueError, OverflowError):
        return None


def _text_or_none(value: object) -> str | None:
    """Ids have up to 19 digits or are opaque, so they stay text; some answers give them as numbers."""
    return None if value is None or isinstance(value, dict | list) else str(value)


def _list_or_empty(value: object) -> object:
    return [] if value is None else value


LenientInt = Annotated[int | None, BeforeValidator(_int_or_none)]
LenientText = Annotated[str | None, BeforeValidator(_text_or_none)]


@with_config(ConfigDict(extra="allow"))
class _Record(TypedDict, total=False):
    id: LenientText
    containerId: LenientText
    name: LenientText
    ownerId: LenientText
    creator: LenientText
    status: LenientInt
    capacity: LenientInt
    spaceUsed: LenientInt
    userNum: LenientInt


def _named(value: object) -> object:
    """The tables of one generation say ``name``, those of another and all examples ``groupName``."""
    if not isinstance(value, Mapping):
        return value
    record = dict(value)
    other = record.pop("groupName", None)
    record["name"] = record["name"] if record.get("name") is not None else other
    return record


GroupSpaceRecord = Annotated[_Record, BeforeValidator(_named)]


@with_config(ConfigDict(extra="ignore"))
class GroupSpacePage(TypedDict):
    """One page of "Querying the List of Group Spaces in an Enterprise" or "… Team Spaces"."""

    total: LenientInt
    groupsTotal: LenientInt
    groupsMax: LenientInt
    assignedCapacity: LenientInt
    maxCapacity: LenientInt
    groups: Annotated[list[GroupSpaceRecord], BeforeValidator(_list_or_empty)]


class _Member(TypedDict):
    userId: Annotated[str, BeforeValidator(_text_or_none)]


@with_config(ConfigDict(extra="ignore"))
class MemberPage(TypedDict):
    """One page of "Querying the List of User Group Members"."""

    total: LenientInt
    userGroupMemberInfos: Annotated[list[_Member], BeforeValidator(_list_or_empty)]


@with_config(ConfigDict(extra="ignore"))
class CreateAnswer(TypedDict):
    """
    The answer to "Creating a Group Space" and "Adding Group Members in Batches".

    :param id: group id or space id, the documents differ; missing in the oldest
    """

    id: LenientText
    failedList: Annotated[
        list[Annotated[str, BeforeValidator(_text_or_none)]], BeforeValidator(_list_or_empty)
    ]


T = TypeVar("T")

_group_space_page = TypeAdapter(GroupSpacePage)
_member_page = TypeAdapter(MemberPage)
_create_answer = TypeAdapter(CreateAnswer)


def parse_group_space_page(envelope: Mapping[str, Any], *, key: str) -> GroupSpacePage:
    """
    Parse one page of a list of spaces; unknown fields of a space are kept.

    :param key: where the spaces are: ``groups`` or ``teams``
    :raises KooDriveResponseError: the spaces are not a list of objects
    """
    numbers = {name: envelope.get(name) for name in GroupSpacePage.__annotations__}
    return _parse(_group_space_page, {**numbers, "groups": envelope.get(key)}, key)


def parse_member_page(envelope: Mapping[str, Any]) -> MemberPage:
    """
    Parse one page of a group's members; the page's table and its example name different places.

    :raises KooDriveResponseError: the members are not a list of objects with a ``userId``
    """
    members = envelope.get("userGroupMemberInfos")
    data = envelope.get("data")
    if members is None and isinstance(data, list):
        members = data
    fields = {"total": envelope.get("total"), "userGroupMemberInfos": members}
    return _parse(_member_page, fields, "userGroupMemberInfos")


def parse_create_answer(envelope: Mapping[str, Any]) -> CreateAnswer:
    """
    Parse what was created and which members could not be added.

    :raises KooDriveResponseError: ``failedList`` is not a list of ids
    """
    fields = {"id": envelope.get("id"), "failedList": envelope.get("failedList")}
    return _parse(_create_answer, fields, "failedList")


def _parse(adapter: TypeAdapter[T], fields: Mapping[str, Any], key: str) -> T:
    try:
        return adapter.validate_python(fields)
    except ValidationError as err:
        first = err.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise KooDriveResponseError(
            f"KooDrive's answer has an unexpected {where or key}: {first['msg']}"
        ) from None
