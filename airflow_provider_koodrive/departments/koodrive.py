"""Departments from KooDrive's own tree, with the members of each if asked for."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from airflow_provider_koodrive.departments.model import BadRow, DepartmentList
from airflow_provider_koodrive.departments.rows import departments_of
from airflow_provider_koodrive.departments.table import Row
from airflow_provider_koodrive.exceptions import KooDriveError, KooDriveSourceError
from airflow_provider_koodrive.formatting import shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from airflow_provider_koodrive.departments.source import Access, Directory

log = logging.getLogger(__name__)

MAX_CALLS = 20_000
"""Most lists that one reading asks for; a list may take several calls, one for each page."""

_DISABLED = "1"
_MAX_FAILURES = 5


@dataclass
class KooDriveDepartments:
    """
    KooDrive's own departments, in the order of its tree.

    The flat list of departments with a space (page GetDepartmentSpaceList) is used if the calling user may
    read it and it holds each department directly below the root; else the tree (page GetDepartmentList), with
    one call for each department. That the flat list holds all departments below is inferred: KooDrive
    allocates a space with each department.

    :param root_department_id: read only what is below this department; None or empty for all (templated)
    :param max_depth: levels below the root, 1 for those directly below it; KooDrive has five
    :param leaves_only: leave out departments that have departments below them
    :param include: patterns of paths such as ``Sales/*``; others are left out; empty for all
    :param exclude: patterns of paths to leave out
    :param members: ``"direct"``: a department's own users become members; ``"all"``: also those of the
        departments below; None: members are not managed. Disabled users are left out
    """

    template_fields: ClassVar[Sequence[str]] = ("root_department_id", "include", "exclude")

    root_department_id: str | None = None
    max_depth: int = 5
    leaves_only: bool = False
    include: Sequence[str] = ()
    exclude: Sequence[str] = ()
    members: Literal["direct", "all"] | None = None

    def read(self, access: Access) -> DepartmentList:
        """
        Read the departments.

        :param access: gives KooDrive's departments and users
        :return: the departments; not ``complete`` if KooDrive failed half way or a page is missing
        :raises KooDriveSourceError: an argument is wrong
        :raises KooDriveError: KooDrive refuses the first call
        """
        if self.members not in (None, "direct", "all"):
            raise KooDriveSourceError(f"members={shown(self.members)} is none of 'direct', 'all', None")
        if self.max_depth < 1:
            raise KooDriveSourceError(f"max_depth={shown(self.max_depth)} must be 1 or more")
        reader = _Reader(access.directory())
        root_id = self.root_department_id or None  # a template renders None as an empty text
        nodes = [node for node in reader.tree(root_id, self.max_depth) if self._wants(node)]
        rows = [self._row(reader, node) for node in nodes]
        found = departments_of(rows, source="KooDrive's departments", exact_ids=True)
        log.info(
            "Read %s departments of KooDrive with %s calls for lists", len(found.departments), reader.calls
        )
        return DepartmentList(
            found.source, found.departments, found.bad_rows + tuple(reader.failures), not reader.failures
        )

    def _wants(self, node: _Node) -> bool:
        if self.leaves_only and node.has_children:
            return False
        if self.include and not any(fnmatchcase(node.path, pattern) for pattern in self.include):
            return False
        return not any(fnmatchcase(node.path, pattern) for pattern in self.exclude)

    def _row(self, reader: _Reader, node: _Node) -> Row:
        members = None
        if self.members:
            user_ids = reader.user_ids(node, direct=self.members == "direct")
            members = None if user_ids is None else " ".join(user_ids)
        return Row(
            f"department {node.id}", {"name": node.name, "id": node.id, "path": node.path, "members": members}
        )


@dataclass
class _Node:
    id: str
    name: str
    path: str
    has_children: bool = False


class _Reader:
    """Ask KooDrive's directory; the failures say what is missing, and several of them end it."""

    def __init__(self, directory: Directory) -> None:
        self.calls = 0
        self.failures: list[BadRow] = []
        self._directory = directory
        self._flat: dict[str, list[dict[str, Any]]] | None = None

    def tree(self, root_id: str | None, max_depth: int) -> list[_Node]:
        self._count()
        top = self._directory.list_departments(root_id)
        if max_depth > 1:
            self._flat = self._flat_list(top)
        return list(self._walk(top, "", max_depth, {root_id} if root_id else set()))

    def user_ids(self, node: _Node, *, direct: bool) -> list[str] | None:
        """Return the ids of a department's users who are not disabled; None if they cannot be read."""
        if self._stopped(node):
            return None
        try:
            users, complete = self._directory.list_users(node.id, direct=direct)
        except KooDriveError as err:
            self._fail(node, f"users could not be read: {err}")
            return None
        if not complete:
            self._fail(node, "users came incompletely; try again later")
        return [user["id"] for user in users if str(user.get("status", "0")) != _DISABLED]

    def _walk(
        self, records: list[dict[str, Any]], above: str, levels: int, seen: set[str]
    ) -> Iterator[_Node]:
        for record in records:
            if record["id"] in seen:  # a tree that runs in a circle
                continue
            seen.add(record["id"])
            name = record.get("name") or ""
            node = _Node(record["id"], name, f"{above}/{name}" if above else name)
            below = self._children(node) if levels > 1 else []
            node.has_children = bool(below)
            yield node
            yield from self._walk(below, node.path, levels - 1, seen)

    def _children(self, node: _Node) -> list[dict[str, Any]]:
        if self._flat is not None:
            return self._flat.get(node.id, [])
        if self._stopped(node):
            return []
        try:
            return self._directory.list_departments(node.id)
        except KooDriveError as err:
            self._fail(node, f"departments below could not be read: {err}")
            return []

    def _flat_list(self, top: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]] | None:
        self._count()
        try:
            records, complete = self._directory.list_department_spaces()
        except KooDriveError as err:
            log.info("KooDrive's flat list of departments does not serve, the tree does: %s", err)
            return None
        ids = {record["id"] for record in records}
        if not complete or any(record["id"] not in ids for record in top):
            log.info("KooDrive's flat list of departments is not complete, the tree is used")
            return None
        below: dict[str, list[dict[str, Any]]] = {}
        for record in records:
            below.setdefault(str(record.get("parentId") or ""), []).append(record)
        return below

    def _stopped(self, node: _Node) -> bool:
        """Count a call; after several failures, or too many calls, nothing more is asked."""
        if self.calls > MAX_CALLS or len(self.failures) >= _MAX_FAILURES:
            return True
        self._count()
        if self.calls > MAX_CALLS:
            self._fail(node, f"not read on from here after {MAX_CALLS} calls; set root_department_id")
        return self.calls > MAX_CALLS

    def _count(self) -> None:
        self.calls += 1

    def _fail(self, node: _Node, problem: str) -> None:
        self.failures.append(BadRow(f"department {node.id}", f"{shown(node.path)}: {problem}"))
