"""Who created a space that has appeared: ids, times, size and members."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from airflow_provider_koodrive.api.create.journal import CLOCK_TOLERANCE, Intent
from airflow_provider_koodrive.api.create.ownership import Evidence, Owner, has_another_size, owner_of
from airflow_provider_koodrive.api.create.spec import GroupSpaceSpec

NOW = datetime(2026, 11, 25, 2, 0, tzinfo=timezone.utc)
SPEC = GroupSpaceSpec.checked("Finance", user_ids=["7", "8"], capacity=20)


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def space(created: float | None = 0.0, **changes):
    time = None if created is None else at(created).isoformat()
    known = {"id": "17", "containerId": "c17", "capacity": 20, "ownerId": "1", "createTime": time}
    return {**known, **changes}


def intent(*, sent=0.0, until=10.0, settled=60.0, space_id=None) -> Intent:
    times = [None if time is None else at(time).isoformat() for time in (sent, until, settled)]
    return Intent("Finance", *times, trace_id="t" * 58, space_id=space_id)


def evidence(earlier=None, *, lost=False, absence_shown=True, before=0.0, listed=100.0) -> Evidence:
    return Evidence(
        spec=SPEC,
        earlier=earlier,
        lost=lost,
        absence_shown=absence_shown,
        not_sent_before=None if before is None else at(before),
        listed_at=None if listed is None else at(listed),
    )


class TestNothingWasSent:
    @pytest.mark.parametrize("created", [-100, 0, 5, None])
    def test_it_is_not_ours(self, created):
        assert owner_of(space(created), evidence()) is Owner.OTHERS


class TestThisTrySentACreate:
    @pytest.mark.parametrize("created", [0, 5, 1e6, None])
    def test_it_was_not_there_before(self, created):
        assert owner_of(space(created), evidence(lost=True)) is Owner.OURS

    def test_no_time_of_ours(self):
        assert owner_of(space(-5), evidence(lost=True, before=None)) is Owner.OURS

    def test_it_seems_older(self):
        old = space(-0.001)
        assert owner_of(old, evidence(lost=True)) is Owner.ASK_MEMBERS
        assert owner_of(old, evidence(lost=True), ["7"]) is Owner.OURS
        assert owner_of(old, evidence(lost=True), ["7", "9"]) is Owner.UNDECIDED

    @pytest.mark.parametrize("created", [-5, 5, None])
    def test_it_has_another_size(self, created):
        assert owner_of(space(created, capacity=50), evidence(lost=True)) is Owner.UNDECIDED

    @pytest.mark.parametrize(
        ("created", "before", "owner"),
        [
            (0, 0.0, Owner.OURS),
            (5, 0.0, Owner.OURS),
            (-1, 0.0, Owner.UNDECIDED),
            (None, 0.0, Owner.UNDECIDED),
            (5, None, Owner.UNDECIDED),
        ],
    )
    def test_lists_had_lacked_records(self, created, before, owner):
        """Nothing shows that it was not there before, so its time must."""
        known = evidence(lost=True, absence_shown=False, before=before)
        assert owner_of(space(created), known) is owner

    @pytest.mark.parametrize(
        ("created", "owner"), [(-1, Owner.UNDECIDED), (5, Owner.OURS), (None, Owner.UNDECIDED)]
    )
    def test_lists_had_lacked_records_and_an_earlier_try_is_open(self, created, owner):
        known = evidence(intent(), lost=True, absence_shown=False)
        assert owner_of(space(created), known) is owner


class TestAnEarlierTrySentACreate:
    @pytest.mark.parametrize("space_id", ["17", "c17"])
    @pytest.mark.parametrize("lost", [False, True])
    def test_it_has_the_id_that_was_answered(self, space_id, lost):
        known = evidence(intent(space_id=space_id), lost=lost)
        assert owner_of(space(-1e6, capacity=50), known) is Owner.OURS

    def test_it_has_a_number_as_its_id(self):
        assert owner_of(space(id=17), evidence(intent(space_id="17"))) is Owner.OURS

    def test_it_has_another_id(self):
        assert owner_of(space(5), evidence(intent(space_id="18"))) is Owner.OTHERS
        assert owner_of(space(5, containerId=None), evidence(intent(space_id="18"))) is Owner.OTHERS

    def test_it_has_no_container(self):
        """No id is known on either side, which are not the same id."""
        assert owner_of(space(70, containerId=None), evidence(intent())) is Owner.OTHERS

    @pytest.mark.parametrize(
        ("created", "owner"),
        [
            (-0.001, Owner.UNDECIDED),
            (0, Owner.ASK_MEMBERS),
            (9.999, Owner.ASK_MEMBERS),
            (10, Owner.UNDECIDED),
            (60, Owner.UNDECIDED),
            (60.001, Owner.OTHERS),
            (100, Owner.OTHERS),
            (102, Owner.OTHERS),
            (102.001, Owner.UNDECIDED),
            (None, Owner.UNDECIDED),
        ],
    )
    def test_its_time(self, created, owner):
        assert timedelta(seconds=2) == CLOCK_TOLERANCE
        assert owner_of(space(created), evidence(intent())) is owner

    @pytest.mark.parametrize(
        ("times", "created", "owner"),
        [
            ({"sent": None}, 5, Owner.UNDECIDED),
            ({"until": None}, 5, Owner.UNDECIDED),
            ({"until": None}, 61, Owner.OTHERS),
            ({"settled": None}, 5, Owner.ASK_MEMBERS),
            ({"settled": None}, 61, Owner.UNDECIDED),
        ],
    )
    def test_a_time_that_was_not_noted(self, times, created, owner):
        assert owner_of(space(created), evidence(intent(**times))) is owner

    @pytest.mark.parametrize("created", [5, 61])
    def test_no_time_of_the_listing(self, created):
        assert owner_of(space(created), evidence(intent(), listed=None)) is Owner.UNDECIDED

    @pytest.mark.parametrize("time", ["yesterday", "", 1715305582, "P1Y", [], "9" * 400])
    def test_its_time_makes_no_sense(self, time):
        assert owner_of(space(createTime=time), evidence(intent())) is Owner.UNDECIDED

    @pytest.mark.parametrize(
        ("members", "owner"),
        [
            ([], Owner.OURS),
            (["7"], Owner.OURS),
            (["7", "8", "1"], Owner.OURS),
            (["7", "8", "9"], Owner.UNDECIDED),
        ],
    )
    def test_its_members(self, members, owner):
        assert owner_of(space(5), evidence(intent()), members) is owner

    def test_its_creator_is_a_member(self):
        created_by = space(5, ownerId=None, creator="2")
        assert owner_of(created_by, evidence(intent()), ["2"]) is Owner.OURS
        assert owner_of(space(5, creator="2"), evidence(intent()), ["2"]) is Owner.UNDECIDED

    def test_its_size(self):
        assert owner_of(space(5, capacity=50), evidence(intent()), []) is Owner.UNDECIDED
        assert owner_of(space(5, capacity=None), evidence(intent()), []) is Owner.OURS


@pytest.mark.parametrize(
    ("asked", "capacity", "other"),
    [(20, 20, False), (20, 21, True), (20, None, False), (None, 50, False), (None, None, False)],
)
def test_another_size(asked, capacity, other):
    spec = GroupSpaceSpec.checked("Finance", capacity=asked)
    assert has_another_size({"capacity": capacity}, spec) is other
    if capacity is None:
        assert has_another_size({}, spec) is other
