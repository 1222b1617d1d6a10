"""``make demo``: run the nightly DAG on two successive nights under real Airflow, against the sandbox."""

from __future__ import annotations

import argparse
import csv
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

from airflow_provider_koodrive.sandbox.server import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

DAG_ID = "koodrive_onboard_departments"
EXAMPLE_FILE = PROJECT / "dags_examples" / "departments.csv"
NEW_ON_SECOND_NIGHT = 2
SINGAPORE = timezone(timedelta(hours=8))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--departments", type=Path, help="CSV or TSV file with a column 'name'")
    parser.add_argument("--limit", type=int, help="use only the first LIMIT departments of the file")
    arguments = parser.parse_args()
    raise_on_signals()
    try:
        run_demo(read_departments(arguments.departments, arguments.limit))
    except KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr)
        return 130
    except (ScriptError, OSError) as err:
        print(f"\nThe demo failed. {err}", file=sys.stderr)
        return 1
    return 0


@dataclass(frozen=True)
class Departments:
    """The header and the rows of a file of departments."""

    header: list[str]
    rows: list[list[str]]

    @property
    def names(self) -> list[str]:
        column = self.header.index("name")
        return [" ".join(row[column].split()) for row in self.rows]

    def part(self, start: int | None, end: int | None) -> Departments:
        """Return some of the rows."""
        return Departments(self.header, self.rows[start:end])

    def without(self, column: str) -> Departments:
        """Return the rows without a column."""
        kept = [number for number, title in enumerate(self.header) if title != column]
        header, *rows = [
            [row[number] for number in kept if number < len(row)] for row in [self.header, *self.rows]
        ]
        return Departments(header, rows)

    def write(self, file: Path) -> None:
        with file.open("w", encoding="utf-8", newline="") as lines:
            csv.writer(lines).writerows([self.header, *self.rows])


def read_departments(file: Path | None, limit: int | None) -> Departments:
    """
    Read the departments of the second night; the first night has all but the last two.

    :param file: CSV or TSV file, None for the example beside the DAG
    :param limit: number of rows to use, None for all
    :raises ScriptError: the file has no column ``name`` or too few rows for two nights
    """
    with (file or EXAMPLE_FILE).open(encoding="utf-8-sig", newline="") as lines:
        header = lines.readline()
        lines.seek(0)
        rows = [row for row in csv.reader(lines, delimiter=max("\t,;", key=header.count)) if row]
    titles = [title.strip().lower() for title in rows[0]] if rows else []
    departments = Departments(titles, rows[1:][:limit])
    if "name" not in titles or len(departments.rows) <= NEW_ON_SECOND_NIGHT:
        raise ScriptError(
            f"{file or EXAMPLE_FILE} has no column 'name', or not more than {NEW_ON_SECOND_NIGHT} rows. "
            "Add them, or choose another file: make demo DEPARTMENTS=FILE"
        )
    # The sandbox does not know the users of another enterprise.
    return departments.without("members") if file else departments


def run_demo(departments: Departments) -> None:
    """
    Run both nights, print what was created, and check it.

    :raises ScriptError: Airflow failed, or a night did not create the spaces of its new departments
    """
    started = time.monotonic()
    first, added = departments.part(None, -NEW_ON_SECOND_NIGHT), departments.part(-NEW_ON_SECOND_NIGHT, None)
    today = datetime.now(SINGAPORE).replace(hour=2, minute=0, second=0, microsecond=0)
    airflow = Airflow("demo")
    with Sandbox(airflow.home / "koodrive.db", groups_max=10_000, max_capacity=1_000_000) as sandbox:
        print(f"The sandbox (an embedded KooDrive) listens on {sandbox.url}")
        airflow.environment["AIRFLOW_CONN_KOODRIVE_DEFAULT"] = sandbox.connection_json()
        with timed("Creating Airflow's database"):
            airflow.run("db", "migrate")
        run_night(airflow, today - timedelta(days=2), first, first.names)
        run_night(airflow, today - timedelta(days=1), departments, added.names)
        check_list(airflow, len(departments.rows), {space["id"] for space in sandbox.spaces()})
    log = airflow.log.relative_to(PROJECT)
    print(f"\nThe demo passed in {time.monotonic() - started:.0f} s. Airflow's log: {log}")


def run_night(airflow: Airflow, night: datetime, departments: Departments, new: list[str]) -> None:
    """Run one night, print the spaces that it created, and compare them with the new departments."""
    file = airflow.home / f"departments-{night:%Y-%m-%d}.csv"
    departments.write(file)
    conf = json.dumps({"departments_file": str(file)})
    with timed(f"\nNight of {night:%Y-%m-%d}, {len(departments.rows)} departments, {len(new)} of them new"):
        airflow.run("dags", "test", DAG_ID, night.isoformat(), "--conf", conf)
    created = [row for row in xcom(airflow, "summarise")["rows"] if row["status"] == "created"]
    print(f"  created {len(created)}:")
    print(f"  {'id':<20} {'GB':>4}  {'group space':<30}  department")
    for row in created:
        print(f"  {row['id']:<20} {row['capacity']:>4}  {row['name']:<30}  {row['department']}")
    if [row["department"] for row in created] != new:
        raise ScriptError(
            f"This night created {len(created)} spaces, but the file has {len(new)} new departments: "
            f"{', '.join(new)}. {airflow.end_of_log()}"
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
