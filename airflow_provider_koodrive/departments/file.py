"""Departments from a file: CSV, TSV, JSON or JSON lines, local or in an object storage."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_koodrive.departments.rows import departments_of
from airflow_provider_koodrive.departments.table import MAX_BYTES, TableError, read_table
from airflow_provider_koodrive.exceptions import KooDriveSourceError
from airflow_provider_koodrive.formatting import shown

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_provider_koodrive.departments.model import DepartmentList
    from airflow_provider_koodrive.departments.source import Access


@dataclass
class FileDepartments:
    """
    Departments from a file with a column ``name``, and perhaps ``id``, ``members`` and ``capacity`` (GB).

    :param path: a local path, the address of an object storage such as ``s3://bucket/departments.csv``, or
        an Airflow ``ObjectStoragePath`` (templated)
    :param conn_id: Airflow connection for the object storage (templated)
    :param columns: the file's own names of columns, such as ``{"name": "部门"}``
    :param encoding: name of the encoding, such as ``gb18030``; None for UTF-8, or UTF-16 with a byte order
        mark
    :param delimiter: the character between two cells; None to find it by the column ``name``
    """

    template_fields: ClassVar[Sequence[str]] = ("path", "conn_id")

    path: Any
    conn_id: str | None = None
    columns: Mapping[str, str] | None = None
    encoding: str | None = None
    delimiter: str | None = None

    def read(self, access: Access | None = None) -> DepartmentList:
        """
        Read the departments.

        :param access: opens addresses with ``://``; a local path needs none
        :raises KooDriveSourceError: the file is absent, or as a whole cannot be used
        """
        source = str(self.path)
        try:
            rows = read_table(
                self._bytes(access), columns=self.columns, encoding=self.encoding, delimiter=self.delimiter
            )
        except OSError as err:
            raise KooDriveSourceError(
                f"the file of departments {shown(source)} cannot be read on host {socket.gethostname()!r}: "
                f"{err.strerror or err}",
                advice="give a path that each worker can read, such as s3://…, or put the file there",
            ) from err
        except TableError as err:
            raise KooDriveSourceError(
                f"the file of departments {shown(source)} cannot be used: {err}"
            ) from err
        return departments_of(rows, source=source)

    def _bytes(self, access: Access | None) -> bytes:
        if not isinstance(self.path, str):
            opened = self.path.open("rb")
        elif "://" not in self.path:
            opened = Path(self.path).expanduser().open("rb")
        elif access is None:
            raise KooDriveSourceError(f"{shown(self.path)} is no local path; pass access=, which opens it")
        else:
            opened = access.open_file(self.path, self.conn_id)
        with opened as file:
            data: bytes = file.read(MAX_BYTES + 1)
        return data
