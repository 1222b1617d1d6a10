"""The calls of KooDrive's REST API that the provider makes: each path is spelled once, here."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from urllib.parse import quote

from airflow_provider_koodrive.api.http.request import checked_path
from airflow_provider_koodrive.api.resources.models import (
    BatchAnswer,
    CreateAnswer,
    GroupSpacePage,
    MemberPage,
    parse_batch_answer,
    parse_create_answer,
    parse_group_space_page,
    parse_member_page,
)
from airflow_provider_koodrive.api.resources.records import RecordPage, parse_records

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

ROOT = "/koodrive/ose/v1"


@dataclass(frozen=True)
class Endpoint(Generic[T]):
    """
    A call of KooDrive's REST API.

    :param method: HTTP method
    :param path: path with the names of ids in braces, such as ``/koodrive/ose/v1/users/{user_id}``
    :param success_fields: fields of which one must be there for a success without ``code`` (inferred)
    :param parse: makes the result of KooDrive's envelope
    :param page_title: title of the page in KooDrive's API reference, its name where the title is not known
    """

    method: str
    path: str
    success_fields: tuple[str, ...]
    parse: Callable[[dict[str, Any]], T]
    page_title: str

    def path_of(self, **ids: str) -> str:
        """
        Return the path with its ids.

        :param ids: text for each name in braces
        :raises KooDriveValidationError: with an id the path would leave ``/koodrive/``
        """
        if not ids:
            return self.path
        return checked_path(self.path.format(**{name: quote(text, safe="") for name, text in ids.items()}))


def _data(envelope: dict[str, Any]) -> dict[str, Any]:
    """Return ``data``, empty where it is not an object."""
    data = envelope.get("data")
    return data if isinstance(data, dict) else {}


LIST_GROUP_SPACES: Endpoint[GroupSpacePage] = Endpoint(
    "GET",
    f"{ROOT}/space/groupList",
    ("groups",),
    partial(parse_group_space_page, key="groups"),
    "Listing Group Spaces in an Enterprise",
)
LIST_OWN_SPACES: Endpoint[GroupSpacePage] = Endpoint(
    "GET",
    f"{ROOT}/space/teamList",
    ("teams",),
    partial(parse_group_space_page, key="teams"),
    "Querying Information About a Team Space",
)
CREATE_GROUP_SPACE: Endpoint[CreateAnswer] = Endpoint(
    "POST", f"{ROOT}/space/group", ("id", "failedList"), parse_create_answer, "Creating a Group Space"
)
DISMISS_GROUP_SPACE: Endpoint[dict[str, Any]] = Endpoint(
    "DELETE", f"{ROOT}/space/group/{{group_id}}", (), dict, "Dismissing a Group Space"
)
LIST_MEMBERS: Endpoint[MemberPage] = Endpoint(
    "GET",
    f"{ROOT}/usergroups/{{group_id}}/members",
    ("userGroupMemberInfos", "data"),
    parse_member_page,
    "Listing Members in a User Group",
)
ADD_MEMBERS: Endpoint[BatchAnswer] = Endpoint(
    "POST",
    f"{ROOT}/usergroups/{{group_id}}/members/batchAdd",
    ("status", "failedList"),
    parse_batch_answer,
    "Adding Members to a User Group",
)
LIST_DEPARTMENTS: Endpoint[RecordPage] = Endpoint(
    "GET",
    f"{ROOT}/departmentList",
    ("data",),
    partial(parse_records, keys=("data",)),
    "GetDepartmentList",
)
LIST_DEPARTMENT_SPACES: Endpoint[RecordPage] = Endpoint(
    "GET",
    f"{ROOT}/space/departmentList",
    ("departments",),
    partial(parse_records, keys=("departments", "data")),
    "GetDepartmentSpaceList",
)
LIST_USERS: Endpoint[RecordPage] = Endpoint(
    "GET",
    f"{ROOT}/userList",
    ("list", "data"),
    partial(parse_records, keys=("list", "data")),
    "Listing Users",
)
QUERY_USER: Endpoint[dict[str, Any]] = Endpoint(
    "GET", f"{ROOT}/users/{{user_id}}", ("data",), _data, "Querying User Information"
)
CHECK_SESSION: Endpoint[dict[str, Any]] = Endpoint(
    "GET",
    f"{ROOT}/session/auth",
    ("data",),
    _data,
    "Checking Whether a User Session Is Invalid Based on Token Information",
)

CATALOGUE: tuple[Endpoint[Any], ...] = (
    CREATE_GROUP_SPACE,
    LIST_GROUP_SPACES,
    LIST_OWN_SPACES,
    DISMISS_GROUP_SPACE,
    LIST_MEMBERS,
    ADD_MEMBERS,
    LIST_DEPARTMENTS,
    LIST_DEPARTMENT_SPACES,
    LIST_USERS,
    QUERY_USER,
    CHECK_SESSION,
)
