from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone

from airflow_provider_koodrive.api.http.server_clock import ServerClock

DATE = datetime(2026, 11, 24, 2, tzinfo=timezone.utc)


def test_each_thread_has_the_date_of_its_own_last_response():
    clock = ServerClock()
    clock.last_date = DATE
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(lambda: clock.last_date).result() is None
    assert clock.last_date == DATE
