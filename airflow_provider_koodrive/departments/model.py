"""Departments, rows that cannot be used, and their list as it travels through XCom."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_koodrive.exceptions import KooDriveValidationError
from airflow_provider_koodrive.formatting import shown

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Department:
    """
    A department that is to have a group space.

    :param key: the department's id, else ``name:<name>``; stable from night to night
    :param name: its name, clean
    :param space_name: name of its group space, at most 30 characters
    :param user_ids: KooDrive user ids of the members; empty: none, None: the members are not managed
    :param capacity: size of the space in GB, None for KooDrive's default
    :param path: names of the departments above it and its own, joined by ``/``; None if they are not known
    :param origin: its place in the source, such as ``line 7``
    :param other_space_names: further names that its space may have: another spelling of the same department,
        or the name that an earlier version of this package gave
    """

    key: str
    name: str
    space_name: str
    user_ids: tuple[str, ...] | None = None
    capacity: int | None = None
    path: str | None = None
    origin: str = ""
    other_space_names: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the department as plain JSON; what is None or empty by default is left out."""
        record: dict[str, Any] = {"key": self.key, "name": self.name, "space_name": self.space_name}
        optional = {
            "user_ids": None if self.user_ids is None else list(self.user_ids),
            "capacity": self.capacity,
            "path": self.path,
            "origin": self.origin or None,
            "other_space_names": list(self.other_space_names) or None,
        }
        return record | {key: value for key, value in optional.items() if value is not None}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Department:
        """Return the department that :meth:`to_json` has written."""
        user_ids = record.get("user_ids")
        return cls(
            key=record["key"],
            name=record["name"],
            space_name=record["space_name"],
            user_ids=None if user_ids is None else tuple(user_ids),
            capacity=record.get("capacity"),
            path=record.get("path"),
            origin=record.get("origin", ""),
            other_space_names=tuple(record.get("other_space_names", ())),
        )


@dataclass(frozen=True)
class BadRow:
    """
    A row of the source that is wrong, as a whole or in part.

    If only a part of it is wrong, such as one member's id, the department is in the list as well, without
    that part. Either way the row protects its space: it is no reason to remove anything.

    :param origin: its place in the source, such as ``line 7``
    :param problem: what is wrong with it
    :param key: the department's key, None if it cannot be read
    :param space_name: name of the department's space, None if it cannot be read
    """

    origin: str
    problem: str
    key: str | None = None
    space_name: str | None = None

    def __str__(self) -> str:
        return f"{self.origin} {self.problem}"

    def to_json(self) -> dict[str, Any]:
        """Return the row as plain JSON; what is None is left out."""
        record = {
            "origin": self.origin,
            "problem": self.problem,
            "key": self.key,
            "space_name": self.space_name,
        }
        return {key: value for key, value in record.items() if value is not None}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> BadRow:
        """Return the row that :meth:`to_json` has written."""
        return cls(record["origin"], record["problem"], record.get("key"), record.get("space_name"))


@dataclass(frozen=True)
class DepartmentList:
    """
    The departments of a source, in its order.

    :param source: the source, for people: a path, a connection, KooDrive's tree
    :param departments: the departments
    :param bad_rows: rows that are wrong, as a whole or in part
    :param complete: False if a part of the source could not be read: an absent department proves nothing
    """

    source: str
    departments: tuple[Department, ...] = ()
    bad_rows: tuple[BadRow, ...] = ()
    complete: bool = True

    def to_json(self) -> dict[str, Any]:
        """Return the list as plain JSON: ``source, departments, bad_rows, complete, total``."""
        return {
            "source": self.source,
            "departments": [department.to_json() for department in self.departments],
            "bad_rows": [row.to_json() for row in self.bad_rows],
            "complete": self.complete,
            "total": len(self.departments),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> DepartmentList:
        """
        Return the list that :meth:`to_json` has written.

        :raises KooDriveValidationError: it is something else
        """
        try:
            return cls(
                source=value["source"],
                departments=tuple(map(Department.from_json, value["departments"])),
                bad_rows=tuple(map(BadRow.from_json, value["bad_rows"])),
                complete=value["complete"],
            )
        except (KeyError, TypeError, AttributeError) as err:
            raise KooDriveValidationError(
                f"not a list of departments ({type(err).__name__} {err}): {shown(value)}; "
                "give what DepartmentListOperator returns"
            ) from None
