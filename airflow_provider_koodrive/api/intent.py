"""What a create notes for its task's next try, and whose a space is that the lists show by then."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, Protocol

import pendulum

if TYPE_CHECKING:
    from collections.abc import Mapping


class Whose(Enum):
    """Who created a space of the wanted name."""

    OURS = "ours"
    ANOTHERS = "another's"
    UNCLEAR = "unclear"


@dataclass(frozen=True)
class Intent:
    """
    What a try of a task was about to do, or did; times are ISO 8601, by KooDrive's clock.

    :param name: name of the space
    :param sent_at: when the create first went out
    :param ours_until: until when a space of that name that appears is taken for this create's
    :param settled_by: when KooDrive has carried out the create or never will
    :param trace_id: ``X-Traceid`` of the create
    :param space_id: id of the space, once it is known
    """

    name: str
    sent_at: str
    ours_until: str
    settled_by: str
    trace_id: str
    space_id: str | None = None

    def whose(self, space: Mapping[str, Any], now: pendulum.DateTime) -> Whose:
        """
        Tell whether that try created this space of its name, as far as ids and times can tell.

        :param now: the present time by KooDrive's clock, at the latest
        """
        if self.space_id is not None:
            return Whose.OURS if self.space_id == str(space["id"]) else Whose.ANOTHERS
        created = created_at(space)
        # A create is noted after a look that found nothing, so an older space means that clocks differ, as
        # one from the future does.
        if created is None or not moment(self.sent_at) <= created <= now:
            return Whose.UNCLEAR
        if created <= moment(self.ours_until):
            return Whose.OURS
        return Whose.UNCLEAR if created <= moment(self.settled_by) else Whose.ANOTHERS


class CreateJournal(Protocol):
    """Remembers across processes what was sent, as plain JSON; the operator keeps it in Airflow."""

    def read(self) -> dict[str, Any] | None:
        """Return what an earlier try noted last, None where there is nothing."""

    def note(self, intent: dict[str, Any]) -> None:
        """Note what is about to be sent, or what came of it; see :class:`Intent`."""

    def forget(self) -> None:
        """Forget what was noted: KooDrive refused it, so nothing is open."""


def read_intent(journal: CreateJournal | None, name: str) -> Intent | None:
    """Return what an earlier try noted for a space of this name, None where that cannot be read."""
    noted = journal.read() if journal else None
    try:
        intent = Intent(**noted) if noted else None
        if intent is None or intent.name != name:
            return None
        for time in (intent.sent_at, intent.ours_until, intent.settled_by):
            moment(time)
    except (TypeError, ValueError, OverflowError):
        # Noted by another version of this provider, or by somebody else.
        return None
    return intent


def created_at(space: Mapping[str, Any]) -> pendulum.DateTime | None:
    """Return when a space was created, None where KooDrive does not tell it in a way that can be read."""
    try:
        return moment(space.get("createTime"))
    except (TypeError, ValueError, OverflowError):
        return None


def moment(text: Any) -> pendulum.DateTime:
    """
    Read a point in time.

    :raises TypeError, ValueError, OverflowError: it is none
    """
    read = pendulum.parse(text)
    if not isinstance(read, pendulum.DateTime):
        raise ValueError(f"{text!r} is not a point in time")
    return read
