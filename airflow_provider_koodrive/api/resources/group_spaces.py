"""
Group spaces: list, find, create, dismiss.

Sources in KooDrive's documents: "Creating a Group Space", "Querying the List of Group Spaces in an
Enterprise", "Querying the List of Team Spaces", "Dismissing a Group Space".
"""

from __future__ import annotations

import logging
import re
import unicodedata
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from airflow_provider_koodrive.api.endpoints import (
    CHECK_SESSION,
    DISMISS_GROUP_SPACE,
    LIST_GROUP_SPACES,
    LIST_OWN_SPACES,
)
from airflow_provider_koodrive.api.http.request import new_trace_id
from airflow_provider_koodrive.api.http.retry import Outcome, classify
from airflow_provider_koodrive.api.resources.members import LEGACY_EDITION, members_to_be
from airflow_provider_koodrive.api.resources.paging import at_most, walk
from airflow_provider_koodrive.exceptions import (
    KooDriveError,
    KooDrivePermissionError,
    KooDriveValidationError,
)
from airflow_provider_koodrive.formatting import shown
from airflow_provider_koodrive.naming import check_group_space_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from airflow_provider_koodrive.api.client import KooDriveClient
    from airflow_provider_koodrive.api.create.journal import CreateJournal
    from airflow_provider_koodrive.api.endpoints import Endpoint
    from airflow_provider_koodrive.api.http.request import CallContext
    from airflow_provider_koodrive.api.resources.models import GroupSpacePage

log = logging.getLogger(__name__)

LARGEST_PAGE = 100
NOT_FOUND = 404
OWNED = 1  # teamType of the calling user's own spaces

_ID = re.compile(r"[A-Za-z0-9_-]+")
_WHOLE_NUMBER = re.compile(r"\s*[0-9]{1,18}\s*")


class Look(NamedTuple):
    """
    What a look at the lists showed.

    :param space: the space, None where they do not show it
    :param complete: whether the lists had as many records as they count
    """

    space: dict[str, Any] | None
    complete: bool

    @property
    def settles(self) -> bool:
        """Whether it tells for certain that the space is there, or is not."""
        return self.space is not None or self.complete


class GroupSpaces:
    """
    The group spaces of an enterprise, seen by the calling user.

    :param client: the client that sends
    :param api_edition: ``2025-03`` or ``2024-07``: how members are sent
    :param permission_template: default permission template of new members; None for what KooDrive's
        console gives them, everything but delete
    """

    def __init__(
        self,
        client: KooDriveClient,
        *,
        api_edition: str = "2025-03",
        permission_template: int | None = None,
    ) -> None:
        self.client = client
        self.api_edition = api_edition
        self.permission_template = permission_template
        self._session_user: Sequence[str] | None = None

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
        for page, new in self._pages(LIST_GROUP_SPACES, {"keyWord": keyword}, page_size, max_records):
            # A last page may come without the numbers.
            told = {name: value for name, value in page.items() if value is not None}
            listing = {**page, **listing, **told}
            groups += new
        return {**listing, "groups": groups}

    def iterate(
        self, *, keyword: str | None = None, page_size: int = LARGEST_PAGE
    ) -> Iterator[dict[str, Any]]:
        """Iterate over the enterprise's spaces, a page in memory at a time; see :meth:`list_all`."""
        pages = self._pages(LIST_GROUP_SPACES, {"keyWord": keyword}, page_size, None)
        return (space for _, new in pages for space in new)

    def find(self, name: str) -> dict[str, Any] | None:
        """
        Return the calling user's own space of exactly this name, or None.

        Names are unique per creator only, so another user's space of this name is not it.

        :raises KooDriveError: of the kind that fits
        """
        return self.look(name).space

    def look(
        self,
        name: str,
        *,
        new_id: str | None = None,
        context: CallContext | None = None,
    ) -> Look:
        """
        Look for the calling user's own space of exactly this name.

        :param new_id: id of the space where KooDrive has just told it, whether the group's or the space's
        :param context: deadline and trace id, of all pages; None for new ones
        :raises KooDriveError: of the kind that fits
        """
        context = context or self.client.new_context()
        # KooDrive may count what the keyword leaves out (inferred), so the list without it decides.
        look = self._look(name, name, new_id, context)
        return look if look.settles else self._look(name, None, new_id, context)

    def _look(self, name: str, keyword: str | None, new_id: str | None, context: CallContext) -> Look:
        query = {"keyWord": keyword}
        try:
            own, complete = self._search(LIST_OWN_SPACES, {**query, "teamType": OWNED}, context)
        except KooDriveError as err:
            if not isinstance(err, KooDrivePermissionError) and err.http_status != NOT_FOUND:
                raise
            caller = self.caller(context)
            if not caller:
                raise
            # A user may be refused the list of what is the user's own (inferred way out).
            listed, complete = self._search(LIST_GROUP_SPACES, query, context)
            named = (space for space in listed if same_name(space["name"], name))
            return Look(next((space for space in named if space.get("ownerId") in caller), None), complete)
        for space in own:
            if new_id is not None and new_id in (space["id"], space.get("containerId")):
                return Look(space, complete)
            if same_name(space["name"], name) and self._is_own(space, context):
                return Look(space, complete)
        nameless = {space["id"] for space in own if space["name"] is None}
        if not nameless:
            return Look(None, complete)
        # One generation's table of this list has no names (inferred way out).
        listed, all_listed = self._search(LIST_GROUP_SPACES, query, context)
        found = [space for space in listed if same_name(space["name"], name) and space["id"] in nameless]
        mine = next((space for space in found if self._is_own(space, context)), None)
        return Look(mine, complete and all_listed)

    def create(
        self,
        name: str,
        *,
        user_ids: Sequence[str] | None = None,
        members: Sequence[Mapping[str, Any]] | None = None,
        capacity: int | None = None,
        icon_url: str | None = None,
        if_exists: str = "fail",
        journal: CreateJournal | None = None,
    ) -> dict[str, Any]:
        """
        Create a space exactly once; see :mod:`airflow_provider_koodrive.api.create.runner`.

        :param name: name of the space, at most 30 characters
        :param user_ids: KooDrive user ids of the members, at most 200
        :param members: ``{"userId", "template", "capabilities"}`` each; instead of ``user_ids``
        :param capacity: size in GB; None for KooDrive's default
        :param icon_url: picture of the space
        :param if_exists: ``reuse`` takes the caller's own space of that name, ``fail`` raises
        :param journal: remembers across processes what was sent
        :return: ``id``, ``containerId``, ``name``, ``capacity`` (GB), ``created``, ``failedList``
        :raises KooDriveValidationError: a value is not allowed; nothing was sent
        :raises KooDriveConflictError: the space exists and ``if_exists`` is ``fail``
        :raises KooDriveOutcomeUnknownError: nothing tells whether the space was created
        :raises KooDriveError: of the kind that fits
        """
        from airflow_provider_koodrive.api.create.runner import Creation

        if if_exists not in ("reuse", "fail"):
            raise KooDriveValidationError(f"if_exists={shown(if_exists)} is neither 'reuse' nor 'fail'")
        check_group_space_name(name)
        wanted = members_to_be(
            user_ids, members, api_edition=self.api_edition, permission_template=self.permission_template
        )
        body: dict[str, Any] = {"name": name}
        if icon_url is not None:
            body["iconUrl"] = _icon_url(icon_url)
        if capacity is not None:
            body["capacity"] = positive_integer("capacity", capacity)
        if self.api_edition != LEGACY_EDITION:
            # Mandatory in this edition, so it goes out empty too.
            body["addGroupUsers"] = [member.to_json() for member in wanted]
        elif wanted:
            body["userIds"] = [member.user_id for member in wanted]
        return Creation(self, body, wanted, reuse=if_exists == "reuse", journal=journal).run()

    def dismiss(self, group_id: str) -> None:
        """
        Dismiss a space for good ("Dismissing a Group Space").

        :param group_id: the space's ``id``
        :raises KooDriveValidationError: that is no id; nothing was sent
        :raises KooDriveError: of the kind that fits; not repeated where the outcome is unknown
        """
        if not isinstance(group_id, str) or not _ID.fullmatch(group_id):
            raise KooDriveValidationError(f"group_id {shown(group_id)} is not the id of a group space")
        self.client.call(DISMISS_GROUP_SPACE, ids={"group_id": group_id})

    def _search(
        self, endpoint: Endpoint[GroupSpacePage], query: Mapping[str, Any], context: CallContext
    ) -> tuple[list[dict[str, Any]], bool]:
        """Return the records of a list, and whether they are as many as it counts."""
        found: list[dict[str, Any]] = []
        total = None
        for page, new in self._pages(endpoint, query, context=context):
            found += new
            total = page["total"]
        return found, total is None or len(found) >= total

    def _pages(
        self,
        endpoint: Endpoint[GroupSpacePage],
        query: Mapping[str, Any],
        page_size: int = LARGEST_PAGE,
        max_records: int | None = None,
        context: CallContext | None = None,
    ) -> Iterator[tuple[GroupSpacePage, list[dict[str, Any]]]]:
        if positive_integer("page_size", page_size) > LARGEST_PAGE:
            raise KooDriveValidationError(f"page_size {shown(page_size)} is not within 1 to {LARGEST_PAGE}")
        most = None if max_records is None else positive_integer("max_records", max_records)
        trace_id = context.trace_id if context else new_trace_id()

        def fetch(offset: int) -> GroupSpacePage:
            # Without a context of its own, each page is a call with a deadline of its own.
            return self.client.call(
                endpoint,
                params={"offset": offset, "limit": page_size, **query},
                context=context or replace(self.client.new_context(), trace_id=trace_id),
            )

        def spaces(page: GroupSpacePage) -> list[dict[str, Any]]:
            return cast("list[dict[str, Any]]", page["groups"])

        what = f"group spaces (trace id {trace_id})"
        return at_most(most, walk(fetch, spaces, key="id", what=what))

    def _is_own(self, space: Mapping[str, Any], context: CallContext) -> bool:
        owner = space.get("ownerId") or space.get("creator")
        caller = self.caller(context) if owner else ()
        return not caller or owner in caller

    def caller(self, context: CallContext) -> Sequence[str]:
        """
        Return the calling user's ids, none where KooDrive does not tell.

        :param context: deadline and trace id
        :raises KooDriveError: KooDrive cannot be asked
        """
        user_id = getattr(self.client.auth, "user_id", None)
        if user_id:
            return (user_id,)
        if self._session_user is None:
            self._session_user = self._ask_who(context)
        return self._session_user

    def _ask_who(self, context: CallContext) -> Sequence[str]:
        try:
            data = self.client.call(CHECK_SESSION, context=context)
        except KooDriveError as err:
            if classify("GET", err) is Outcome.NOT_APPLIED:
                raise
            log.warning("KooDrive does not tell who the calling user is, so owners are not compared: %s", err)
            return ()
        ids = (data.get("innerUserId"), data.get("userId"))
        return tuple(str(user_id) for user_id in ids if user_id)


def same_name(one: str | None, other: str) -> bool:
    """Whether two names read the same; KooDrive may compose characters differently from us."""
    return one is not None and unicodedata.normalize("NFC", one) == unicodedata.normalize("NFC", other)


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


def _icon_url(value: object) -> str:
    if isinstance(value, str) and value.isprintable():
        return value
    raise KooDriveValidationError(f"icon_url must be text without line breaks, not {shown(value)}")
