from __future__ import annotations

import logging
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_koodrive.api.resources.paging import MOST_FRUITLESS_PAGES, walk
from airflow_provider_koodrive.exceptions import KooDriveResponseError

LOGGER = "airflow_provider_koodrive.api.resources.paging"


@dataclass
class Listing:
    """A listing of which each page may show a state of its own."""

    states: list[list[str]]
    limit: int
    totals: list[int | None] | None = None
    asked: list[int] = field(default_factory=list)

    def fetch(self, offset):
        turn = len(self.asked)
        self.asked.append(offset)
        state = self.states[min(turn, len(self.states) - 1)]
        total = self.totals[min(turn, len(self.totals) - 1)] if self.totals else len(state)
        return {"total": total, "records": [{"id": name} for name in state[offset : offset + self.limit]]}

    def walk(self):
        pages = walk(self.fetch, lambda page: page["records"], key="id", what="things")
        return [record["id"] for _, new in pages for record in new]


def ids(*numbers: int) -> list[str]:
    return [str(number) for number in numbers]


class TestAListingThatStandsStill:
    @pytest.mark.parametrize("count", [0, 1, 4, 5, 6, 10, 23])
    def test_all_pages(self, count, caplog):
        listing = Listing([ids(*range(count))], limit=5)
        assert listing.walk() == ids(*range(count))
        assert listing.asked == list(range(0, max(count, 1), 5))
        assert caplog.records == []

    def test_total_unknown(self, caplog):
        listing = Listing([ids(*range(12))], limit=5, totals=[None])
        assert listing.walk() == ids(*range(12))
        assert listing.asked == [0, 5, 10, 12]
        assert caplog.records == []

    def test_a_server_with_smaller_pages_of_its_own(self):
        assert Listing([ids(*range(12))], limit=3).walk() == ids(*range(12))

    def test_ends_below_total(self, caplog):
        assert Listing([ids(*range(7))], limit=5, totals=[9]).walk() == ids(*range(7))
        assert caplog.messages == ["The list of things ended after 7 of 9 records"]
        assert caplog.records[0].levelno == logging.WARNING

    def test_total_too_small(self):
        """More records than it says show that it is wrong."""
        assert Listing([ids(*range(12))], limit=5, totals=[7]).walk() == ids(*range(12))

    def test_offset_that_is_a_page_number(self, caplog):
        everything = ids(*range(12))

        def fetch(number):
            return {
                "total": 12,
                "records": [{"id": name} for name in everything[number * 5 : number * 5 + 5]],
            }

        pages = walk(fetch, lambda page: page["records"], key="id", what="things")
        assert [record["id"] for _, new in pages for record in new] == ids(*range(5))
        assert "5 of 12" in caplog.text

    def test_the_same_page_for_ever(self, caplog):
        pages = walk(
            lambda _offset: {"total": 100, "records": [{"id": "1"}, {"id": "2"}]},
            lambda page: page["records"],
            key="id",
            what="things",
        )
        assert [record["id"] for _, new in pages for record in new] == ["1", "2"]
        assert "2 of 100" in caplog.text

    def test_a_listing_without_end(self):
        pages = walk(
            lambda offset: {"total": None, "records": [{"id": str(offset)}]},
            lambda page: page["records"],
            key="id",
            what="things",
        )
        with pytest.raises(KooDriveResponseError, match="does not end"):
            for _ in pages:
                pass

    def test_a_page_says_a_record_twice(self):
        listing = Listing([ids(1, 1, 2, 2, 3)], limit=3, totals=[3])
        assert listing.walk() == ids(1, 2, 3)


class TestAListingThatMoves:
    def test_a_record_vanishes_before_the_offset(self, caplog):
        """The sixth moves to the fifth's place, which was read already."""
        before, after = ids(*range(1, 11)), ids(*range(2, 11))
        assert sorted(Listing([before, after], limit=5).walk(), key=int) == before
        assert caplog.records == []

    def test_records_appear_before_the_offset(self):
        before = ids(*range(1, 11))
        found = Listing([before, ids(-1, 0, *range(1, 11))], limit=5).walk()
        assert len(found) == len(set(found))
        assert set(before) <= set(found)

    def test_all_vanish(self):
        assert Listing([ids(*range(10)), []], limit=5).walk() == ids(*range(5))

    def test_a_listing_that_shrinks_for_ever_is_not_followed_for_ever(self):
        listing = Listing([ids(*range(count)) for count in range(1000, 0, -1)], limit=5)
        listing.walk()
        assert len(listing.asked) <= 20 + 2 * MOST_FRUITLESS_PAGES


@st.composite
def moving(draw):
    """States of a listing: between two pages records appear or vanish, anywhere, in any number."""
    state = ids(*range(draw(st.integers(0, 30))))
    states, fresh = [list(state)], 1000
    for _ in range(draw(st.integers(0, 10))):
        if draw(st.booleans()):
            for _ in range(draw(st.integers(0, 5))):
                state.insert(draw(st.integers(0, len(state))), str(fresh))
                fresh += 1
        else:
            for _ in range(draw(st.integers(0, min(5, len(state))))):
                state.pop(draw(st.integers(0, len(state) - 1)))
        states.append(list(state))
    return states


class TestModel:
    @given(moving(), st.integers(1, 7))
    def test_each_once_and_none_that_stayed_is_missed(self, states, limit):
        listing = Listing(states, limit)
        found = listing.walk()
        seen = states[: len(listing.asked)]
        assert len(found) == len(set(found))
        assert set(found) <= {name for state in seen for name in state}
        assert set.intersection(*map(set, seen)) <= set(found)

    @given(
        st.lists(st.lists(st.sampled_from(ids(*range(9))), max_size=12), min_size=1, max_size=8),
        st.lists(st.none() | st.integers(-3, 30), min_size=1, max_size=8),
        st.integers(1, 4),
    )
    def test_any_server(self, states, totals, limit):
        listing = Listing(states, limit, totals)
        found = listing.walk()
        assert len(found) == len(set(found))
        assert len(listing.asked) < 20 + 2 * MOST_FRUITLESS_PAGES

    @given(moving(), st.integers(1, 7), st.integers(1, 50))
    def test_says_so_below_total(self, states, limit, too_many):
        messages = []
        handler = logging.Handler()
        handler.emit = lambda record: messages.append(record.getMessage())
        logging.getLogger(LOGGER).addHandler(handler)
        try:
            total = max(map(len, states)) + 1000 + too_many
            found = Listing(states, limit, totals=[total]).walk()
        finally:
            logging.getLogger(LOGGER).removeHandler(handler)
        assert messages == [f"The list of things ended after {len(found)} of {total} records"]
