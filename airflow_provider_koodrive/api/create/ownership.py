"""
Who created a space of the wanted name that the lists show: one pure function of ids, times, size and members.

A time decides only if it is KooDrive's own on both sides. What that leaves open is UNDECIDED, which is safe:
the task ends with ``KooDriveOutcomeUnknownError`` rather than use another run's space.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from airflow_provider_koodrive.api.create.journal import CLOCK_TOLERANCE, created_at, parsed

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import datetime

    from airflow_provider_koodrive.api.create.journal import Intent
    from airflow_provider_koodrive.api.create.spec import GroupSpaceSpec


class Owner(Enum):
    """Who created a space of the wanted name."""

    OURS = "this task"
    OTHERS = "another run or user"
    UNDECIDED = "undecided"
    ASK_MEMBERS = "this task, if the space has no other members"


@dataclass(frozen=True)
class Evidence:
    """
    What a task knows of the creates that it has sent.

    :param spec: the space that was asked for
    :param earlier: the note of an earlier try, None if that has sent nothing or cannot arrive any more
    :param lost: whether this try has sent a create whose outcome is unknown
    :param absence_shown: whether complete lists without the space came before that
    :param not_sent_before: by KooDrive's clock, None if unknown
    :param listed_at: KooDrive's time of the listing that shows the space, None if unknown
    """

    spec: GroupSpaceSpec
    earlier: Intent | None
    lost: bool
    absence_shown: bool
    not_sent_before: datetime | None
    listed_at: datetime | None


def owner_of(space: Mapping[str, Any], evidence: Evidence, members: Collection[str] | None = None) -> Owner:
    """
    Return who created a space of the wanted name.

    :param space: the space, as the lists show it
    :param members: user ids of its members but for the calling user; None if they are not known yet
    """
    known_id = evidence.earlier.space_id if evidence.earlier else None
    if known_id is not None and known_id in (str(space["id"]), space.get("containerId")):
        return Owner.OURS
    owner = _by_time(space, evidence)
    if owner is not Owner.OURS:
        return owner
    if has_another_size(space, evidence.spec):
        return Owner.UNDECIDED
    if evidence.lost and _is_older(space, evidence) is not True:
        return Owner.OURS  # the listing before the create did not show it
    if members is None:
        return Owner.ASK_MEMBERS
    # Members that were asked for may have failed; others cannot come from this create.
    own = {
        space.get("ownerId") or space.get("creator"),
        *(member.user_id for member in evidence.spec.members),
    }
    return Owner.OURS if own.issuperset(members) else Owner.UNDECIDED


def has_another_size(space: Mapping[str, Any], spec: GroupSpaceSpec) -> bool:
    """Return whether a space has another capacity than was asked for."""
    return spec.capacity is not None and space.get("capacity") not in (None, spec.capacity)


def _by_time(space: Mapping[str, Any], evidence: Evidence) -> Owner:
    if evidence.lost and (evidence.absence_shown or _is_older(space, evidence) is False):
        return Owner.OURS
    if evidence.earlier is not None:
        return _by_note(space, evidence.earlier, evidence.listed_at)
    return Owner.UNDECIDED if evidence.lost else Owner.OTHERS


def _is_older(space: Mapping[str, Any], evidence: Evidence) -> bool | None:
    """Whether a space was created before this task sent anything, None if its time does not say."""
    created = created_at(space)
    if created is None or evidence.not_sent_before is None:
        return None
    return created < evidence.not_sent_before


def _by_note(space: Mapping[str, Any], earlier: Intent, listed_at: datetime | None) -> Owner:
    if earlier.space_id is not None:
        return Owner.OTHERS
    created, sent_at = created_at(space), parsed(earlier.sent_at)
    # A create is noted after a listing without the space, so an older space means that clocks differ, as one
    # from the future does.
    if created is None or sent_at is None or listed_at is None:
        return Owner.UNDECIDED
    if not sent_at <= created <= listed_at + CLOCK_TOLERANCE:
        return Owner.UNDECIDED
    ours_until, settled_by = parsed(earlier.ours_until), parsed(earlier.settled_by)
    # Both may be cut to a second, so that the same second decides nothing.
    if ours_until is not None and created < ours_until:
        return Owner.OURS
    return Owner.OTHERS if settled_by is not None and created > settled_by else Owner.UNDECIDED
