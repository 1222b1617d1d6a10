"""The contents of a new database: credentials, departments, users."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, NamedTuple

from airflow_provider_koodrive.departments.table import read_table

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from airflow_provider_koodrive.sandbox.storage.store import Store

ROLE_MEMBER = 1
ROLE_ADMINISTRATOR = 2

ROOT_DEPARTMENT_ID = "1314000000000000001"
TENANT_ID = "1300000000000000001"
ORGANISATION_ID = "1008600000000000001"

_FIRST_USER_ID = 1_505_084_218_764_547_200
_FIRST_ORGID_USER_ID = 1_008_600_000_293_202_800
_DEPARTMENTS = ("Finance", "Human Resources", "Research", "Sales")


class DepartmentSeed(NamedTuple):
    """
    A department of a new sandbox.

    :param name: its name
    :param parent: id or name of another one above it, as the file has them; None below the root
    :param key: its id in the file
    """

    name: str
    parent: str | None = None
    key: str | None = None


def read_departments(path: Path) -> list[DepartmentSeed]:
    """
    Read the departments from a file with a column ``name``, and perhaps ``id`` and ``parent``.

    The file is CSV, TSV or JSON. Rows that cannot be read or have no name are left out.

    :param path: file in UTF-8, or UTF-16 with a byte order mark
    :raises ValueError: the file cannot be used, such as one without a column ``name``
    """
    try:
        rows = read_table(path.read_bytes(), known=("name", "id", "parent"))
    except ValueError as err:
        raise ValueError(f"{path}: {err}") from err
    return [
        DepartmentSeed(name, row.text("parent") or None, row.text("id") or None)
        for row in rows
        if row.problem is None and (name := row.text("name"))
    ]


def fill(
    store: Store,
    *,
    users: int,
    departments: Sequence[str | DepartmentSeed] | None,
    app_id: str | None,
    app_secret: str | None,
) -> None:
    """
    Fill a new database; one that was filled before keeps what it has, but for credentials given here.

    :param users: number of users, the first of them the tenant administrator
    :param departments: the departments, or their names; None for a few of the sandbox's own
    :param app_id: AppId, None to make one
    :param app_secret: AppSecret, None to make one
    """
    if users < 1:
        raise ValueError("a sandbox needs at least one user, its administrator")
    with store.transaction():
        for key, given in (("app_id", app_id), ("app_secret", app_secret)):
            if given is not None or store.setting(key) is None:
                store.set_setting(key, given or secrets.token_hex(32))
        if store.setting("admin_user_id") is None:
            department_ids = _add_departments(store, departments or list(_DEPARTMENTS))
            _add_users(store, users, department_ids)
            store.set_setting("admin_user_id", str(_FIRST_USER_ID + 1))


def _add_departments(store: Store, departments: Sequence[str | DepartmentSeed]) -> list[str]:
    seeds = [DepartmentSeed(seed) if isinstance(seed, str) else seed for seed in departments]
    ids = [str(int(ROOT_DEPARTMENT_ID) + number) for number in range(1, len(seeds) + 1)]
    parents = _parents(seeds, ids)
    _add_department(store, ROOT_DEPARTMENT_ID, "0", "Organisation")
    for department_id, parent_id, seed in zip(ids, parents, seeds, strict=True):
        _add_department(store, department_id, parent_id, seed.name)
    return ids


def _add_department(store: Store, department_id: str, parent_id: str, name: str) -> None:
    dept_id = f"D{department_id[-6:]}"
    store.add_department({"id": department_id, "parent_id": parent_id, "name": name, "dept_id": dept_id})


def _parents(seeds: Sequence[DepartmentSeed], ids: Sequence[str]) -> list[str]:
    known: dict[str | None, str] = {None: ROOT_DEPARTMENT_ID}
    # An id comes before a name of the same text.
    for texts in ([seed.key for seed in seeds], [seed.name for seed in seeds]):
        for text, department_id in zip(texts, ids, strict=True):
            known.setdefault(text, department_id)
    missing = [seed.parent for seed in seeds if seed.parent not in known]
    if missing:
        raise ValueError(f"the parent {missing[0]!r} is not among the departments")
    above = {child: known[seed.parent] for child, seed in zip(ids, seeds, strict=True)}
    for department_id, seed in zip(ids, seeds, strict=True):
        top, steps = department_id, 0
        while top != ROOT_DEPARTMENT_ID and steps <= len(ids):
            top, steps = above[top], steps + 1
        if top != ROOT_DEPARTMENT_ID:
            raise ValueError(f"the department {seed.name!r} is above itself")
    return list(above.values())


def _add_users(store: Store, count: int, department_ids: list[str]) -> None:
    for number in range(1, count + 1):
        administrator = number == 1
        store.add_user(
            {
                "id": str(_FIRST_USER_ID + number),
                "user_id": str(_FIRST_ORGID_USER_ID + number),
                "name": "Tenant Administrator" if administrator else f"User {number:03}",
                "mobile": f"+44{7_700_900_000 + number}",
                "role": ROLE_ADMINISTRATOR if administrator else ROLE_MEMBER,
                "dept_id": department_ids[number % len(department_ids)],
            }
        )
