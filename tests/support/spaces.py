"""The calls about group spaces that tests make, in one place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_koodrive.api.create.runner import create_group_space
from airflow_provider_koodrive.api.create.spec import GroupSpaceSpec
from airflow_provider_koodrive.api.resources.group_spaces import GroupSpaces
from airflow_provider_koodrive.api.resources.own_spaces import OwnSpaces

if TYPE_CHECKING:
    from airflow_provider_koodrive.api.client import KooDriveClient


class Spaces(GroupSpaces):
    """
    The group spaces of an enterprise, and the calling user's own.

    :param client: the client that sends
    :param api_edition: ``2025-03`` or ``2024-07``
    """

    def __init__(self, client: KooDriveClient, *, api_edition: str = "2025-03") -> None:
        super().__init__(client)
        self.client = client
        self.api_edition = api_edition
        self._own_spaces = OwnSpaces(client)

    def find(self, name: str) -> dict[str, Any] | None:
        return self._own_spaces.find(name)

    def create(
        self, name: str, *, if_exists: str = "fail", journal: Any = None, **values: Any
    ) -> dict[str, Any]:
        spec = GroupSpaceSpec.checked(name, api_edition=self.api_edition, **values)
        return create_group_space(
            self.client, spec, api_edition=self.api_edition, if_exists=if_exists, journal=journal
        )
