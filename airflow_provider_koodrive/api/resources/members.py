"""
Members of a group space: their shape in both editions of the API, and completing them.

Sources in KooDrive's documents: "Creating a Group Space", "Adding Members to a User Group",
"Listing Members in a User Group".
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_koodrive.api.endpoints import ADD_MEMBERS, LIST_MEMBERS
from airflow_provider_koodrive.api.http.retry import Outcome, classify
from airflow_provider_koodrive.api.resources.paging import walk
from airflow_provider_koodrive.exceptions import (
    KooDriveAuthenticationError,
    KooDriveError,
    KooDrivePermissionError,
    KooDriveValidationError,
)
from airflow_provider_koodrive.formatting import shown

if TYPE_CHECKING:
    from airflow_provider_koodrive.api.client import KooDriveClient
    from airflow_provider_koodrive.api.http.request import CallContext

log = logging.getLogger(__name__)

MOST_MEMBERS = 200
LEGACY_EDITION = "2024-07"
CUSTOM_TEMPLATE = -1
LARGEST_ID = 2**64
PAGE_SIZE = 100

# Halving isolates four unknown users among 200 with 55 calls; where far more are refused, it is no use.
MOST_BATCHES = 64

# What KooDrive's console gives a new member: the preset "Unable to delete".
NEW_MEMBER_CAPABILITIES = {
    "addChildNodePermission": True,
    "copyPermission": True,
    "deletePermission": False,
    "downloadPermission": True,
    "editPermission": True,
    "listChildNodePermission": True,
    "removeChildNodePermission": True,
    "renameFilePermission": True,
    "shareFilePermission": True,
    "uploadPermission": True,
    "viewPermission": True,
}


@dataclass(frozen=True)
class Member:
    """
    A member to be.

    :param user_id: KooDrive's internal user id
    :param template: id of a permission template; -1 for a custom one
    :param capabilities: the custom template's permissions
    """

    user_id: str
    template: int
    capabilities: Mapping[str, bool] | None

    def to_json(self, *, long_id: bool = False) -> dict[str, Any]:
        """
        Return the member as edition 2025-03 wants it.

        :param long_id: send the id as a number where it is one, as batchAdd's table says
        """
        user_id = int(self.user_id) if long_id and self.user_id.isdecimal() else self.user_id
        shape: dict[str, Any] = {"userId": user_id, "template": self.template}
        if self.capabilities is not None:
            shape["capabilities"] = dict(self.capabilities)
        return shape


def members_to_be(
    user_ids: Sequence[str] | None,
    members: Sequence[Mapping[str, Any]] | None,
    *,
    api_edition: str,
    permission_template: int | None,
) -> list[Member]:
    """
    Check and unite the two ways to name members; a member named twice counts once.

    :param user_ids: KooDrive user ids, who get the connection's permission template
    :param members: ``{"userId", "template", "capabilities"}`` each
    :param api_edition: edition of KooDrive's API
    :param permission_template: default template id; None for what the console gives new members
    :raises KooDriveValidationError: both are given, one is malformed, or there are more than 200
    """
    if user_ids is not None and members is not None:
        raise KooDriveValidationError("both user_ids and members are given: pass one or the other")
    template = CUSTOM_TEMPLATE if permission_template is None else permission_template
    capabilities = NEW_MEMBER_CAPABILITIES if template == CUSTOM_TEMPLATE else None
    if members is not None:
        named = [_member(entry, template) for entry in _sequence("members", members)]
        if api_edition == LEGACY_EDITION and any(set(entry) - {"userId"} for entry in members):
            raise KooDriveValidationError(
                f"API edition {LEGACY_EDITION} knows no permissions: pass user_ids, or members with userId "
                "alone"
            )
    else:
        named = [
            Member(_user_id(entry), template, capabilities)
            for entry in _sequence("user_ids", () if user_ids is None else user_ids)
        ]
    unique = {member.user_id: member for member in named}
    if len(unique) > MOST_MEMBERS:
        raise KooDriveValidationError(
            f"{len(unique)} members are too many: a group space has at most {MOST_MEMBERS}"
        )
    return list(unique.values())


def add_missing(
    client: KooDriveClient,
    group_id: str,
    wanted: Sequence[Member],
    *,
    api_edition: str,
    context: CallContext,
) -> list[str]:
    """
    Add those members that an existing space lacks.

    Each attempt lists the members first, so none is sent twice.

    :param group_id: the space's group id
    :param context: deadline and trace id
    :return: user ids of those that KooDrive does not add
    :raises KooDriveError: KooDrive cannot be asked, or its answer is unknown after all attempts
    """
    if not wanted:
        return []

    def again(error: KooDriveError) -> bool:
        return classify("POST", error) is not Outcome.REJECTED

    repeat = client.repeating(f"adding members to {group_id}", again, context)
    return repeat(_add, client, group_id, wanted, api_edition, context)


def list_member_ids(client: KooDriveClient, group_id: str, context: CallContext) -> set[str]:
    """
    Return the user ids of all members of a space.

    :param group_id: the space's group id
    :param context: deadline and trace id
    :raises KooDriveError: of the kind that fits
    """

    def fetch(offset: int) -> Any:
        params = {"offset": offset, "limit": PAGE_SIZE}
        return client.call(LIST_MEMBERS, ids={"group_id": group_id}, params=params, context=context)

    pages = walk(
        fetch,
        lambda page: page["userGroupMemberInfos"],
        key="userId",
        what=f"members (trace id {context.trace_id})",
    )
    return {member["userId"] for _, new in pages for member in new}


def _add(
    client: KooDriveClient, group_id: str, wanted: Sequence[Member], api_edition: str, context: CallContext
) -> list[str]:
    try:
        missing = _lacking(client, group_id, wanted, context)
    except KooDrivePermissionError as err:
        # The space is there: its members are reported, rather than lost with an error about them.
        log.warning("KooDrive does not list the members, so %s are not added: %s", len(wanted), err)
        return [member.user_id for member in wanted]
    return _add_batches(client, group_id, missing, api_edition, context) if missing else []


def _add_batches(
    client: KooDriveClient, group_id: str, missing: Sequence[Member], api_edition: str, context: CallContext
) -> list[str]:
    """Add members; one whom KooDrive does not know may have a whole batch refused, so that is halved."""
    failed: list[str] = []
    batches = deque([missing])
    for _ in range(MOST_BATCHES):
        if not batches:
            return failed
        batch = batches.popleft()
        try:
            failed += _add_batch(client, group_id, batch, api_edition, context)
        except KooDriveError as err:
            if classify("POST", err) is not Outcome.REJECTED or isinstance(err, KooDriveAuthenticationError):
                raise
            log.warning("KooDrive adds none of %s members: %s", len(batch), err)
            half = len(batch) // 2
            if half == 0 or isinstance(err, KooDrivePermissionError):
                failed += [member.user_id for member in batch]
            else:
                batches += [batch[:half], batch[half:]]
    left = [member.user_id for batch in batches for member in batch]
    if left:
        log.warning(
            "%s members were not tried one by one, since %s batches were refused", len(left), MOST_BATCHES
        )
    return failed + left


def _add_batch(
    client: KooDriveClient, group_id: str, batch: Sequence[Member], api_edition: str, context: CallContext
) -> list[str]:
    answer = client.send(
        ADD_MEMBERS, context, ids={"group_id": group_id}, json=_batch_body(batch, api_edition)
    )
    if answer["failedList"] or answer["status"] == 0:
        return answer["failedList"]
    # KooDrive does not say whether all were added, or which were not.
    return [member.user_id for member in _lacking(client, group_id, batch, context)]


def _lacking(
    client: KooDriveClient, group_id: str, wanted: Sequence[Member], context: CallContext
) -> list[Member]:
    present = list_member_ids(client, group_id, context)
    return [member for member in wanted if member.user_id not in present]


def _batch_body(members: Sequence[Member], api_edition: str) -> dict[str, Any]:
    if api_edition == LEGACY_EDITION:
        return {"userIds": [member.user_id for member in members]}
    return {"amendModRoles": [member.to_json(long_id=True) for member in members]}


def _sequence(name: str, value: object) -> Sequence[Any]:
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return value
    raise KooDriveValidationError(
        f"{name} must be a list, not {type(value).__name__} {shown(value)}; a template gives a list only "
        "with render_template_as_native_obj=True"
    )


def _user_id(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < LARGEST_ID:
        return str(value)
    if isinstance(value, str) and value.strip() and value.isprintable():
        return value.strip()
    raise KooDriveValidationError(
        f"user id {shown(value)} is not one of KooDrive's: pass text such as '1505084218764547200'"
    )


def _member(entry: object, default_template: int) -> Member:
    if not isinstance(entry, Mapping) or "userId" not in entry:
        raise KooDriveValidationError(
            f"member {shown(entry)} is not an object with userId, template and capabilities"
        )
    unknown = set(entry) - {"userId", "template", "capabilities"}
    if unknown:
        raise KooDriveValidationError(
            f"member {shown(entry['userId'])} has unknown fields: {', '.join(sorted(map(shown, unknown)))}"
        )
    template = _template(entry.get("template", default_template))
    capabilities = entry.get("capabilities")
    if capabilities is None:
        capabilities = NEW_MEMBER_CAPABILITIES if template == CUSTOM_TEMPLATE else None
    elif template != CUSTOM_TEMPLATE:
        raise KooDriveValidationError(
            f"member {shown(entry['userId'])} has capabilities, which go with template {CUSTOM_TEMPLATE} only"
        )
    else:
        _check_capabilities(entry["userId"], capabilities)
    return Member(_user_id(entry["userId"]), template, capabilities)


def _template(value: object) -> int:
    try:
        return int(value) if isinstance(value, int | str) and not isinstance(value, bool) else int("")
    except ValueError:
        raise KooDriveValidationError(
            f"template {shown(value)} is not the id of a permission template"
        ) from None


def _check_capabilities(user_id: object, capabilities: object) -> None:
    given = capabilities if isinstance(capabilities, Mapping) else {}
    wrong = [name for name in NEW_MEMBER_CAPABILITIES if not isinstance(given.get(name), bool)]
    if wrong:
        raise KooDriveValidationError(
            f"capabilities of member {shown(user_id)} must be true or false for each of: {', '.join(wrong)}"
        )
