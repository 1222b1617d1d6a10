"""``make demo``: the nightly DAG onboards departments on two successive nights, under real Airflow."""

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

from _trial import PROJECT, Airflow, TrialError, raise_on_signals

from airflow_provider_koodrive.sandbox.server import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

DAG_ID = "koodrive_onboard_departments"
OWN_FILE = PROJECT / "dags_examples" / "departments.csv"
NEW_ON_SECOND_NIGHT = 2
SINGAPORE = timezone(timedelta(hours=8))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--departments", type=Path, help="CSV or TSV file with a column 'name'")
    parser.add_argument("--limit", type=int, help="take only the first so many departments of the file")
    arguments = parser.parse_args()
    raise_on_signals()
    try:
        demonstrate(read_departments(arguments.departments, arguments.limit))
    except KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr)
        return 130
    except (TrialError, OSError) as err:
        print(f"\nThe demo failed. {err}", file=sys.stderr)
        return 1
    return 0


@dataclass(frozen=True)
class Departments:
    """A departments' file."""

    header: list[str]
    rows: list[list[str]]

    @property
    def names(self) -> list[str]:
        column = self.header.index("name")
        return [" ".join(row[column].split()) for row in self.rows]

    def part(self, start: int | None, end: int | None) -> Departments:
        return Departments(self.header, self.rows[start:end])

    def without(self, column: str) -> Departments:
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
    Read the departments of the second night; the first night's file lacks the last two.

    :param file: CSV or TSV file, None for the one beside the DAG
    :param limit: number of rows to take, None for all
    :raises TrialError: there is nothing for two nights in it
    """
    with (file or OWN_FILE).open(encoding="utf-8-sig", newline="") as lines:
        header = lines.readline()
        lines.seek(0)
        rows = [row for row in csv.reader(lines, delimiter=max("\t,;", key=header.count)) if row]
    titles = [title.strip().lower() for title in rows[0]] if rows else []
    departments = Departments(titles, rows[1:][:limit])
    if "name" not in titles or len(departments.rows) <= NEW_ON_SECOND_NIGHT:
        raise TrialError(
            f"{file or OWN_FILE}: a column 'name' and more than {NEW_ON_SECOND_NIGHT} rows are needed"
        )
    # The sandbox does not know the users of another enterprise.
    return departments.without("members") if file else departments


def demonstrate(departments: Departments) -> None:
    """
    Run both nights, tell what happens, and check it.

    :raises TrialError: Airflow failed, or a night did not create what it should
    """
    started = time.monotonic()
    first, added = departments.part(None, -NEW_ON_SECOND_NIGHT), departments.part(-NEW_ON_SECOND_NIGHT, None)
    today = datetime.now(SINGAPORE).replace(hour=2, minute=0, second=0, microsecond=0)
    airflow = Airflow("demo")
    with Sandbox(airflow.home / "koodrive.db", groups_max=10_000, max_capacity=1_000_000) as sandbox:
        print(f"The sandbox, an embedded KooDrive, listens on {sandbox.url}")
        airflow.environment["AIRFLOW_CONN_KOODRIVE_DEFAULT"] = sandbox.connection_json()
        with timed("Airflow makes its database"):
            airflow.run("db", "migrate")
        onboard(airflow, today - timedelta(days=2), first, first.names)
        onboard(airflow, today - timedelta(days=1), departments, added.names)
        show_listing(airflow, len(departments.rows), {space["id"] for space in sandbox.spaces()})
    log = airflow.log.relative_to(PROJECT)
    print(f"\nAll as it should be, in {time.monotonic() - started:.0f} s. Airflow's log: {log}")


def onboard(airflow: Airflow, night: datetime, departments: Departments, new: list[str]) -> None:
    """Run one night, show what it created, and hold that against what is new in the file."""
    file = airflow.home / f"departments-{night:%Y-%m-%d}.csv"
    departments.write(file)
    conf = json.dumps({"departments_file": str(file)})
    with timed(f"\nNight of {night:%Y-%m-%d}, {len(departments.rows)} departments, {len(new)} of them new"):
        airflow.run("dags", "test", DAG_ID, night.isoformat(), "--conf", conf)
    created = [row for row in xcom(airflow, "summarise") if row["status"] == "created"]
    print(f"  created {len(created)}:")
    print(f"  {'id':<20} {'GB':>4}  {'group space':<30}  department")
    for row in created:
        print(f"  {row['id']:<20} {row['capacity']:>4}  {row['name']:<30}  {row['department']}")
    if [row["department"] for row in created] != new:
        raise TrialError(f"This night should have created {len(new)}: {', '.join(new)}")


def show_listing(airflow: Airflow, departments: int, stored: set[str]) -> None:
    """Show the last listing, and hold it against the file and against what the sandbox has stored."""
    listing = xcom(airflow, "list_spaces_again")
    print(f"\nThe final listing, from XCom: {listing['total']} spaces, {listing['assignedCapacity']} GB")
    print(f"  {'id':<20} {'GB':>4}  group space")
    for group in listing["groups"]:
        print(f"  {group['id']:<20} {group['capacity']:>4}  {group['name']}")
    listed = [group["id"] for group in listing["groups"]]
    if not (len(listed) == len(stored) == departments and set(listed) == stored):
        raise TrialError(f"{departments} departments, {len(listed)} spaces listed, {len(stored)} stored")


def xcom(airflow: Airflow, task_id: str) -> Any:
    """Read what a task of the last run returned, from Airflow's metadata database."""
    query = (
        "SELECT value FROM xcom WHERE task_id = ? AND key = 'return_value'"
        " AND dag_run_id = (SELECT max(id) FROM dag_run)"
    )
    with closing(sqlite3.connect(airflow.home / "airflow.db")) as database:
        row = database.execute(query, [task_id]).fetchone()
    if row is None:
        raise TrialError(f"The task {task_id} returned nothing. {airflow.end_of_log()}")
    return json.loads(row[0])


@contextmanager
def timed(what: str) -> Iterator[None]:
    print(f"{what} ... ", end="", flush=True)
    started = time.monotonic()
    yield
    print(f"{time.monotonic() - started:.1f} s")


if __name__ == "__main__":
    sys.exit(main())
