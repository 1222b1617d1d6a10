"""Operator that reads departments, and what a DAG that onboards them needs of Airflow."""

from __future__ import annotations

import copy
from typing import IO, TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowFailException, BaseHook, ObjectStoragePath

from airflow_provider_koodrive.exceptions import KooDriveConfigError, KooDriveSourceError
from airflow_provider_koodrive.formatting import shown
from airflow_provider_koodrive.hooks.koodrive import KooDriveHook
from airflow_provider_koodrive.operators.base import KooDriveBaseOperator

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import jinja2
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_koodrive.departments.model import DepartmentList
    from airflow_provider_koodrive.departments.source import Access, DepartmentSource, Directory
    from airflow_provider_koodrive.operators.base import Later

_TOTAL = "total"


class DepartmentListOperator(KooDriveBaseOperator):
    """
    Read the departments of a file, a database or KooDrive.

    The XCom ``return_value`` is ``{"source", "departments": [...], "bad_rows": [...], "complete", "total"}``,
    see :class:`~airflow_provider_koodrive.departments.DepartmentList`; ``total`` is also an XCom of its own.
    Each bad row is a warning in the log and does not stop the others.

    .. code-block:: python

        DepartmentListOperator(
            task_id="list_departments",
            source=FileDepartments("s3://hr/departments.csv", conn_id="aws_default"),
            max_shrink="25%",
        )

    :param source: a :class:`~airflow_provider_koodrive.departments.FileDepartments`,
        :class:`~airflow_provider_koodrive.departments.SqlDepartments` or
        :class:`~airflow_provider_koodrive.departments.KooDriveDepartments` (its own fields are templated)
    :param min_departments: fewer departments than this fail the task
    :param max_shrink: most departments that may be gone since the last run that succeeded: a number, or a
        percentage such as ``"25%"``; None for any number
    :param koodrive_conn_id: id of the connection, for KooDrive's own departments (templated)
    """

    template_fields: Sequence[str] = ("source", "koodrive_conn_id")

    def __init__(
        self,
        *,
        source: DepartmentSource,
        min_departments: int = 1,
        max_shrink: int | str | None = None,
        koodrive_conn_id: str | Later = KooDriveHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(koodrive_conn_id=koodrive_conn_id, **kwargs)
        self.source: Any = source
        self.min_departments = min_departments
        self.max_shrink = max_shrink

    def resolve_template_files(self) -> None:
        """Load the files that the source's own fields name, such as a query's ``.sql`` file."""
        super().resolve_template_files()
        endings = tuple(getattr(self.source, "template_ext", ()))
        for field in self.source.template_fields if endings else ():
            name = getattr(self.source, field)
            if isinstance(name, str) and name.endswith(endings):
                environment: Any = self.get_template_env()
                setattr(self.source, field, environment.loader.get_source(environment, name)[0])

    def render_template_fields(self, context: Context, jinja_env: jinja2.Environment | None = None) -> None:
        """Render a copy of the source: another run in the same process starts from the templates."""
        self.source = copy.copy(self.source)
        super().render_template_fields(context, jinja_env)

    def _run(self, context: Context) -> dict[str, Any]:
        access: Access = _AirflowAccess(self)
        found: DepartmentList = self.source.read(access)
        for row in found.bad_rows:
            self.log.warning("%s: %s", found.source, row)
        total = len(found.departments)
        self.log.info("%s: %s departments, %s bad rows", found.source, total, len(found.bad_rows))
        self._check_total(found, total, context)
        task_instance = context.get("ti")  # none if a script calls execute by itself
        if task_instance and found.complete:
            task_instance.xcom_push(key=_TOTAL, value=total)
        return found.to_json()

    def _check_total(self, found: DepartmentList, total: int, context: Context) -> None:
        if total < self.min_departments:
            raise KooDriveSourceError(
                f"{found.source} has {total} departments and {len(found.bad_rows)} bad rows, fewer than "
                f"min_departments={self.min_departments}" + _first_problem(found)
            )
        if not found.complete:
            self.log.warning(
                "%s could not be read as a whole: absent departments prove nothing", found.source
            )
            return
        before = self._total_before(context) if self.max_shrink is not None else None
        # A bad row may be a department: it is not gone.
        gone = (before or 0) - total - len(found.bad_rows)
        if before is not None and gone > _allowed(self.max_shrink, before):
            raise KooDriveSourceError(
                f"{found.source} has {total} departments, {gone} fewer than the {before} of the last run; "
                f"max_shrink={self.max_shrink}",
                advice="check the source; if they are really gone, run the task with a larger max_shrink",
            )

    def _total_before(self, context: Context) -> int | None:
        pulled = context["ti"].xcom_pull(task_ids=self.task_id, key=_TOTAL, include_prior_dates=True)
        values = pulled if isinstance(pulled, list) else [pulled]
        return next((value for value in values if isinstance(value, int)), None)


def koodrive_retry() -> dict[str, Any]:
    """
    Return ``default_args`` with KooDrive's retry policy, where Airflow has retry policies (3.3 and later).

    .. code-block:: python

        @dag(default_args={"retries": 3, **koodrive_retry()})
    """
    try:
        from airflow_provider_koodrive.retry_policy import KooDriveRetryPolicy
    except ImportError:
        return {}
    return {"retry_policy": KooDriveRetryPolicy()}


def mapping_limit(context: Mapping[str, Any], limit: int | None = None) -> int:
    """
    Return the most tasks to map over in this try.

    The API server refuses more than its ``[core] max_map_length``, which a worker cannot read. The first try
    goes by the worker's own setting; each further try by an eighth of the one before.

    :param context: the task's context
    :param limit: the user's own limit, None for none
    """
    from airflow.configuration import conf

    most: int = conf.getint("core", "max_map_length", fallback=1024)
    tries: int = max(0, context["ti"].try_number - 1)
    most = max(1, most // 8**tries)
    return min(most, limit) if limit else most


def mapped_results(context: Mapping[str, Any], task_id: str) -> list[Any]:
    """
    Return what the instances of a mapped task have returned, with one request for all of them.

    :param context: the context of the task that asks
    :param task_id: id of the mapped task; instances that returned nothing are left out
    """
    found = context["ti"].xcom_pull(task_ids=task_id)
    # Of one instance, Airflow 3 returns the value itself.
    results = [] if found is None else [found] if isinstance(found, dict) else found
    return [result for result in results if result is not None]


def fail_on_problems(report: Any) -> None:
    """
    Fail the task if a report has problems, without another try.

    :param report: what :func:`~airflow_provider_koodrive.departments.onboarding_report` returns
    :raises AirflowFailException: with all problems
    """
    if report["problems"]:
        raise AirflowFailException(f"{report['source']}: {'; '.join(report['problems'])}")


class _AirflowAccess:
    """Access to object storages, databases and KooDrive through Airflow's connections."""

    def __init__(self, operator: KooDriveBaseOperator) -> None:
        self._operator = operator

    def open_file(self, path: str, conn_id: str | None) -> IO[bytes]:
        storage: Any = ObjectStoragePath(path, conn_id=conn_id)
        opened: IO[bytes] = storage.open("rb")
        return opened

    def query(
        self, conn_id: str, sql: str, parameters: Sequence[Any] | Mapping[str, Any] | None
    ) -> tuple[Sequence[str], Iterable[Sequence[Any]]]:
        hook: Any = BaseHook.get_hook(conn_id)
        if not hasattr(hook, "get_records"):
            raise KooDriveConfigError(f"connection {shown(conn_id)} is not one of a database")
        # The log would show the parameters.
        hook.log_sql = False
        found: tuple[Sequence[str], Iterable[Sequence[Any]]] = hook.run(
            sql, parameters=parameters, handler=_titles_and_records
        )
        return found

    def directory(self) -> Directory:
        return self._operator.hook.directory


def _titles_and_records(cursor: Any) -> tuple[list[str], list[Sequence[Any]]]:
    if cursor.description is None:
        raise KooDriveSourceError("the query of departments returns no rows; give a SELECT")
    return [column[0] for column in cursor.description], cursor.fetchall()


def _first_problem(found: DepartmentList) -> str:
    return f"; the first: {found.bad_rows[0]}" if found.bad_rows else ""


def _allowed(max_shrink: int | str | None, before: int) -> float:
    text = str(max_shrink).strip()
    try:
        return before * float(text[:-1]) / 100 if text.endswith("%") else int(text)
    except ValueError:
        raise KooDriveConfigError(
            f'max_shrink={shown(max_shrink)} is neither a number nor a percentage such as "25%"'
        ) from None
