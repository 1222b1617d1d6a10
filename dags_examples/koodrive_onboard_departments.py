"""
### Every department gets its KooDrive group space.

Every night at 02:00 in Singapore this DAG reads the departments from a file and creates a group space for
each one that has none. A second run creates nothing.

**The file** is CSV or TSV in UTF-8 with a header. It must have the column `name` and may have `id` (of the
department), `members` (KooDrive user ids, separated by blanks or `;`) and `capacity` (GB); other columns are
ignored. Its path is the DAG param `departments_file`, else the Airflow Variable `departments_file`, else
`departments.csv` beside this DAG, whose members are users of the sandbox.

**New** is a department without a space of its name (`naming.group_space_name`). Names are unique per creator
only, so just the spaces that the connection's `user_id` owns or has created count. Where the connection has
no `user_id` (token authentication), everybody's do.

**One run** creates at most `[core] max_map_length` spaces, or as many as the DAG param `limit` says, in the
order of the file. The rest wait for the next night.

**Bad rows** do not stop the good ones. The last task names them with their line numbers and fails, as it does
for spaces that were not created and members that were not added.

The connection's user must be a tenant administrator: nobody else may list the enterprise's spaces.
"""

from __future__ import annotations

import contextlib
import csv
import logging
import re
import unicodedata
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pendulum
from airflow.configuration import conf
from airflow.providers.common.compat.sdk import (
    AirflowFailException,
    Param,
    TriggerRule,
    Variable,
    dag,
    get_current_context,
    task,
)

from airflow_provider_koodrive.exceptions import KooDriveValidationError
from airflow_provider_koodrive.hooks.koodrive import KooDriveHook
from airflow_provider_koodrive.naming import group_space_name
from airflow_provider_koodrive.operators.group_space import CreateGroupSpaceOperator, GroupSpaceListOperator

try:
    from airflow_provider_koodrive.retry_policy import KooDriveRetryPolicy
except ImportError:  # below Airflow 3.3 tasks have no retry policy
    RETRY_POLICY: dict[str, Any] = {}
else:
    RETRY_POLICY = {"retry_policy": KooDriveRetryPolicy()}

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

KOODRIVE_CONN_ID = "koodrive_default"
DEFAULT_FILE = Path(__file__).parent / "departments.csv"
MEMBERS_MAX = 200
CELL_LINES_MAX = 50

log = logging.getLogger("airflow.task")


# [START read_departments_file]
def read_departments_file(path: Path) -> dict[str, Any]:
    """
    Read the departments; a row that is wrong is reported and does not stop the others.

    :param path: CSV or TSV file in UTF-8
    :return: ``path``; ``departments``: ``line, name, id, space, user_ids, capacity`` each; ``bad_rows``:
        ``line, problem`` each
    :raises OSError: the file cannot be read
    :raises ValueError: the file as a whole cannot be used
    """
    # A byte that is not UTF-8 spoils its own row only.
    with path.open(encoding="utf-8-sig", errors="surrogateescape") as file:
        lines = list(file)
    header = lines[0] if lines else ""
    # The tab comes first: for a header of one column, a comma is part of the names.
    delimiter = max("\t,;", key=header.count)
    rows = _rows(lines, delimiter)
    columns = [cell.strip().lower() for cell in next(rows, (1, None))[1] or ()]
    if columns.count("name") != 1:
        raise ValueError(
            f"{path}: no header in UTF-8 with one column 'name' in the first line {header!r:.200}"
        )
    departments: list[dict[str, Any]] = []
    bad_rows: list[dict[str, Any]] = []
    seen: dict[tuple[str, str], int] = {}
    for line, cells in rows:
        try:
            department = {"line": line, **_department(columns, cells)}
            _refuse_repeated(department, seen)
            departments.append(department)
        except (ValueError, KooDriveValidationError) as err:
            bad_rows.append({"line": line, "problem": str(err)})
    return {"path": str(path), "departments": departments, "bad_rows": bad_rows}


# [END read_departments_file]


def _rows(lines: Sequence[str], delimiter: str) -> Iterator[tuple[int, list[str] | None]]:
    """Yield the number of each row's first line, and its cells: None where the line is not CSV."""
    start = 0
    while start < len(lines):
        cells, end = None, start + 1
        # A cell in quotes may go on over lines. Where it never ends, its first line alone is the bad row.
        for tried in range(end, min(start + CELL_LINES_MAX, len(lines)) + 1):
            with contextlib.suppress(csv.Error):
                cells, end = next(csv.reader(lines[start:tried], delimiter=delimiter, strict=True)), tried
                break
        if cells != []:
            yield start + 1, cells
        start = end


def _department(columns: Sequence[str], cells: Sequence[str] | None) -> dict[str, Any]:
    if cells is None:
        raise ValueError("cannot be split into columns: is there a quotation mark without its partner?")
    if len(cells) != len(columns):
        raise ValueError(f"has {len(cells)} columns, the header has {len(columns)}")
    if re.search("[\ud800-\udfff]", "".join(cells)):
        raise ValueError("is not UTF-8")
    row = {column: " ".join(cell.split()) for column, cell in zip(columns, cells, strict=True)}
    name, capacity = row["name"], row.get("capacity", "")
    if not name:
        raise ValueError("has no name")
    user_ids = list(dict.fromkeys(re.findall("[^ ,;]+", row.get("members", ""))))
    if len(user_ids) > MEMBERS_MAX:
        raise ValueError(f"{name!r} has {len(user_ids)} members, KooDrive allows {MEMBERS_MAX}")
    if capacity and not re.fullmatch("0*[1-9][0-9]{0,8}", capacity):
        raise ValueError(f"{name!r} has the capacity {capacity!r}, not a whole number of GB from 1 on")
    return {
        "name": name,
        "id": row.get("id", ""),
        "space": group_space_name(name),
        "user_ids": user_ids,
        "capacity": int(capacity) if capacity else None,
    }


def _refuse_repeated(department: Mapping[str, Any], seen: dict[tuple[str, str], int]) -> None:
    keys = [(key, department[key]) for key in ("id", "space") if department[key]]
    for key in keys:
        if key in seen:
            raise ValueError(
                f"{department['name']!r} is the same department as line {seen[key]}: same {key[0]}"
            )
    seen.update(dict.fromkeys(keys, department["line"]))


def spaces_by_name(groups: Iterable[Mapping[str, Any]], user_id: str | None) -> dict[str, Mapping[str, Any]]:
    """
    Choose the spaces that keep the user from creating another one of their name.

    :param groups: spaces as KooDrive lists them
    :param user_id: id of the user who creates the spaces; None where it is not known, so that all count
    """
    # A space that was handed over to another owner keeps its creator.
    ours = [
        group for group in groups if not user_id or user_id in (group.get("ownerId"), group.get("creator"))
    ]
    return {unicodedata.normalize("NFC", group["name"]): group for group in ours if group["name"]}


def untemplated(text: str) -> str:
    """
    Write a text so that Jinja renders it as it is.

    Airflow renders what ``expand_kwargs`` maps over, and who writes the file of departments shall not read
    Variables and Connections with it.
    """
    return text.replace("{", "{{ '{' }}")


def summary_rows(
    departments: Iterable[Mapping[str, Any]],
    existed: Mapping[str, Any],
    results: Mapping[str, Mapping[str, Any]],
    chosen: Iterable[str],
    exists: Mapping[str, Mapping[str, Any]],
) -> list[dict[str, Any]]:
    """
    Say what became of each department.

    :param departments: the departments of the file
    :param existed: the spaces before the run, by name
    :param results: what the create operator returned, by name
    :param chosen: names of the spaces that this run was to create
    :param exists: the spaces after the run, by name
    """
    statuses = {
        **dict.fromkeys(chosen, "FAILED"),
        **dict.fromkeys(existed, "existed"),
        **{name: "created" if result["created"] else "reused" for name, result in results.items()},
    }
    rows = []
    for department in departments:
        name = department["space"]
        space = {
            "id": None,
            "capacity": None,
            "failedList": [],
            **exists.get(name, {}),
            **results.get(name, {}),
        }
        rows.append(
            {
                "department": department["name"],
                "name": name,
                "status": statuses.get(name, "waits"),
                **{key: space[key] for key in ("id", "capacity", "failedList")},
            }
        )
    return rows


def table(rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Lay out the summary, line by line."""
    layout = "{:<9}{:<21}{:>6}  {:<32}{}"
    yield layout.format("status", "id", "GB", "space", "department")
    for row in rows:
        cells = (row["status"], row["id"] or "-", row["capacity"] or "-", row["name"], row["department"])
        missing = f" (members not added: {', '.join(row['failedList'])})" if row["failedList"] else ""
        yield layout.format(*cells) + missing


def problems(bad_rows: Iterable[Mapping[str, Any]], summary: Iterable[Mapping[str, Any]]) -> list[str]:
    """List what needs a person."""
    found = [f"line {row['line']} {row['problem']}" for row in bad_rows]
    for row in summary:
        if row["status"] == "FAILED":
            found.append(f"{row['department']!r} got no space")
        if row["failedList"]:
            found.append(f"{row['department']!r} lacks the members {', '.join(row['failedList'])}")
    return found


@task(multiple_outputs=False)
def read_departments() -> dict[str, Any]:
    """Read the departments' file."""
    # By position: the argument's name for the default is not the same in Airflow 2 and 3.
    chosen = get_current_context()["params"]["departments_file"] or Variable.get("departments_file", None)
    path = Path(chosen).expanduser().absolute() if chosen else DEFAULT_FILE
    try:
        found = read_departments_file(path)
    except (OSError, ValueError) as err:
        raise AirflowFailException(f"The file of departments cannot be used: {err}") from err
    for row in found["bad_rows"]:
        log.warning("%s: line %s %s", path, row["line"], row["problem"])
    log.info("%s: %s departments, %s bad rows", path, len(found["departments"]), len(found["bad_rows"]))
    return found


@task
def select_new(file: Any, listing: Any) -> list[dict[str, Any]]:
    """Return the create operator's arguments for each department that gets a space in this run."""
    existing = spaces_by_name(listing["groups"], KooDriveHook(KOODRIVE_CONN_ID).settings.user_id)
    new = [department for department in file["departments"] if department["space"] not in existing]
    most = conf.getint("core", "max_map_length")
    most = min(most, get_current_context()["params"]["limit"] or most)
    if len(new) > most:
        log.warning(
            "%s of %s new departments wait for the next run: one run creates %s",
            len(new) - most,
            len(new),
            most,
        )
    return [
        {
            "name": untemplated(department["space"]),
            "user_ids": [untemplated(user_id) for user_id in department["user_ids"]],
            "capacity": department["capacity"],
        }
        for department in new[:most]
    ]


@task
def summarise(file: Any, before: Any, chosen: Any, after: Any) -> list[dict[str, Any]]:
    """Log what became of each department, and return it."""
    # By index: a create that failed may have returned nothing, and no task must wait for it to succeed.
    returned = get_current_context()["ti"].xcom_pull(task_ids="create_space", map_indexes=range(len(chosen)))
    names = {space["name"] for space in chosen}
    user_id = KooDriveHook(KOODRIVE_CONN_ID).settings.user_id
    rows = summary_rows(
        file["departments"],
        existed=spaces_by_name(before["groups"], user_id),
        results={result["name"]: result for result in returned if result},
        chosen=[d["space"] for d in file["departments"] if untemplated(d["space"]) in names],
        exists=spaces_by_name(after["groups"], user_id),
    )
    for line in table(rows):
        log.info("%s", line)
    return rows


@task
def report_problems(file: Any, summary: Any) -> None:
    """Fail where something needs a person: bad rows, spaces not created, members not added."""
    found = problems(file["bad_rows"], summary)
    for problem in found:
        log.error("%s: %s", file["path"], problem)
    if found:
        raise AirflowFailException(f"{file['path']}: {'; '.join(found)}")


# [START koodrive_onboard_departments]
@dag(
    dag_id="koodrive_onboard_departments",
    schedule="0 2 * * *",
    start_date=pendulum.datetime(2026, 1, 1, tz="Asia/Singapore"),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=5), **RETRY_POLICY},
    params={
        "departments_file": Param(
            None, type=["null", "string"], description="Path of the CSV or TSV file of the departments"
        ),
        "limit": Param(
            None, type=["null", "integer"], minimum=1, description="Create at most so many spaces in this run"
        ),
    },
    doc_md=__doc__,
    tags=["koodrive"],
)
def koodrive_onboard_departments() -> None:
    """Build the DAG."""
    file = read_departments()
    list_spaces = GroupSpaceListOperator(task_id="list_spaces", koodrive_conn_id=KOODRIVE_CONN_ID)
    chosen = select_new(file, list_spaces.output)
    create_space = CreateGroupSpaceOperator.partial(
        task_id="create_space",
        koodrive_conn_id=KOODRIVE_CONN_ID,
        if_exists="reuse",
        map_index_template="{{ task.name }}",
        max_active_tis_per_dagrun=8,
    ).expand_kwargs(chosen)
    # Also after a night without new departments, and after creates that failed.
    list_again = GroupSpaceListOperator(
        task_id="list_spaces_again", koodrive_conn_id=KOODRIVE_CONN_ID, trigger_rule=TriggerRule.ALL_DONE
    )
    create_space >> list_again
    summary = summarise(file, list_spaces.output, chosen, list_again.output)
    report_problems(file, summary)


koodrive_onboard_departments()
# [END koodrive_onboard_departments]
