"""The face of a source of departments, and of what a source needs from its caller."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import IO

    from airflow_provider_koodrive.departments.model import DepartmentList


class Directory(Protocol):
    """KooDrive's departments and users; each list says whether it is complete."""

    def list_departments(self, parent_id: str | None) -> list[dict[str, Any]]:
        """Return the departments directly below one, None for the root: ``id, name`` each."""

    def list_department_spaces(self) -> tuple[list[dict[str, Any]], bool]:
        """Return the departments with a space: ``id, parentId, name`` each; and whether these are all."""

    def list_users(self, department_id: str, *, direct: bool) -> tuple[list[dict[str, Any]], bool]:
        """Return the users of a department: ``id, status`` each; and whether these are all."""


class Access(Protocol):
    """Access to what a source reads; Airflow's operator gives it."""

    def open_file(self, path: str, conn_id: str | None) -> IO[bytes]:
        """Open an object of an object storage, such as ``s3://bucket/departments.csv``."""

    def query(
        self, conn_id: str, sql: str, parameters: Sequence[Any] | Mapping[str, Any] | None
    ) -> tuple[Sequence[str], Iterable[Sequence[Any]]]:
        """Run a query and return the names of its columns, and its rows."""

    def directory(self) -> Directory:
        """Return KooDrive's departments and users."""


class DepartmentSource(Protocol):
    """A source of departments."""

    template_fields: ClassVar[Sequence[str]]

    def read(self, access: Access) -> DepartmentList:
        """
        Read the departments.

        :raises KooDriveSourceError: the source as a whole cannot be used
        """
