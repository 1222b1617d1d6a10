"""Dates and durations in a response's headers, whatever a server writes there."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_koodrive.api.http.headers import retry_after_seconds, server_date


def http_date(moment: datetime) -> str:
    return format_datetime(moment, usegmt=True)


def now() -> datetime:
    return datetime.now(timezone.utc)


class TestRetryAfter:
    @pytest.mark.parametrize(("value", "seconds"), [("0", 0), ("7", 7), (" 7 ", 7), ("3600", 3600)])
    def test_seconds(self, value, seconds):
        assert retry_after_seconds({"Retry-After": value}) == seconds

    def test_date_by_the_servers_clock(self):
        server = now() - timedelta(days=3)
        headers = {"Date": http_date(server), "Retry-After": http_date(server + timedelta(seconds=7))}
        assert retry_after_seconds(headers) == 7

    def test_date_without_the_servers_clock(self):
        headers = {"Retry-After": http_date(now() + timedelta(seconds=1000))}
        assert 900 < retry_after_seconds(headers) <= 1000

    def test_date_that_has_passed(self):
        assert retry_after_seconds({"Retry-After": http_date(now() - timedelta(hours=1))}) == 0

    @pytest.mark.parametrize(
        "value", ["", "soon", "-1", "1.5", "²", "1e3", "inf", "nan", "Thu, 99 Nov 2026", "0x10", "1, 2"]
    )
    def test_nothing_to_read(self, value):
        assert retry_after_seconds({"Retry-After": value}) is None

    def test_absent(self):
        assert retry_after_seconds({}) is None

    def test_absurd(self):
        assert retry_after_seconds({"Retry-After": "9" * 5000}) >= 60

    @given(st.text(), st.text())
    def test_never_fails(self, value, date):
        seconds = retry_after_seconds({"Retry-After": value, "Date": date})
        assert seconds is None or seconds >= 0


class TestServerDate:
    def test_whole_seconds(self):
        date = now().replace(microsecond=0)
        assert server_date({"Date": http_date(date)}) == date

    @pytest.mark.parametrize(
        "date",
        [
            "",
            "yesterday",
            "Thu, 01 Jan 0970 00:00:00 GMT",
            "Fri, 31 Dec 9999 23:59:59 GMT",
            "Fri, 31 Dec 9999 23:59:59 -2359",
            "Mon, 01 Jan 0100 00:00:00 +2359",
            "Thu, 01 Jan 99999 00:00:00 GMT",
            "Thu, 01 Jan 2026 00:00:00 +99999999",
        ],
    )
    def test_no_date(self, date):
        assert server_date({"Date": date}) is None

    @given(
        st.text()
        | st.builds("Sun, {} Nov {} {}:00:59 {}".format, *[st.integers(-1, 10**5)] * 3, st.text(max_size=5))
    )
    def test_never_fails(self, date):
        read = server_date({"Date": date})
        assert read is None or abs((now() - read).total_seconds()) < 1e12
