"""What a create notes for its task's next try, and whose a space is that the lists show by then."""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, Protocol

import pendulum

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_koodrive.api.http.server_clock import ServerClock

log = logging.getLogger(__name__)

# KooDrive's times and its Date header are compared, one of which has whole seconds only.
CLOCK_TOLERANCE_SECONDS = 2

# How long KooDrive takes for a create at most, where a worker died and nobody saw the answer.
CREATE_SECONDS = 10

# A create that was given up may still arrive so much later.
LATE_SECONDS = 60

LONGEST_ATTEMPT_SECONDS = 24 * 60 * 60


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
    :param space_id: id of the space, once it is known, be it the group's or the container's
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
            ids = (str(space["id"]), space.get("containerId"))
            return Whose.OURS if self.space_id in ids else Whose.ANOTHERS
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


class Notes:
    """
    What one create notes in the journal, from before it is sent until its end is known.

    :param journal: where to note it; None for nowhere
    :param name: name of the space
    :param trace_id: ``X-Traceid`` of the create
    :param clock: KooDrive's clock
    """

    def __init__(self, journal: CreateJournal | None, name: str, trace_id: str, clock: ServerClock) -> None:
        self.earlier = read_intent(journal, name)
        self._journal = journal
        self._name = name
        self._trace_id = trace_id
        self._clock = clock
        self._intent: Intent | None = None
        self._first_sent: pendulum.DateTime | None = None
        self._last_look: pendulum.DateTime | None = None

    @property
    def last(self) -> Intent | None:
        """What was noted last, by this try or the one before; None where nothing may have been sent."""
        return self._intent or self.earlier

    def sending(self, longest: float) -> None:
        """
        Note that the create is about to be sent.

        :param longest: seconds after which it is given up
        """
        self._first_sent = self._first_sent or pendulum.now("UTC")
        self._last_look = None
        longest = min(longest, LONGEST_ATTEMPT_SECONDS)
        now = self._now()
        self._note(now.add(seconds=min(longest, CREATE_SECONDS)), now.add(seconds=longest + LATE_SECONDS))

    def looked(self) -> None:
        """Remember that a look at the lists has just ended."""
        self._last_look = pendulum.now("UTC")

    def known(self, space_id: str) -> None:
        """Note the id of the space, which is this create's."""
        self._first_sent = self._first_sent or pendulum.now("UTC")
        now = self._now()
        self._note(now, now.add(seconds=LATE_SECONDS), space_id)

    def over(self) -> None:
        """Note that this try ends and leaves it open whether the space was created."""
        if self._intent is None:
            return
        # What comes after the last look, or after all where none succeeded, need not be its own.
        _, end = self._clock.at(self._last_look or pendulum.now("UTC"))
        ours_until = end if self._last_look else min(end, moment(self._intent.ours_until))
        try:
            self._note(ours_until, self._now().add(seconds=LATE_SECONDS), self._intent.space_id)
        except Exception:  # whatever the journal's store raises: the error at hand matters more
            log.warning("The end of the create of %r cannot be noted", self._name, exc_info=True)

    def take_back(self) -> None:
        """Note that nothing came of what was about to be sent; what an earlier try sent stays open."""
        if self._journal and self._intent:
            if self.earlier is not None:
                self._journal.note(asdict(self.earlier))
            else:
                self._journal.forget()
        self._intent = self._first_sent = None

    def sent_at(self) -> pendulum.DateTime:
        """Return when the create that is open first went out, at the earliest, by KooDrive's clock."""
        if self.earlier is not None:
            return moment(self.earlier.sent_at)
        earliest, _ = self._clock.at(self._first_sent or pendulum.now("UTC"))
        return earliest.subtract(seconds=CLOCK_TOLERANCE_SECONDS)

    def whose(self, space: Mapping[str, Any]) -> Whose:
        """Tell whether the earlier try created a space of the wanted name, or another's if there was none."""
        return Whose.ANOTHERS if self.earlier is None else self.earlier.whose(space, self._now())

    def is_settled(self) -> bool:
        """Whether the earlier try's create has arrived by now, or never will."""
        now, _ = self._clock.at(pendulum.now("UTC"))
        return self.earlier is None or now > moment(self.earlier.settled_by)

    def _now(self) -> pendulum.DateTime:
        """KooDrive's present time, at the latest."""
        return self._clock.at(pendulum.now("UTC"))[1].add(seconds=CLOCK_TOLERANCE_SECONDS)

    def _note(
        self, ours_until: pendulum.DateTime, settled_by: pendulum.DateTime, space_id: str | None = None
    ) -> None:
        if self.earlier is not None:
            # It may still arrive.
            ours_until = max(ours_until, moment(self.earlier.ours_until))
            settled_by = max(settled_by, moment(self.earlier.settled_by))
        self._intent = Intent(
            self._name,
            sent_at=self.sent_at().isoformat(),
            ours_until=ours_until.isoformat(),
            settled_by=settled_by.isoformat(),
            trace_id=self._trace_id,
            space_id=space_id,
        )
        if self._journal:
            self._journal.note(asdict(self._intent))


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
