"""
The group spaces of an enterprise: list and dismiss.

Sources in KooDrive's documents: "Listing Group Spaces in an Enterprise", "Dismissing a Group Space".
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from airflow_provider_koodrive.api.endpoints import DISMISS_GROUP_SPACE, LIST_GROUP_SPACES
from airflow_provider_koodrive.api.http.request import new_trace_id
from airflow_provider_koodrive.api.resources.paging import at_most, walk
from airflow_provider_koodrive.exceptions import KooDriveValidationError
from airflow_provider_koodrive.formatting import shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from airflow_provider_koodrive.api.client import KooDriveClient
    from airflow_provider_koodrive.api.endpoints import Endpoint
    from airflow_provider_koodrive.api.http.request import CallContext
    from airflow_provider_koodrive.api.resources.models import GroupSpacePage

LARGEST_PAGE = 100

_ID = re.compile(r"[A-Za-z0-9_-]+")
_WHOLE_NUMBER = re.compile(r"\s*[0-9]{1,18}\s*")


class GroupSpaces:
    """
    The group spaces of an enterprise.

    :param client: the client that sends
    """

    def __init__(self, client: KooDriveClient) -> None:
        self._client = client

    def list_all(
        self, *, keyword: str | None = None, page_size: int = LARGEST_PAGE, max_records: int | None = None
    ) -> dict[str, Any]:
        """
        Return the enterprise's spaces, all pages joined; only a tenant administrator may.

        :param keyword: part of the name or of the owner's name
        :param page_size: spaces for one call, 1 to 100
        :param max_records: return at most so many spaces
        :return: ``total``, ``groupsTotal``, ``groupsMax``, ``assignedCapacity`` (GB), ``maxCapacity`` (GB)
            and ``groups``
        :raises KooDriveError: of the kind that fits
        """
        listing: dict[str, Any] = {}
        groups: list[dict[str, Any]] = []
        for page, new in self._pages(keyword, page_size, max_records):
            # A last page may come without the numbers.
            given = {name: value for name, value in page.items() if value is not None}
            listing = {**page, **listing, **given}
            groups += new
        return {**listing, "groups": groups}

    def iterate(
        self, *, keyword: str | None = None, page_size: int = LARGEST_PAGE
    ) -> Iterator[dict[str, Any]]:
        """Iterate over the enterprise's spaces, a page in memory at a time; see :meth:`list_all`."""
        return (space for _, new in self._pages(keyword, page_size, None) for space in new)

    def dismiss(self, group_id: str) -> None:
        """
        Dismiss a space for good ("Dismissing a Group Space").

        :param group_id: the space's ``id``
        :raises KooDriveValidationError: that is no id; nothing was sent
        :raises KooDriveError: of the kind that fits; not repeated if the outcome is unknown
        """
        if not isinstance(group_id, str) or not _ID.fullmatch(group_id):
            raise KooDriveValidationError(f"group_id {shown(group_id)} is not the id of a group space")
        self._client.call(DISMISS_GROUP_SPACE, ids={"group_id": group_id})

    def _pages(
        self, keyword: str | None, page_size: int, max_records: int | None
    ) -> Iterator[tuple[GroupSpacePage, list[dict[str, Any]]]]:
        most = None if max_records is None else positive_integer("max_records", max_records)
        pages = list_pages(self._client, LIST_GROUP_SPACES, {"keyWord": keyword}, page_size)
        return at_most(most, pages)


def list_pages(
    client: KooDriveClient,
    endpoint: Endpoint[GroupSpacePage],
    query: Mapping[str, Any],
    page_size: int = LARGEST_PAGE,
    *,
    context: CallContext | None = None,
) -> Iterator[tuple[GroupSpacePage, list[dict[str, Any]]]]:
    """
    Read the pages of a list of spaces, each with the records that no earlier page had.

    :param endpoint: the list
    :param query: its parameters but for ``offset`` and ``limit``
    :param page_size: spaces for one call, 1 to 100
    :param context: deadline and trace id of all pages; None for a deadline of its own for each page
    :raises KooDriveValidationError: ``page_size`` is not allowed; nothing was sent
    :raises KooDriveError: of the kind that fits
    """
    if positive_integer("page_size", page_size) > LARGEST_PAGE:
        raise KooDriveValidationError(f"page_size {shown(page_size)} is not within 1 to {LARGEST_PAGE}")
    trace_id = context.trace_id if context else new_trace_id()

    def fetch(offset: int) -> GroupSpacePage:
        return client.call(
            endpoint,
            params={"offset": offset, "limit": page_size, **query},
            context=context or replace(client.new_context(), trace_id=trace_id),
        )

    def spaces(page: GroupSpacePage) -> list[dict[str, Any]]:
        return cast("list[dict[str, Any]]", page["groups"])

    return walk(fetch, spaces, key="id", what=f"group spaces (trace id {trace_id})")


def positive_integer(name: str, value: object) -> int:
    """
    Return a whole number of at least 1, also from the text that a template gives.

    :raises KooDriveValidationError: it is something else
    """
    if isinstance(value, str) and _WHOLE_NUMBER.fullmatch(value):
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and value >= 1:
        return value
    raise KooDriveValidationError(f"{name} must be a whole number of at least 1, not {shown(value)}")
