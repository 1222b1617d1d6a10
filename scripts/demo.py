"""``make demo``: run the nightly DAG on two successive nights under real Airflow, against the sandbox."""

from __future__ import annotations

import argparse
import json
import sqlite3
import sys
import time
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from _local_airflow import PROJECT, Airflow, ScriptError, raise_on_signals

from airflow_provider_koodrive.departments import FileDepartments
from airflow_provider_koodrive.exceptions import KooDriveSourceError
from airflow_provider_koodrive.sandbox.server import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from airflow_provider_koodrive.departments import Department, DepartmentList

DAG_ID = "koodrive_onboard_departments"
EXAMPLE_FILE = PROJECT / "dags_examples" / "departments.csv"
NEW_ON_SECOND_NIGHT = 2
MOST_PROBLEMS = 20
SINGAPORE = timezone(timedelta(hours=8))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--departments", type=Path, help="CSV, TSV or JSON file with a column 'name'")
    parser.add_argument("--limit", type=int, help="use only the first LIMIT departments of the file")
    arguments = parser.parse_args()
    raise_on_signals()
    try:
        run_demo(arguments.departments and arguments.departments.absolute(), arguments.limit)
    except KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr)
        return 130
    except (ScriptError, OSError) as err:
        print(f"\nThe demo failed. {err}", file=sys.stderr)
        return 1
    return 0


@dataclass(frozen=True)
class Night:
    """
    A night's file of departments.

    :param file: the file
    :param departments: names of the departments in it
    :param new: names of those without a space
    :param may_fail: whether the run has something to report, and therefore fails
    """

    file: Path
    departments: list[str]
    new: list[str]
    may_fail: bool = False


def read_departments(file: Path | None, limit: int | None) -> DepartmentList:
    """
    Read the departments of the second night; the first night has all but the last two.

    :param file: file of departments, None for the example beside the DAG
    :param limit: number of departments to use, None for all
    :raises ScriptError: the file cannot be read, or these are too few departments for two nights
    """
    try:
        found = FileDepartments(str(file or EXAMPLE_FILE)).read()
    except KooDriveSourceError as err:
        raise ScriptError(str(err)) from err
    if len(found.departments[:limit]) <= NEW_ON_SECOND_NIGHT:
        problems = "".join(f"\n  {row}" for row in found.bad_rows)
        raise ScriptError(
            f"{found.source}, up to the limit, has not more than {NEW_ON_SECOND_NIGHT} departments. "
            f"Add some, raise LIMIT, or choose another file: make demo DEPARTMENTS=FILE{problems}"
        )
    return found


def plan_nights(folder: Path, found: DepartmentList, file: Path | None, limit: int | None) -> list[Night]:
    """
    Write the file of the first night, and return both nights; the second reads the user's own file.

    :param folder: folder for files
    :param file: the user's file, None for the example
    :param limit: number of departments to use, None for all. With a limit, or members in the user's file, the
        second night reads a file without them, and the demo alone shows the bad rows
    """
    departments = found.departments[:limit]
    names = [department.name for department in departments]
    earlier, later = folder / "departments-1.json", Path(found.source)
    # The sandbox does not know the users of another enterprise.
    write(earlier, departments[:-NEW_ON_SECOND_NIGHT], with_members=file is None)
    may_fail = bool(found.bad_rows)
    has_members = file is not None and any(one.user_ids for one in departments)
    if has_members or len(departments) < len(found.departments):
        later, may_fail = folder / "departments-2.json", False
        write(later, departments, with_members=file is None)
    first = names[:-NEW_ON_SECOND_NIGHT]
    return [Night(earlier, first, first), Night(later, names, names[len(first) :], may_fail)]


def write(file: Path, departments: Sequence[Department], *, with_members: bool) -> None:
    """Write departments as JSON, which the nightly DAG reads too."""
    rows = [
        {
            "name": department.name,
            "capacity": department.capacity,
            **({"members": department.user_ids} if with_members else {}),
        }
        for department in departments
    ]
    file.write_text(json.dumps(rows), encoding="utf-8")


def run_demo(file: Path | None, limit: int | None) -> None:
    """
    Run both nights, print what was created, and check it.

    :raises ScriptError: Airflow failed, or a night did not create the spaces of its new departments
    """
    started = time.monotonic()
    found = read_departments(file, limit)
    if found.bad_rows:
        print(f"{found.source}: {len(found.departments)} departments, {len(found.bad_rows)} bad rows:")
        print("".join(f"  {row}\n" for row in found.bad_rows))
    today = datetime.now(SINGAPORE).replace(hour=2, minute=0, second=0, microsecond=0)
    airflow = Airflow("demo")
    first, second = plan_nights(airflow.home, found, file, limit)
    with Sandbox(airflow.home / "koodrive.db", groups_max=10_000, max_capacity=1_000_000) as sandbox:
        print(f"The sandbox (an embedded KooDrive) listens on {sandbox.url}")
        airflow.environment["AIRFLOW_CONN_KOODRIVE_DEFAULT"] = sandbox.connection_json()
        with timed("Creating Airflow's database"):
            airflow.run("db", "migrate")
        run_night(airflow, today - timedelta(days=2), first)
        run_night(airflow, today - timedelta(days=1), second)
        check_list(airflow, len(second.departments), {space["id"] for space in sandbox.spaces()})
    log = airflow.log.relative_to(PROJECT)
    print(f"\nThe demo passed in {time.monotonic() - started:.0f} s. Airflow's log: {log}")


def run_night(airflow: Airflow, date: datetime, night: Night) -> None:
    """Run one night, print the spaces that it created, and compare them with the new departments."""
    conf = json.dumps({"departments_file": str(night.file)})
    number, new = len(night.departments), len(night.new)
    with timed(f"\nNight of {date:%Y-%m-%d}, {number} departments, {new} of them new"):
        airflow.run("dags", "test", DAG_ID, date.isoformat(), "--conf", conf, may_fail=night.may_fail)
    report = xcom(airflow, "summarise")
    created = [row for row in report["rows"] if row["status"] == "created"]
    print(f"  created {len(created)}:")
    print(f"  {'id':<20} {'GB':>4}  {'group space':<30}  department")
    for row in created:
        print(f"  {row['id']:<20} {row['capacity']:>4}  {row['name']:<30}  {row['department']}")
    if report["problems"]:
        print(f"  the last task fails, since {len(report['problems'])} problems need a person:")
        print("".join(f"  {problem}\n" for problem in report["problems"][:MOST_PROBLEMS]), end="")
    if [row["department"] for row in created] != night.new:
        raise ScriptError(
            f"This night created {len(created)} spaces, but the file has {new} new departments: "
            f"{', '.join(night.new)}. {airflow.end_of_log()}"
        )


def check_list(airflow: Airflow, departments: int, stored: set[str]) -> None:
    """Print the last list of spaces, and compare it with the file and with the sandbox's database."""
    listing = xcom(airflow, "list_spaces_again")
    print(f"\nThe final list, from XCom: {listing['total']} spaces, {listing['assignedCapacity']} GB")
    print(f"  {'id':<20} {'GB':>4}  group space")
    for group in listing["groups"]:
        print(f"  {group['id']:<20} {group['capacity']:>4}  {group['name']}")
    listed = [group["id"] for group in listing["groups"]]
    if not (len(listed) == len(stored) == departments and set(listed) == stored):
        raise ScriptError(
            f"{departments} departments, but {len(listed)} spaces listed and {len(stored)} stored"
        )


def xcom(airflow: Airflow, task_id: str) -> Any:
    """Read the return value of a task of the last run from Airflow's metadata database."""
    query = (
        "SELECT value FROM xcom WHERE task_id = ? AND key = 'return_value'"
        " AND dag_run_id = (SELECT max(id) FROM dag_run)"
    )
    with closing(sqlite3.connect(airflow.home / "airflow.db")) as database:
        row = database.execute(query, [task_id]).fetchone()
    if row is None:
        raise ScriptError(f"The task {task_id} returned nothing. {airflow.end_of_log()}")
    return json.loads(row[0])


@contextmanager
def timed(step: str) -> Iterator[None]:
    """Print a step and its duration."""
    print(f"{step} ... ", end="", flush=True)
    started = time.monotonic()
    yield
    print(f"{time.monotonic() - started:.1f} s")


if __name__ == "__main__":
    sys.exit(main())
