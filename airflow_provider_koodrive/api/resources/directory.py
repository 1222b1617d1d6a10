"""
Departments and users of the enterprise.

Sources in KooDrive's documents: the pages GetDepartmentList, GetDepartmentSpaceList and "Listing Users".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_koodrive.api.endpoints import LIST_DEPARTMENT_SPACES, LIST_DEPARTMENTS, LIST_USERS
from airflow_provider_koodrive.api.resources.paging import walk

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_koodrive.api.client import KooDriveClient
    from airflow_provider_koodrive.api.endpoints import Endpoint
    from airflow_provider_koodrive.api.resources.records import RecordPage

PAGE_SIZE = 100


class Directory:
    """
    The departments and users of the enterprise.

    :param client: the client
    """

    def __init__(self, client: KooDriveClient) -> None:
        self._client = client

    def list_departments(self, parent_id: str | None = None) -> list[dict[str, Any]]:
        """
        Return the departments directly below one (page GetDepartmentList).

        :param parent_id: id of the department, None for the root
        :raises KooDriveError: of the kind that fits
        """
        return self._client.call(LIST_DEPARTMENTS, params={"departmentId": parent_id})["records"]

    def list_department_spaces(self) -> tuple[list[dict[str, Any]], bool]:
        """
        Return all departments that have a space (page GetDepartmentSpaceList).

        :return: the departments, and whether these are as many as KooDrive says
        :raises KooDriveError: of the kind that fits
        """
        return self._all(LIST_DEPARTMENT_SPACES, {}, "department spaces")

    def list_users(
        self, department_id: str | None = None, *, direct: bool = False
    ) -> tuple[list[dict[str, Any]], bool]:
        """
        Return the users of a department ("Listing Users"); ``status`` 1 means disabled.

        :param department_id: id of the department, None for the whole enterprise
        :param direct: leave out the users of the departments below
        :return: the users, and whether these are as many as KooDrive says
        :raises KooDriveError: of the kind that fits
        """
        query = {"deptId": department_id, "isDirect": "true" if direct else "false"}
        return self._all(LIST_USERS, query, "users")

    def _all(
        self, endpoint: Endpoint[RecordPage], query: Mapping[str, str | None], what: str
    ) -> tuple[list[dict[str, Any]], bool]:
        context = self._client.new_context()

        def fetch(offset: int) -> RecordPage:
            return self._client.call(
                endpoint, params={"offset": offset, "limit": PAGE_SIZE, **query}, context=context
            )

        records: list[dict[str, Any]] = []
        total = None
        what = f"{what} (trace id {context.trace_id})"
        for page, new in walk(fetch, lambda page: page["records"], key="id", what=what):
            records += new
            # A last page may come without the number.
            total = total if page["total"] is None else page["total"]
        return records, total is None or len(records) >= total
