"""Deadlines, and a timeout for blocking calls."""

from __future__ import annotations

import threading
from contextvars import ContextVar

import pytest

from airflow_provider_koodrive.api.http.timeouts import Deadline, TimeoutExpiredError, run_with_timeout

LONG = 60.0


class TestDeadline:
    def test_time_that_is_left(self):
        assert 0 < Deadline(LONG).left() <= LONG

    @pytest.mark.parametrize("seconds", [0, -1])
    def test_is_never_negative(self, seconds):
        assert Deadline(seconds).left() == 0

    @pytest.mark.parametrize("seconds", [1e300, float("inf"), 10**400], ids=["1e300", "inf", "10**400"])
    def test_any_number_of_seconds(self, seconds):
        assert Deadline(seconds).left() > LONG


class TestRunWithTimeout:
    def test_result(self):
        assert run_with_timeout(LONG, lambda: "found") == "found"

    @pytest.mark.parametrize("error", [ValueError, TimeoutError, SystemExit])
    def test_an_error_of_the_call(self, error):
        def fail():
            raise error("of the call")

        with pytest.raises(error, match="of the call"):
            run_with_timeout(LONG, fail)

    def test_a_call_that_does_not_end(self):
        end = threading.Event()
        try:
            with pytest.raises(TimeoutExpiredError):
                run_with_timeout(0.01, end.wait)
        finally:
            end.set()

    def test_the_callers_context(self):
        variable = ContextVar("variable", default=None)
        variable.set("the caller's")
        assert run_with_timeout(LONG, variable.get) == "the caller's"

    def test_no_thread_can_be_started(self, monkeypatch):
        def fail(_thread):
            raise RuntimeError("can't start new thread")

        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", fail)
            assert run_with_timeout(0.0, lambda: "found") == "found"
