"""A group space as it is asked for: checked once, then carried whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_koodrive.api.resources.group_spaces import positive_integer
from airflow_provider_koodrive.api.resources.members import LEGACY_EDITION, Member, members_to_be
from airflow_provider_koodrive.exceptions import KooDriveValidationError
from airflow_provider_koodrive.formatting import shown
from airflow_provider_koodrive.naming import check_group_space_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True)
class GroupSpaceSpec:
    """
    A group space as it is asked for; :meth:`checked` makes one of what a user gives.

    :param name: name of the space, at most 30 characters
    :param members: its members, at most 200
    :param capacity: size in GB; None for KooDrive's default
    :param icon_url: picture of the space; None for KooDrive's default
    """

    name: str
    members: tuple[Member, ...] = ()
    capacity: int | None = None
    icon_url: str | None = None

    @classmethod
    def checked(
        cls,
        name: str,
        *,
        user_ids: Sequence[str] | None = None,
        members: Sequence[Mapping[str, Any]] | None = None,
        capacity: int | str | None = None,
        icon_url: str | None = None,
        api_edition: str = "2025-03",
        permission_template: int | None = None,
    ) -> GroupSpaceSpec:
        """
        Check the values of a group space.

        :param name: name of the space, at most 30 characters
        :param user_ids: KooDrive user ids of the members, at most 200
        :param members: ``{"userId", "template", "capabilities"}`` each; instead of ``user_ids``
        :param capacity: size in GB, also as text; None for KooDrive's default
        :param icon_url: picture of the space
        :param api_edition: ``2025-03`` or ``2024-07``: the latter knows no permissions of members
        :param permission_template: default permission template of new members; None for the permissions
            that KooDrive's console gives them, everything but delete
        :raises KooDriveValidationError: a value is not allowed
        """
        check_group_space_name(name)
        wanted = members_to_be(
            user_ids, members, api_edition=api_edition, permission_template=permission_template
        )
        return cls(
            name=name,
            members=tuple(wanted),
            capacity=None if capacity is None else positive_integer("capacity", capacity),
            icon_url=None if icon_url is None else _icon_url(icon_url),
        )

    def to_json(self, api_edition: str) -> dict[str, Any]:
        """Return the body of "Creating a Group Space" in an edition of the API."""
        body: dict[str, Any] = {"name": self.name}
        if self.icon_url is not None:
            body["iconUrl"] = self.icon_url
        if self.capacity is not None:
            body["capacity"] = self.capacity
        if api_edition != LEGACY_EDITION:
            # Mandatory in this edition, so it goes out empty too.
            body["addGroupUsers"] = [member.to_json() for member in self.members]
        elif self.members:
            body["userIds"] = [member.user_id for member in self.members]
        return body


def _icon_url(value: object) -> str:
    if isinstance(value, str) and value.isprintable():
        return value
    raise KooDriveValidationError(f"icon_url must be text without line breaks, not {shown(value)}")
