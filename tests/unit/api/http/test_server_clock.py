"""KooDrive's time by what its answers tell, one of which may be wrong."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pendulum
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_koodrive.api.http.server_clock import AGREEMENT_SECONDS, ServerClock

NOW = pendulum.datetime(2026, 11, 24, 2, tz="UTC")


def bounds(*skews: float | None) -> tuple[float, float]:
    """Return by how many seconds KooDrive's clock is ahead, at least and at most."""
    clock = ServerClock()
    for skew in skews:
        clock.hear(skew)
    earliest, latest = ((moment - NOW).total_seconds() for moment in clock.at(NOW))
    return earliest, latest


@pytest.mark.parametrize(
    "skews",
    [
        (),
        (None,),
        (0.0, 0.9, 1.5),
        # One wrong answer, whether it comes first, last or in between.
        (-600.0, 0.1, 0.2),
        (0.1, 0.2, 600.0),
        (0.1, 86400.0, 0.2),
        # Where nothing tells which is wrong, it is the one that is farther from this machine's clock.
        (-600.0, 0.3),
        (0.3, 600.0),
    ],
)
def test_equal_clocks(skews):
    assert bounds(*skews) == (0.0, 0.0)


@pytest.mark.parametrize("skews", [(600.2, 600.9), (600.2, 0.1, 600.9), (600.2,)])
def test_clocks_that_differ(skews):
    earliest, latest = bounds(*skews)
    assert earliest == -max(skews)
    assert latest == -min(skew for skew in skews if skew > 600) + AGREEMENT_SECONDS


@given(
    ahead=st.floats(-1e6, 1e6),
    delays=st.lists(st.floats(0.0, AGREEMENT_SECONDS - 1), min_size=3, max_size=16),
    fractions=st.lists(st.floats(0.0, 0.999), min_size=16, max_size=16),
    wrong=st.lists(st.floats(-1e6, 1e6), max_size=1),
)
def test_the_truth_is_within_the_bounds(ahead, delays, fractions, wrong):
    """Each Date is cut to a second and old by the time that the answer took."""
    told = [fraction + delay - ahead for fraction, delay in zip(fractions, delays, strict=False)]
    earliest, latest = bounds(*told, *wrong)
    if (earliest, latest) == (0.0, 0.0):
        # Taken for equal: the headers do not show the difference.
        assert abs(ahead) <= AGREEMENT_SECONDS
    else:
        assert earliest - 1e-3 <= ahead <= latest + 1e-3


def test_now_is_the_last_answers():
    clock = ServerClock()
    assert not clock.was_told
    assert abs((clock.now() - pendulum.now("UTC")).total_seconds()) < 60
    clock.hear(3600.0)
    assert clock.was_told
    assert abs((clock.now() - pendulum.now("UTC")).total_seconds() + 3600) < 60


def test_each_thread_has_the_date_of_its_own_last_response():
    clock = ServerClock()
    clock.last_date = NOW
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(lambda: clock.last_date).result() is None
    assert clock.last_date == NOW
