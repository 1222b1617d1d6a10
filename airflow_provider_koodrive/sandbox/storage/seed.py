"""The contents of a new database: credentials, departments, users."""

from __future__ import annotations

import csv
import secrets
from typing import TYPE_CHECKING

if TYPE_CHECKING:
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


def read_departments(path: Path) -> list[str]:
    """
    Read the departments' names from a CSV or TSV file with a column ``name``.

    :param path: file in UTF-8; tabs separate the columns where its first line has one
    :raises ValueError: there is no such column
    """
    with path.open(encoding="utf-8-sig", newline="") as lines:
        first = lines.readline()
        lines.seek(0)
        rows = csv.DictReader(lines, delimiter="\t" if "\t" in first else ",")
        if "name" not in (rows.fieldnames or ()):
            raise ValueError(f"{path} has no column 'name'")
        return [name for row in rows if (name := (row["name"] or "").strip())]


def fill(
    store: Store,
    *,
    users: int,
    departments: list[str] | None,
    app_id: str | None,
    app_secret: str | None,
) -> None:
    """
    Fill a new database; one that was filled before keeps what it has, but for credentials given here.

    :param users: number of users, the first of them the tenant administrator
    :param departments: names of the departments, None for a few of the sandbox's own
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


def _add_departments(store: Store, names: list[str]) -> list[str]:
    ids = [str(int(ROOT_DEPARTMENT_ID) + number) for number in range(len(names) + 1)]
    parents = ["0"] + [ROOT_DEPARTMENT_ID] * len(names)
    for department_id, parent_id, name in zip(ids, parents, ["Organisation", *names], strict=True):
        store.add_department(
            {
                "id": department_id,
                "parent_id": parent_id,
                "name": name,
                "dept_id": f"D{department_id[-6:]}",
            }
        )
    return ids[1:]


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
