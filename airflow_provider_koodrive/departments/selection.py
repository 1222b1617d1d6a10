"""Selection of the departments that get a space, or members, in this run."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow_provider_koodrive.departments import cells
from airflow_provider_koodrive.departments.rows import department_list
from airflow_provider_koodrive.exceptions import KooDriveGuardError, KooDriveValidationError
from airflow_provider_koodrive.formatting import shown
from airflow_provider_koodrive.naming import folded_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from airflow_provider_koodrive.departments.model import Department

log = logging.getLogger(__name__)


class Spaces:
    """
    Listed group spaces, to be found by department.

    :param listing: what ``GroupSpaceListOperator`` returns, or its ``groups``
    :param owner_ids: user ids; spaces that one of them owns or has created count as own. Empty: all do
    """

    def __init__(
        self, listing: Mapping[str, Any] | Iterable[Mapping[str, Any]], owner_ids: Iterable[str] = ()
    ) -> None:
        groups = listing["groups"] if isinstance(listing, Mapping) else listing
        owners = {str(owner) for owner in owner_ids}
        self.own: dict[str, Mapping[str, Any]] = {}
        self.others: dict[str, Mapping[str, Any]] = {}
        self.alike: dict[str, str] = {}
        for group in groups:
            name = group.get("name")
            if not name:
                continue
            # A space that was handed over to another owner keeps its creator.
            is_own = not owners or group.get("ownerId") in owners or group.get("creator") in owners
            (self.own if is_own else self.others).setdefault(cells.identity(name), group)
            if is_own:
                self.alike.setdefault(_folded(name), name)

    def of(self, department: Department) -> Mapping[str, Any] | None:
        """Return the own space of a department, None if there is none."""
        return _first(department, self.own)

    def of_others(self, department: Department) -> Mapping[str, Any] | None:
        """Return somebody else's space of the department's name, None if there is none."""
        return _first(department, self.others)

    def reads_alike(self, department: Department) -> str | None:
        """Return the name of an own space that differs only in case or width, None if there is none."""
        return None if self.of(department) else self.alike.get(_folded(department.space_name))


def missing_members(department: Department, space: Mapping[str, Any]) -> int:
    """
    Return how many of a department's members its space lacks at least.

    ``userNum`` counts the owner too (inferred), and members that people have added by hand: they can hide one
    who is missing.
    """
    count = space.get("userNum")
    if not department.user_ids or count is None:
        return 0
    wanted = {*department.user_ids, *([space["ownerId"]] if space.get("ownerId") else [])}
    return max(0, len(wanted) - int(count))


def select_new(
    departments: Any,
    listing: Mapping[str, Any],
    owner_ids: Sequence[str] | str | None = (),
    limit: int | None = None,
    *,
    allow_second_spaces: bool = False,
) -> list[dict[str, Any]]:
    """
    Return the ``space`` arguments of ``CreateGroupSpaceOperator`` for the departments that need this run.

    These are the departments without a space, in the source's order, and then those whose space has fewer
    members than are named, so that a member who could not be added is tried again every night.

    .. code-block:: python

        CreateGroupSpaceOperator.partial(task_id="create_space").expand(space=select_new(...))

    :param departments: XCom of ``DepartmentListOperator``, or a list of ``{"name", "user_ids"?, …}``
    :param listing: XCom of ``GroupSpaceListOperator``, with at least ``name``, ``ownerId``, ``creator`` and
        ``userNum`` of each space
    :param owner_ids: ids of the users whose spaces count, such as the connection's ``user_id``; names are
        unique for each creator only. None or empty: everybody's count
    :param limit: most departments to return, None for all
    :param allow_second_spaces: go on even if more than half of the departments have a space of another user
    :return: ``{"name", "user_ids", "capacity"}`` each
    :raises KooDriveValidationError: an argument is wrong
    :raises KooDriveGuardError: more than half of the departments would get a second space, since the spaces
        that they have belong to another user
    """
    if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 1):
        raise KooDriveValidationError(f"limit={shown(limit)} must be a whole number from 1 on, or None")
    known = department_list(departments)
    spaces = Spaces(listing, owners(owner_ids))
    new = [department for department in known.departments if not spaces.of(department)]
    _warn(new, spaces)
    _stop_second_spaces(new, len(known.departments), spaces, allow_second_spaces)
    chosen = [
        {"name": department.space_name, "user_ids": _members(department), "capacity": department.capacity}
        for department in new
    ]
    for department in known.departments:
        space = spaces.of(department)
        if space and missing_members(department, space):
            chosen.append({"name": space["name"], "user_ids": _members(department), "capacity": None})
    log.info("%s departments are new, %s lack members", len(new), len(chosen) - len(new))
    if limit is not None and len(chosen) > limit:
        log.warning(
            "%s of %s departments wait for the next run: limit is %s", len(chosen) - limit, len(chosen), limit
        )
    return chosen[:limit]


def owners(owner_ids: Sequence[str] | str | None) -> list[str]:
    """Return user ids as a list; one id may come as text."""
    return [owner_ids] if isinstance(owner_ids, str) and owner_ids else [*(owner_ids or ())]


def _members(department: Department) -> list[str] | None:
    return None if department.user_ids is None else list(department.user_ids)


def _warn(new: Iterable[Department], spaces: Spaces) -> None:
    for department in new:
        other = spaces.of_others(department)
        if other:
            log.warning(
                "Department %s gets a second space: user %s has one of the name %s, id %s",
                shown(department.name),
                other.get("ownerId"),
                shown(other["name"]),
                other.get("id"),
            )
        alike = spaces.reads_alike(department)
        if alike:
            log.warning(
                "KooDrive may refuse the name %s: the space %s differs only in case or width",
                shown(department.space_name),
                shown(alike),
            )


def _stop_second_spaces(new: Sequence[Department], total: int, spaces: Spaces, allowed: bool) -> None:
    second = [department for department in new if spaces.of_others(department)]
    if allowed or 2 * len(second) <= total:
        return
    owner_ids = sorted({shown((spaces.of_others(d) or {}).get("ownerId")) for d in second})[:5]
    raise KooDriveGuardError(
        f"{len(second)} of {total} departments would get a second space, such as "
        f"{shown(second[0].space_name)}: the spaces that they have belong to {', '.join(owner_ids)}",
        advice="if the connection's user has changed, use that user again, or add its id to owner_ids; "
        "allow_second_spaces=True goes on",
    )


def _first(department: Department, spaces: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any] | None:
    for name in (department.space_name, *department.other_space_names, department.name):
        if (space := spaces.get(cells.identity(name))) is not None:
            return space
    return None


def _folded(name: str) -> str:
    return folded_name(cells.identity(name))
