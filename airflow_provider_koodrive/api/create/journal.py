"""
The note that a create leaves for the next try of its task, and the journal that keeps it.

All times are KooDrive's own, from the ``Date`` headers of its lists: what this machine's clock shows is never
compared with them. A ``Date`` has whole seconds.
"""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

import pendulum

if TYPE_CHECKING:
    from collections.abc import Mapping

log = logging.getLogger(__name__)

# A gateway writes the Date and another machine the creation time; their clocks differ by less (inferred), and
# a Date is cut to a second.
CLOCK_TOLERANCE = timedelta(seconds=2)

# KooDrive takes no longer for a create, where a worker died and nobody saw the response (inferred).
CREATE_SECONDS = 10

# A create that was given up may still arrive so much later.
LATE = timedelta(seconds=60)

LONGEST_ATTEMPT_SECONDS = 24 * 60 * 60


@dataclass(frozen=True)
class Intent:
    """
    The note of a create, as plain JSON; times are ISO 8601, by KooDrive's clock, None if it did not say them.

    :param name: name of the space
    :param sent_at: the create was not sent earlier
    :param ours_until: a space of that name that was created before is this create's
    :param settled_by: by then KooDrive has carried out the create or never will
    :param trace_id: ``X-Traceid`` of the create
    :param space_id: id of the space, once it is known, be it the group's or the container's
    """

    name: str
    sent_at: str | None
    ours_until: str | None
    settled_by: str | None
    trace_id: str
    space_id: str | None = None


class CreateJournal(Protocol):
    """Keeps one note across processes, as plain JSON; the operator keeps it in Airflow."""

    def read(self) -> dict[str, Any] | None:
        """Return the last note of an earlier try, None if there is none."""

    def note(self, intent: dict[str, Any]) -> None:
        """Keep what is about to be sent, or its result; see :class:`Intent`."""

    def forget(self) -> None:
        """Delete the note: KooDrive refused the create, so nothing is open."""


class Notes:
    """
    The notes of one create, from before it is sent until its result is known.

    :param journal: keeps them; None to keep them in memory only
    :param name: name of the space
    :param trace_id: ``X-Traceid`` of the create
    """

    def __init__(self, journal: CreateJournal | None, name: str, trace_id: str) -> None:
        self.earlier = read_intent(journal, name)
        self._journal = journal
        self._name = name
        self._trace_id = trace_id
        self._intent: Intent | None = None
        self._not_sent_before: datetime | None = None

    @property
    def last(self) -> Intent | None:
        """The last note, by this try or an earlier one; None if nothing may have been sent."""
        return self._intent or self.earlier

    @property
    def not_sent_before(self) -> datetime | None:
        """The time before which neither this try nor an earlier one has sent a create, None if unknown."""
        return parsed(self.earlier.sent_at) if self.earlier else self._not_sent_before

    def sending(self, listed_at: datetime | None, longest: float) -> None:
        """
        Note that the create is about to be sent.

        :param listed_at: KooDrive's time of the listing right before
        :param longest: seconds after which the attempt is given up
        """
        longest = min(longest, LONGEST_ATTEMPT_SECONDS)
        if self._intent is None and listed_at is not None:
            self._not_sent_before = listed_at - CLOCK_TOLERANCE
        created_by, settled_by = None, None
        if listed_at is not None:
            created_by = listed_at + timedelta(seconds=min(longest, CREATE_SECONDS)) + CLOCK_TOLERANCE
            settled_by = listed_at + timedelta(seconds=longest) + LATE
        if self.earlier is not None:
            # The earlier try's create may still arrive.
            created_by = later_of(created_by, parsed(self.earlier.ours_until))
            earlier_settled_by = parsed(self.earlier.settled_by)
            settled_by = max(settled_by, earlier_settled_by) if settled_by and earlier_settled_by else None
        self._keep(
            Intent(
                self._name,
                sent_at=text_of(self.not_sent_before),
                ours_until=text_of(created_by),
                settled_by=text_of(settled_by),
                trace_id=self._trace_id,
            )
        )

    def created(self, space_id: str) -> None:
        """Note the id of the space that this task has created."""
        if self.last is not None:
            self._keep(replace(self.last, space_id=space_id))

    def gave_up(self, listed_at: datetime | None, *, created: bool) -> None:
        """
        Note that this try ends and does not know the space.

        :param listed_at: KooDrive's time of the last listing since the create was sent, None if there is none
        :param created: whether KooDrive said that it has created the space
        """
        if self._intent is None or listed_at is None:
            return
        # What is created after that listing need not be this create's, unless this create has come about; it
        # may be the earlier try's.
        other = self._intent if created else self.earlier
        ours_until = later_of(listed_at, parsed(other.ours_until) if other else None)
        # Without KooDrive's time at an earlier sending, no later time settles what was sent.
        settled_by = parsed(self._intent.settled_by)
        settled_by = max(listed_at + LATE, settled_by) if settled_by else None
        intent = replace(self._intent, ours_until=text_of(ours_until), settled_by=text_of(settled_by))
        try:
            self._keep(intent)
        except Exception:  # whatever the journal's store raises: the error at hand matters more
            log.warning("The end of the create of %r cannot be noted", self._name, exc_info=True)

    def withdraw(self) -> None:
        """Note that nothing came of what was about to be sent; what an earlier try sent stays open."""
        if self._journal and self._intent:
            if self.earlier is not None:
                self._journal.note(asdict(self.earlier))
            else:
                self._journal.forget()
        self._intent = None

    def forget_earlier(self) -> None:
        """Forget the earlier try: what it sent can no longer arrive."""
        self.earlier = None

    def is_earlier_over(self, listed_at: datetime | None) -> bool:
        """
        Return whether what the earlier try sent has arrived by now, or never will.

        :param listed_at: KooDrive's time of the listing that does not show the space
        """
        settled_by = parsed(self.earlier.settled_by) if self.earlier else None
        return listed_at is not None and settled_by is not None and listed_at > settled_by

    def _keep(self, intent: Intent) -> None:
        self._intent = intent
        if self._journal:
            self._journal.note(asdict(intent))


def read_intent(journal: CreateJournal | None, name: str) -> Intent | None:
    """Return the note of an earlier try for a space of this name, None if there is none that can be read."""
    noted = journal.read() if journal else None
    try:
        intent = Intent(**noted) if noted else None
        if intent is None or intent.name != name:
            return None
        for time in (intent.sent_at, intent.ours_until, intent.settled_by):
            parsed(time)
    except (TypeError, ValueError, OverflowError):
        # Noted by another version of this provider, or by somebody else.
        return None
    return intent


def created_at(space: Mapping[str, Any]) -> datetime | None:
    """Return when a space was created, None if KooDrive does not say it in a way that can be read."""
    try:
        return parsed(space.get("createTime"))
    except (TypeError, ValueError, OverflowError):
        return None


def parsed(time: Any) -> datetime | None:
    """
    Read a point in time; None stays None.

    :raises TypeError, ValueError, OverflowError: it is none
    """
    if time is None:
        return None
    read = pendulum.parse(time)
    if not isinstance(read, datetime):
        raise ValueError(f"{time!r} is not a point in time")
    return read


def text_of(time: datetime | None) -> str | None:
    """Return a point in time as ISO 8601; None stays None."""
    return None if time is None else time.isoformat()


def later_of(one: datetime | None, other: datetime | None) -> datetime | None:
    """Return the later of two points in time, as far as they are known."""
    known = [time for time in (one, other) if time is not None]
    return max(known, default=None)
