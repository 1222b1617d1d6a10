"""Parse KooDrive's records tolerantly: documents and examples differ in names and types."""

from __future__ import annotations

from functools import cache
from types import NoneType
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar, cast

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    GetCoreSchemaHandler,
    TypeAdapter,
    ValidationError,
    with_config,
)
from pydantic_core import core_schema

# pydantic needs this one below Python 3.12; Airflow brings it.
from typing_extensions import TypedDict

from airflow_provider_koodrive.exceptions import KooDriveResponseError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping


class _NoneOnError:
    """What does not parse is unknown; a schema rather than a function, since a page has many numbers."""

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return core_schema.with_default_schema(handler(source), default=None, on_error="default")


def _usable_or_none(identity: str | None) -> str | None:
    return identity if identity and identity.isprintable() else None


def _is_usable(identity: str) -> bool:
    return bool(identity) and identity.isprintable() and " " not in identity


def _usable(identity: str) -> str:
    if not _is_usable(identity):
        raise ValueError("an id must have characters that can be shown, and no blanks")
    return identity


def _list_or_empty(value: object) -> object:
    return [] if value is None else value


# Numbers come as numbers or as text.
LenientInt = Annotated[int | None, _NoneOnError()]


# Ids are shown in logs and errors, where a line break could feign a line of its own.
Identity = Annotated[str, AfterValidator(_usable)]


class _Identified(TypedDict):
    id: Identity


# Ids have up to 19 digits or are opaque, so they are text; some answers give them as numbers.
@with_config(ConfigDict(extra="allow", coerce_numbers_to_str=True))
class _Record(_Identified, total=False):
    containerId: str | None
    name: str | None
    groupName: str | None
    ownerId: str | None
    creator: str | None
    status: LenientInt
    capacity: LenientInt
    spaceUsed: LenientInt
    userNum: LenientInt


# The fields of _Record.
_NUMBERS: tuple[Literal["status", "capacity", "spaceUsed", "userNum"], ...] = (
    "status",
    "capacity",
    "spaceUsed",
    "userNum",
)
_TEXTS = ("containerId", "name", "groupName", "ownerId", "creator")
_TEXT_TYPES = frozenset({str, NoneType})
_NUMBER_TYPES = frozenset({int, NoneType})


@with_config(ConfigDict(extra="ignore"))
class GroupSpacePage(TypedDict, total=False):
    """One page of "Listing Group Spaces in an Enterprise" or "Querying Information About a Team Space"."""

    total: LenientInt
    groupsTotal: LenientInt
    groupsMax: LenientInt
    assignedCapacity: LenientInt
    maxCapacity: LenientInt
    groups: Annotated[list[_Record], BeforeValidator(_list_or_empty)]


@with_config(ConfigDict(extra="ignore", coerce_numbers_to_str=True))
class _Member(TypedDict):
    userId: Identity


@with_config(ConfigDict(extra="ignore"))
class MemberPage(TypedDict, total=False):
    """One page of "Listing Members in a User Group"."""

    total: LenientInt
    userGroupMemberInfos: Annotated[list[_Member], BeforeValidator(_list_or_empty)]


@with_config(ConfigDict(extra="ignore", coerce_numbers_to_str=True))
class CreateAnswer(TypedDict):
    """
    The response to "Creating a Group Space".

    :param id: group id or space id, the documents differ; missing in the oldest
    """

    id: Annotated[str | None, AfterValidator(_usable_or_none)]
    failedList: Annotated[list[Identity], BeforeValidator(_list_or_empty)]


@with_config(ConfigDict(extra="ignore", coerce_numbers_to_str=True))
class BatchAnswer(TypedDict, total=False):
    """
    The response to "Adding Members to a User Group".

    :param status: 0 where all were added, 1 a part, 2 none
    """

    status: LenientInt
    failedList: Annotated[list[Identity], BeforeValidator(_list_or_empty)]


T = TypeVar("T")


def parse_group_space_page(envelope: Mapping[str, Any], *, key: str) -> GroupSpacePage:
    """
    Parse one page of a list of spaces; unknown fields of a space are kept.

    :param envelope: KooDrive's envelope; its spaces are changed in place
    :param key: field with the spaces: ``groups`` or ``teams``
    :raises KooDriveResponseError: the spaces are not a list of objects
    """
    data = envelope.get("data")
    if key not in envelope and data is not None:
        # Other lists of KooDrive's come in `data` (inferred).
        envelope = {**envelope, **data} if isinstance(data, dict) else {**envelope, key: data}
    records = envelope.get(key)
    # pydantic takes four times as long as a look at the types, so it parses only the pages that need it.
    typed = isinstance(records, list) and all(map(_is_typed, records))
    fields = {name: envelope.get(name) for name in GroupSpacePage.__annotations__}
    page = _parse(GroupSpacePage, {**fields, "groups": [] if typed else records}, key)
    if key not in envelope and page["total"] != 0:
        raise KooDriveResponseError(f"KooDrive's answer has no {key}")
    if typed:
        page["groups"] = cast("list[_Record]", records)
    else:
        _delete_defaults(page["groups"], records or ())
    for space in page["groups"]:
        # The tables of one generation say `name`, those of another and all examples `groupName`.
        other = space.pop("groupName", None)
        if not space.get("name"):
            space["name"] = other
    return page


def _is_typed(record: object) -> bool:
    """Return whether all fields of a record have their types already."""
    if not isinstance(record, dict) or type(record.get("id")) is not str:
        return False
    for name in _TEXTS:
        if type(record.get(name)) not in _TEXT_TYPES:
            return False
    for name in _NUMBERS:
        if type(record.get(name)) not in _NUMBER_TYPES:  # not isinstance(), for which True is a number
            return False
    return _is_usable(record["id"])


def _delete_defaults(spaces: Iterable[_Record], sources: Iterable[Mapping[str, Any]]) -> None:
    """Delete the numbers that the schema's default for what does not parse has filled in."""
    for space, source in zip(spaces, sources, strict=True):
        for number in _NUMBERS:
            if number not in source:
                space.pop(number, None)


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
    return _parse(MemberPage, fields, "userGroupMemberInfos")


def parse_create_answer(envelope: Mapping[str, Any]) -> CreateAnswer:
    """
    Parse what was created and which members could not be added.

    :raises KooDriveResponseError: ``failedList`` is not a list of ids
    """
    fields = {"id": envelope.get("id"), "failedList": envelope.get("failedList")}
    return _parse(CreateAnswer, fields, "failedList")


def parse_batch_answer(envelope: Mapping[str, Any]) -> BatchAnswer:
    """
    Parse which members could not be added.

    :raises KooDriveResponseError: ``failedList`` is not a list of ids
    """
    fields = {"status": envelope.get("status"), "failedList": envelope.get("failedList")}
    return _parse(BatchAnswer, fields, "failedList")


# An adapter is made when it is first used: a task needs one or two.
_adapter: Callable[[Any], TypeAdapter[Any]] = cache(TypeAdapter)


def _parse(kind: type[T], fields: Mapping[str, Any], key: str) -> T:
    try:
        return cast("T", _adapter(kind).validate_python(fields))
    except ValidationError as err:
        first = err.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise KooDriveResponseError(
            f"KooDrive's answer has an unexpected {where or key}: {first['msg']}"
        ) from None
