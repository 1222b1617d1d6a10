"""Links from Airflow's web interface to KooDrive's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.providers.common.compat.sdk import BaseOperatorLink

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseOperator
    from airflow.sdk.types import TaskInstanceKey


class KooDriveSpaceLink(BaseOperatorLink):
    """A link to the space that a create task created or reused; the task pushes its address to XCom."""

    name = "Open in KooDrive"
    xcom_key = "koodrive_space_url"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:  # noqa: ARG002
        """Return the address, empty if the task has pushed none."""
        from airflow.providers.common.compat.sdk import XCom

        return XCom.get_value(key=self.xcom_key, ti_key=ti_key) or ""
