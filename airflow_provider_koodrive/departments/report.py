"""Report of a run: what became of each department, and what needs a person."""

from __future__ import annotations

import logging
from collections import Counter
from typing import TYPE_CHECKING, Any

from airflow_provider_koodrive.departments import cells
from airflow_provider_koodrive.departments.rows import department_list
from airflow_provider_koodrive.departments.selection import Spaces, missing_members, owners
from airflow_provider_koodrive.formatting import shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from airflow_provider_koodrive.departments.model import Department

log = logging.getLogger(__name__)

STATUSES = ("created", "reused", "existed", "waits", "FAILED")


def onboarding_report(
    departments: Any,
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    *,
    chosen: Iterable[Mapping[str, Any]] = (),
    results: Iterable[Mapping[str, Any] | None] = (),
    owner_ids: Sequence[str] | str | None = (),
) -> dict[str, Any]:
    """
    Report what became of each department, and log it; nothing is asked of KooDrive or Airflow.

    A department is ``created`` if its space appeared in this run, also if the task that created it failed;
    ``reused`` if the task found the space; ``existed`` before; ``waits`` for the next run; or ``FAILED``.

    :param departments: XCom of ``DepartmentListOperator``, or a list of ``{"name", "user_ids"?, …}``
    :param before: listing of the spaces before the run
    :param after: listing of the spaces after the run
    :param chosen: what :func:`select_new` returned
    :param results: what the create tasks returned; a task that failed may have returned nothing
    :param owner_ids: ids of the users whose spaces count, as for :func:`select_new`
    :return: ``{"source", "total", "counts": {status: n}, "rows", "problems"}``. ``rows`` has all that did not
        just exist: ``department``, ``name``, ``status``, ``id``, ``capacity`` (GB), ``origin``, ``missing``
        (user ids); ``problems`` are texts, one for each bad row, space not created and member missing
    """
    known = department_list(departments)
    run = _Run(before, after, chosen, results, owners(owner_ids))
    rows = []
    problems = [str(row) for row in known.bad_rows]
    counts: Counter[str] = Counter(dict.fromkeys(STATUSES, 0))
    if not known.complete:
        problems.append("the source is not complete: what it lacks is read in the next run")
    for department in known.departments:
        row = run.row(department)
        found = list(run.problems(department, row))
        counts[row["status"]] += 1
        if found or row["status"] != "existed":
            rows.append(row)
        problems += found
    report = {
        "source": known.source,
        "total": len(known.departments),
        "counts": dict(counts),
        "rows": rows,
        "problems": problems,
    }
    log.info("%s", "\n".join(report_lines(report)))
    for problem in problems:
        log.error("%s: %s", known.source, problem)
    return report


def report_lines(report: Mapping[str, Any]) -> Iterator[str]:
    """Lay out a report as a table, line by line."""
    layout = "{:<9}{:<21}{:>6}  {:<32}{}"
    yield layout.format("status", "id", "GB", "space", "department")
    for row in report["rows"]:
        cells_ = (row["status"], row["id"] or "-", row["capacity"] or "-", row["name"], row["department"])
        missing = f" (members not added: {', '.join(row['missing'])})" if row["missing"] else ""
        yield layout.format(*cells_) + missing
    counts = ", ".join(f"{number} {status}" for status, number in report["counts"].items() if number)
    yield f"{report['total']} departments: {counts or 'none'}; {len(report['problems'])} problems"


class _Run:
    def __init__(
        self,
        before: Mapping[str, Any],
        after: Mapping[str, Any],
        chosen: Iterable[Mapping[str, Any]],
        results: Iterable[Mapping[str, Any] | None],
        owner_ids: Sequence[str],
    ) -> None:
        self._before = Spaces(before, owner_ids)
        self._after = Spaces(after, owner_ids)
        self._chosen = {cells.identity(space["name"]) for space in chosen}
        self._results = {cells.identity(result["name"]): result for result in results if result}

    def row(self, department: Department) -> dict[str, Any]:
        existed = self._before.of(department)
        space = self._after.of(department) or existed
        result = self._result(department, space)
        shown_space = {**(space or {}), **(result or {})}
        return {
            "department": department.name,
            "name": shown_space.get("name") or department.space_name,
            "status": self._status(department, existed, space, result),
            "id": shown_space.get("id"),
            "capacity": shown_space.get("capacity"),
            "origin": department.origin,
            "missing": list((result or {}).get("failedList") or ()),
        }

    def problems(self, department: Department, row: Mapping[str, Any]) -> Iterator[str]:
        place = f"{department.origin} {shown(department.name)}".strip()
        if row["status"] == "FAILED":
            alike = self._after.reads_alike(department)
            why = f": the space {shown(alike)} differs only in case or width" if alike else ""
            yield f"{place} got no space{why}; see the log of its task"
        elif row["missing"]:
            yield f"{place} lacks the members {', '.join(row['missing'])}: KooDrive could not add them"
        else:
            space = self._after.of(department)
            number = missing_members(department, space) if space else 0
            if space and number:
                yield f"{place} lacks {number} of its members: the space has {space['userNum']} users"

    def _result(self, department: Department, space: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
        names = [department.space_name, *([space["name"]] if space else [])]
        return next(
            (self._results[name] for name in map(cells.identity, names) if name in self._results), None
        )

    def _status(
        self,
        department: Department,
        existed: Mapping[str, Any] | None,
        space: Mapping[str, Any] | None,
        result: Mapping[str, Any] | None,
    ) -> str:
        was_chosen = cells.identity(department.space_name) in self._chosen
        if existed:
            return "existed"
        if result:
            return "created" if result.get("created") else "reused"
        if space:
            # Its task failed or its outcome was unknown, and the listing shows the space.
            return "created" if was_chosen else "existed"
        return "FAILED" if was_chosen else "waits"
