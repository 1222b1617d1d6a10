"""Rows become departments: keys, names of spaces, members, capacity, and what is wrong with a row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_koodrive.departments import cells
from airflow_provider_koodrive.departments.model import BadRow, Department, DepartmentList
from airflow_provider_koodrive.departments.table import Row, row_of
from airflow_provider_koodrive.exceptions import KooDriveValidationError
from airflow_provider_koodrive.formatting import shown
from airflow_provider_koodrive.naming import group_space_name

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_MEMBERS = 200
"""Most members of one group space ("Creating a Group Space")."""


class _BadRowError(ValueError):
    pass


def department_list(value: Any) -> DepartmentList:
    """
    Return a list of departments from any of its forms.

    :param value: a :class:`DepartmentList`, the XCom of ``DepartmentListOperator``, or a list of
        ``{"key"?, "name", "user_ids"? or "members"?, "capacity"?}``
    :raises KooDriveValidationError: it is none of these
    """
    if isinstance(value, DepartmentList):
        return value
    if isinstance(value, Mapping):
        return DepartmentList.from_json(value)
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        items = enumerate(value, 1)
        rows = [row for number, item in items if (row := row_of(f"item {number}", _renamed(item)))]
        return departments_of(rows, source="list of departments")
    raise KooDriveValidationError(f"not a list of departments: {shown(value)}")


def departments_of(rows: Iterable[Row], *, source: str, exact_ids: bool = False) -> DepartmentList:
    """
    Return the departments that rows describe; a row that is wrong is reported and does not stop the others.

    :param rows: the rows, in the source's order
    :param source: the source, for people
    :param exact_ids: the ids have never been in a spreadsheet, so that zeros at their end prove nothing
    """
    departments: list[Department] = []
    bad_rows: list[BadRow] = []
    seen: dict[tuple[str, str], str] = {}
    for row in rows:
        try:
            department, problems = _department(row, exact_ids)
            _refuse_repeated(department, seen)
        except (_BadRowError, KooDriveValidationError) as err:
            bad_rows.append(BadRow(row.origin, str(err), *_protected(row)))
            continue
        departments.append(department)
        bad_rows += [BadRow(row.origin, text, department.key, department.space_name) for text in problems]
    return DepartmentList(source, tuple(departments), tuple(bad_rows))


def space_name_of(name: str) -> str:
    """
    Return the name of a department's space, the same for all spellings that need a hash.

    :param name: the department's name, clean
    :raises KooDriveValidationError: the name is blank
    """
    space_name = group_space_name(name)
    return space_name if space_name == name else group_space_name(cells.identity(name) or name)


def _department(row: Row, exact_ids: bool) -> tuple[Department, list[str]]:
    if row.problem:
        raise _BadRowError(row.problem)
    name = row.text("name") or ""
    if not name:
        raise _BadRowError("has no name")
    if cells.is_spreadsheet_error(name):
        raise _BadRowError(f"has the name {shown(name)}, which is an error of a spreadsheet's formula")
    space_name = space_name_of(name)
    problems: list[str] = []
    spellings = {row.cells.get("name") or name, name, cells.identity(name)}
    # One spelling has one name; for most rows this halves the work.
    others = {group_space_name(text) for text in spellings} - {space_name} if len(spellings) > 1 else set()
    department = Department(
        key=_key(row, name, problems, exact_ids),
        name=name,
        space_name=space_name,
        user_ids=_user_ids(row, name, problems, exact_ids),
        capacity=_capacity(row, name),
        origin=row.origin,
        path=row.text("path"),
        other_space_names=tuple(sorted(others)),
    )
    return department, problems


def _key(row: Row, name: str, problems: list[str], exact_ids: bool) -> str:
    text = cells.clean_id(row.text("id") or "")
    damage = None if exact_ids else _damage(text)
    if damage:
        problems.append(f"{shown(name)} has the id {shown(text)}, which {damage}; it goes by its name")
    return text if text and not damage else f"name:{cells.identity(name)}"


def _user_ids(row: Row, name: str, problems: list[str], exact_ids: bool) -> tuple[str, ...] | None:
    text = row.text("members")
    if text is None:
        return None
    user_ids = []
    for user_id in cells.ids_of(row.cells["members"] or ""):
        damage = None if exact_ids else _damage(user_id)
        if damage:
            problems.append(f"{shown(name)} has the member {shown(user_id)}, which {damage}; left out")
        else:
            user_ids.append(user_id)
    if len(user_ids) > MAX_MEMBERS:
        raise _BadRowError(f"{shown(name)} has {len(user_ids)} members, KooDrive allows {MAX_MEMBERS}")
    return tuple(user_ids)


def _damage(text: str) -> str | None:
    if cells.is_spreadsheet_error(text):
        return "is an error of a spreadsheet's formula"
    if not text.isprintable():
        return "has characters that cannot be shown"
    return cells.id_damage(text)


def _capacity(row: Row, name: str) -> int | None:
    text = row.text("capacity")
    if not text:
        return None
    number = cells.whole_number(text)
    if number is None:
        raise _BadRowError(
            f"{shown(name)} has the capacity {shown(text)}, not a whole number of GB from 1 on"
        )
    return number


def _refuse_repeated(department: Department, seen: dict[tuple[str, str], str]) -> None:
    keys = {
        ("name", cells.identity(department.name)),
        ("space name", cells.identity(department.space_name)),
    }
    if not department.key.startswith("name:"):
        keys.add(("id", department.key))
    for kind, text in sorted(keys):
        if (kind, text) in seen:
            raise _BadRowError(
                f"{shown(department.name)} is the same department as {seen[kind, text]}: same {kind}"
            )
    seen.update(dict.fromkeys(keys, department.origin))


def _protected(row: Row) -> tuple[str | None, str | None]:
    """Return key and name of the space that a bad row protects, as far as they can be read."""
    name = cells.clean((row.cells.get("name") or "").replace("\x00", ""))
    if not name or cells.is_unusable(name) or cells.is_null(name) or cells.is_spreadsheet_error(name):
        return None, None
    text = cells.clean_id((row.cells.get("id") or "").replace("\x00", ""))
    readable = text and not cells.is_unusable(text) and not cells.is_null(text) and not _damage(text)
    try:
        return (text if readable else f"name:{cells.identity(name)}"), space_name_of(name)
    except KooDriveValidationError:
        return None, None


def _renamed(item: Any) -> Any:
    if not isinstance(item, Mapping):
        return item
    names = {"key": "id", "user_ids": "members"}
    return {names.get(name, name): value for name, value in item.items()}
