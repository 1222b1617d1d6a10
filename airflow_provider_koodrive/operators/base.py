"""The base of KooDrive's operators."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowFailException, BaseOperator

from airflow_provider_koodrive.exceptions import KooDriveError
from airflow_provider_koodrive.hooks.koodrive import KooDriveHook

if TYPE_CHECKING:
    from typing import TypeAlias

    from airflow.providers.common.compat.sdk import Context, XComArg
    from airflow.sdk.definitions.param import DagParam

    # Stands for a value until the task runs: the result of another task, or a param of the DAG.
    Later: TypeAlias = XComArg | DagParam


class KooDriveBaseOperator(BaseOperator):
    """
    Run a task with a connection to KooDrive, and fail for good where another try cannot succeed.

    :param koodrive_conn_id: id of the connection (templated)
    """

    ui_color = "#e8f1fb"

    def __init__(
        self, *, koodrive_conn_id: str | Later = KooDriveHook.default_conn_name, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        # Any: when the task runs, Airflow has put the value itself there.
        self.koodrive_conn_id: Any = koodrive_conn_id

    @cached_property
    def hook(self) -> KooDriveHook:
        """The hook of the connection."""
        return KooDriveHook(self.koodrive_conn_id)

    def execute(self, context: Context) -> Any:
        """
        Run the task.

        :param context: the task's context
        :raises AirflowFailException: the error is not retryable: the configuration, credentials, permissions
            or values are wrong
        :raises KooDriveError: another try may succeed
        """
        try:
            return self._run(context)
        except KooDriveError as err:
            if err.retryable:
                raise
            raise AirflowFailException(f"{type(err).__name__}: {err}") from err

    def _run(self, context: Context) -> Any:
        raise NotImplementedError
