"""
The calling user's own group spaces: find one by its name.

Sources in KooDrive's documents: "Querying Information About a Team Space", "Listing Group Spaces in an
Enterprise", "Checking Whether a User Session Is Invalid Based on Token Information".
"""

from __future__ import annotations

import logging
import unicodedata
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_provider_koodrive.api.endpoints import CHECK_SESSION, LIST_GROUP_SPACES, LIST_OWN_SPACES
from airflow_provider_koodrive.api.http.retry import Outcome, classify
from airflow_provider_koodrive.api.resources.group_spaces import list_pages
from airflow_provider_koodrive.exceptions import KooDriveError, KooDrivePermissionError
from airflow_provider_koodrive.naming import folded_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from airflow_provider_koodrive.api.client import KooDriveClient
    from airflow_provider_koodrive.api.endpoints import Endpoint
    from airflow_provider_koodrive.api.http.request import CallContext
    from airflow_provider_koodrive.api.resources.models import GroupSpacePage

log = logging.getLogger(__name__)

NOT_FOUND = 404
OWNED = 1  # teamType of the calling user's own spaces


class Listing(NamedTuple):
    """
    The records of a list.

    :param records: the records of all pages
    :param complete: whether they are as many as the list counts
    :param date: KooDrive's ``Date`` of the last page, None if it had none
    """

    records: list[dict[str, Any]]
    complete: bool
    date: datetime | None

    def showing(self, space: dict[str, Any] | None) -> LookUp:
        """Return the result of looking for a space in this list."""
        return LookUp(space, self.complete, self.date)


class LookUp(NamedTuple):
    """
    The result of looking for a space.

    :param space: the space, None if the lists do not show it
    :param complete: whether the lists had as many records as they count
    :param date: KooDrive's ``Date`` of the list, None if it had none
    """

    space: dict[str, Any] | None
    complete: bool
    date: datetime | None


class OwnSpaces:
    """
    The calling user's own group spaces.

    Names are unique per creator only, so another user's space of the same name is never found.

    :param client: the client that sends
    """

    def __init__(self, client: KooDriveClient) -> None:
        self._client = client
        self._session_user: Sequence[str] | None = None

    def find(self, name: str) -> dict[str, Any] | None:
        """
        Return the space of exactly this name, or None.

        :raises KooDriveError: of the kind that fits
        """
        return self.look_up(name, context=self._client.new_context()).space

    def look_up(self, name: str, *, new_id: str | None = None, context: CallContext) -> LookUp:
        """
        Look for the space of exactly this name.

        :param new_id: id that KooDrive gave the new space, whether the group's or the container's
        :param context: deadline and trace id, of all pages
        :raises KooDriveError: of the kind that fits
        """
        found = self._look_up(name, name, new_id, context)
        if found.space is not None or found.complete:
            return found
        # KooDrive may count what the keyword leaves out (inferred), so the list without it decides.
        return self._look_up(name, None, new_id, context)

    def look_up_alike(self, name: str, context: CallContext) -> dict[str, Any] | None:
        """
        Return a space whose name differs from this one only in case or width, or None.

        :param context: deadline and trace id
        :raises KooDriveError: of the kind that fits
        """
        # KooDrive's search by keyword may find neither the other case nor the other width.
        own = self._list(LIST_OWN_SPACES, {"teamType": OWNED}, context)
        named = (space for space in own.records if space["name"] and not same_name(space["name"], name))
        return next((space for space in named if folded_name(space["name"]) == folded_name(name)), None)

    def caller_ids(self, context: CallContext) -> Sequence[str]:
        """
        Return the calling user's ids, none if KooDrive does not say who that is.

        :param context: deadline and trace id
        :raises KooDriveError: KooDrive cannot be asked
        """
        user_id = getattr(self._client.auth, "user_id", None)
        if user_id:
            return (user_id,)
        if self._session_user is None:
            self._session_user = self._ids_of_session(context)
        return self._session_user

    def _look_up(self, name: str, keyword: str | None, new_id: str | None, context: CallContext) -> LookUp:
        try:
            own = self._list(LIST_OWN_SPACES, {"keyWord": keyword, "teamType": OWNED}, context)
        except KooDriveError as err:
            if not isinstance(err, KooDrivePermissionError) and err.http_status != NOT_FOUND:
                raise
            caller = self.caller_ids(context)
            if not caller:
                raise
            # A user may be refused the list of the user's own spaces (inferred way out).
            listing = self._list(LIST_GROUP_SPACES, {"keyWord": keyword}, context)
            named = (space for space in listing.records if same_name(space["name"], name))
            return listing.showing(next((space for space in named if space.get("ownerId") in caller), None))
        for space in own.records:
            if new_id is not None and new_id in (space["id"], space.get("containerId")):
                return own.showing(space)
            if same_name(space["name"], name) and self._is_own(space, context):
                return own.showing(space)
        nameless = {space["id"] for space in own.records if space["name"] is None}
        return self._among_nameless(name, keyword, own, nameless, context) if nameless else own.showing(None)

    def _among_nameless(
        self, name: str, keyword: str | None, own: Listing, nameless: set[str], context: CallContext
    ) -> LookUp:
        # One generation's table of this list has no names (inferred way out).
        listing = self._list(LIST_GROUP_SPACES, {"keyWord": keyword}, context)
        named = (space for space in listing.records if same_name(space["name"], name))
        found = (space for space in named if space["id"] in nameless and self._is_own(space, context))
        return LookUp(next(found, None), own.complete and listing.complete, own.date)

    def _list(
        self, endpoint: Endpoint[GroupSpacePage], query: Mapping[str, Any], context: CallContext
    ) -> Listing:
        records: list[dict[str, Any]] = []
        total = None
        for page, new in list_pages(self._client, endpoint, query, context=context):
            records += new
            # A last page may come without the number.
            total = total if page["total"] is None else page["total"]
        return Listing(records, total is None or len(records) >= total, self._client.clock.last_date)

    def _is_own(self, space: Mapping[str, Any], context: CallContext) -> bool:
        owner = space.get("ownerId") or space.get("creator")
        caller = self.caller_ids(context) if owner else ()
        return not caller or owner in caller

    def _ids_of_session(self, context: CallContext) -> Sequence[str]:
        try:
            data = self._client.call(CHECK_SESSION, context=context)
        except KooDriveError as err:
            if classify("GET", err) is Outcome.NOT_APPLIED:
                raise
            log.warning("KooDrive does not say who the calling user is, so owners are not compared: %s", err)
            return ()
        ids = (data.get("innerUserId"), data.get("userId"))
        return tuple(str(user_id) for user_id in ids if user_id)


def same_name(one: str | None, other: str) -> bool:
    """Return whether two names read the same; KooDrive may compose characters differently."""
    return one is not None and unicodedata.normalize("NFC", one) == unicodedata.normalize("NFC", other)
