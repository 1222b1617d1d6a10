"""The notes of a create, by KooDrive's own times."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from support.journal import Journal

from airflow_provider_koodrive.api.create.journal import CLOCK_TOLERANCE, Intent, Notes, read_intent

NOW = datetime(2026, 11, 25, 2, 0, tzinfo=timezone.utc)
EARLIER = {
    "name": "Finance",
    "sent_at": "2026-11-25T01:59:00+00:00",
    "ours_until": "2026-11-25T01:59:12+00:00",
    "settled_by": "2026-11-25T02:01:30+00:00",
    "trace_id": "e" * 58,
    "space_id": None,
}


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def times(noted) -> list[float | None]:
    """Return the three times of a note, in seconds from NOW."""
    noted = [noted[name] for name in ("sent_at", "ours_until", "settled_by")]
    return [None if time is None else (datetime.fromisoformat(time) - NOW).total_seconds() for time in noted]


@pytest.fixture
def journal() -> Journal:
    return Journal()


def notes(journal) -> Notes:
    return Notes(journal, "Finance", "t" * 58)


class TestSending:
    @pytest.mark.parametrize(("longest", "ours", "settled"), [(5, 7, 65), (70, 12, 130), (1e9, 12, 86460)])
    def test_times(self, journal, longest, ours, settled):
        notes(journal).sending(NOW, longest)
        assert timedelta(seconds=2) == CLOCK_TOLERANCE
        assert times(journal.noted) == [-2, ours, settled]

    def test_again(self, journal):
        """It may have been sent the first time, and carried out the last time."""
        mine = notes(journal)
        mine.sending(NOW, 5)
        mine.sending(at(20), 5)
        assert times(journal.noted) == [-2, 27, 85]

    def test_again_after_the_first_was_withdrawn(self, journal):
        mine = notes(journal)
        mine.sending(NOW, 5)
        mine.withdraw()
        assert journal.noted is None
        mine.sending(at(20), 5)
        assert times(journal.noted) == [18, 27, 85]

    def test_koodrive_does_not_say_the_time(self, journal):
        notes(journal).sending(None, 5)
        assert times(journal.noted) == [None, None, None]

    @pytest.mark.parametrize(
        ("listed", "expected"), [(0, [-60, 7, 90]), (100, [-60, 107, 165]), (None, [-60, -48, None])]
    )
    def test_while_an_earlier_try_is_open(self, listed, expected):
        journal = Journal(dict(EARLIER))
        notes(journal).sending(None if listed is None else at(listed), 5)
        assert times(journal.noted) == expected


class TestGivingUp:
    @pytest.mark.parametrize(("created", "ours"), [(False, 3), (True, 7)])
    def test_the_last_listing_ends_what_is_ours(self, journal, created, ours):
        """Unless KooDrive said that it had created the space, which nobody else can have done then."""
        mine = notes(journal)
        mine.sending(NOW, 5)
        mine.gave_up(at(3), created=created)
        assert times(journal.noted) == [-2, ours, 65]

    def test_the_create_may_arrive_after_the_last_listing(self, journal):
        mine = notes(journal)
        mine.sending(NOW, 5)
        mine.gave_up(at(300), created=False)
        assert times(journal.noted) == [-2, 300, 360]

    def test_no_listing_since_it_was_sent(self, journal):
        mine = notes(journal)
        mine.sending(NOW, 5)
        mine.gave_up(None, created=False)
        assert times(journal.noted) == [-2, 7, 65]

    def test_an_earlier_try_that_nothing_settles_stays_so(self):
        journal = Journal({**EARLIER, "settled_by": None})
        mine = notes(journal)
        mine.sending(NOW, 5)
        mine.gave_up(at(3), created=False)
        assert journal.noted["settled_by"] is None

    def test_nothing_was_sent(self):
        journal = Journal(dict(EARLIER))
        notes(journal).gave_up(NOW, created=False)
        assert journal.history == []


class TestTheEarlierTry:
    def test_it_is_over(self):
        mine = notes(Journal(dict(EARLIER)))
        assert not mine.is_earlier_over(at(90))
        assert mine.is_earlier_over(at(91))
        assert not mine.is_earlier_over(None)
        assert not notes(Journal({**EARLIER, "settled_by": None})).is_earlier_over(at(91))
        assert not notes(Journal()).is_earlier_over(at(91))

    def test_its_note_comes_back_if_the_create_is_refused(self):
        journal = Journal(dict(EARLIER))
        mine = notes(journal)
        mine.sending(NOW, 5)
        mine.withdraw()
        assert journal.noted == EARLIER

    def test_its_space_is_known(self):
        journal = Journal(dict(EARLIER))
        notes(journal).created("17")
        assert journal.noted == {**EARLIER, "space_id": "17"}

    def test_a_note_of_the_version_before(self):
        assert read_intent(Journal(dict(EARLIER)), "Finance") == Intent(**EARLIER)

    @pytest.mark.parametrize(
        "changes",
        [{"name": "Sales"}, {"sent_at": "yesterday"}, {"settled_by": 17}, {"new": 1}, {"sent_at": "P1Y"}],
    )
    def test_a_note_that_cannot_be_read(self, changes):
        assert read_intent(Journal({**EARLIER, **changes}), "Finance") is None
