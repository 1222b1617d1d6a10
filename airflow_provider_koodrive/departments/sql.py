"""Departments from a query of any database that Airflow has a connection to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_koodrive.departments.rows import departments_of
from airflow_provider_koodrive.departments.table import TableError, rows_of_query
from airflow_provider_koodrive.exceptions import KooDriveSourceError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_provider_koodrive.departments.model import DepartmentList
    from airflow_provider_koodrive.departments.source import Access


@dataclass
class SqlDepartments:
    """
    Departments from a query with a column ``name``, and perhaps ``id``, ``members`` and ``capacity`` (GB).

    Members are text as in a file, or an array. ``NULL`` leaves the members alone; an empty text means none.

    :param conn_id: Airflow connection of the database (templated)
    :param sql: the query, or the name of a ``.sql`` file (templated)
    :param parameters: values that the database binds to the query; they are not shown anywhere (templated)
    :param columns: the query's own names of columns, such as ``{"name": "dept_name"}``
    """

    template_fields: ClassVar[Sequence[str]] = ("conn_id", "sql", "parameters")
    template_ext: ClassVar[Sequence[str]] = (".sql",)

    conn_id: str
    sql: str
    parameters: Sequence[Any] | Mapping[str, Any] | None = field(default=None, repr=False)
    columns: Mapping[str, str] | None = None

    def read(self, access: Access) -> DepartmentList:
        """
        Read the departments.

        :param access: runs the query
        :raises KooDriveSourceError: the result as a whole cannot be used
        """
        titles, records = access.query(self.conn_id, self.sql, self.parameters)
        try:
            rows = rows_of_query(titles, records, self.columns)
        except TableError as err:
            raise KooDriveSourceError(
                f"the query of departments on connection {self.conn_id!r} cannot be used: {err}"
            ) from err
        return departments_of(rows, source=f"query on connection {self.conn_id!r}")
