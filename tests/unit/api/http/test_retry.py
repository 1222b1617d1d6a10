from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_koodrive.api.http.retry import Outcome, classify, wait_seconds
from airflow_provider_koodrive.exceptions import (
    KooDriveAuthenticationError,
    KooDriveConflictError,
    KooDriveConnectionError,
    KooDriveError,
    KooDriveGatewayError,
    KooDrivePermissionError,
    KooDriveQuotaError,
    KooDriveResponseError,
    KooDriveServerError,
    KooDriveThrottledError,
    KooDriveValidationError,
)

READS = ["GET", "get", "HEAD", "OPTIONS"]
WRITES = ["POST", "post", "PUT", "DELETE", "PATCH", "ANYTHING"]


class TestClassify:
    @pytest.mark.parametrize("method", READS + WRITES)
    @pytest.mark.parametrize(
        "error",
        [KooDriveThrottledError(""), KooDriveConnectionError("", sent=False)],
        ids=["throttled", "not sent"],
    )
    def test_nothing_was_applied(self, method, error):
        assert classify(method, error) is Outcome.NOT_APPLIED

    @pytest.mark.parametrize("method", READS + WRITES)
    @pytest.mark.parametrize(
        "kind",
        [
            KooDriveError,
            KooDriveAuthenticationError,
            KooDriveConflictError,
            KooDrivePermissionError,
            KooDriveQuotaError,
            KooDriveValidationError,
        ],
    )
    def test_definite_refusal(self, method, kind):
        assert classify(method, kind("")) is Outcome.REJECTED

    @pytest.mark.parametrize(
        "error", [KooDriveConnectionError("lost"), KooDriveServerError(""), KooDriveGatewayError("")]
    )
    @pytest.mark.parametrize(
        ("methods", "outcome"),
        [(READS, Outcome.NOT_APPLIED), (WRITES, Outcome.UNKNOWN)],
        ids=["reads", "writes"],
    )
    def test_no_response(self, error, methods, outcome):
        assert {classify(method, error) for method in methods} == {outcome}

    @pytest.mark.parametrize(
        ("methods", "outcome"),
        [(READS, Outcome.REJECTED), (WRITES, Outcome.UNKNOWN)],
        ids=["reads", "writes"],
    )
    def test_a_response_that_is_not_koodrives(self, methods, outcome):
        assert {classify(method, KooDriveResponseError("")) for method in methods} == {outcome}

    @pytest.mark.parametrize("status", [500, 503, 504, 599])
    @pytest.mark.parametrize(
        "kind",
        [
            KooDriveError,
            KooDriveAuthenticationError,
            KooDriveConflictError,
            KooDrivePermissionError,
            KooDriveQuotaError,
            KooDriveThrottledError,
            KooDriveValidationError,
        ],
    )
    @pytest.mark.parametrize(
        ("methods", "outcome"),
        [(READS, Outcome.NOT_APPLIED), (WRITES, Outcome.UNKNOWN)],
        ids=["reads", "writes"],
    )
    def test_a_5xx_whatever_its_code(self, kind, status, methods, outcome):
        assert {classify(method, kind("", http_status=status)) for method in methods} == {outcome}


class TestWait:
    @pytest.mark.parametrize("kind", [KooDriveThrottledError, KooDriveServerError])
    @pytest.mark.parametrize(
        ("asked", "waited"), [(0.25, 0.25), (7.5, 7.5), (60, 60), (61, 60), (1e9, 60), (1e300, 60)]
    )
    def test_retry_after_up_to_a_cap(self, kind, asked, waited):
        assert wait_seconds(1, kind("", retry_after=asked), backoff=1, jitter=0.5) == waited

    @pytest.mark.parametrize(
        ("longest", "asked", "waited"),
        [(300, 299, 299), (300, 301, 300), (1.5, 60, 1.5), (0, 60, 0), (1e300, 1e299, 86400)],
    )
    def test_the_cap_can_be_set(self, longest, asked, waited):
        error = KooDriveThrottledError("", retry_after=asked)
        assert wait_seconds(1, error, backoff=1, jitter=0.5, longest_retry_after=longest) == waited

    @pytest.mark.parametrize("asked", [0, -1, -1e300, 0.0])
    def test_a_retry_after_of_no_time_does_not_count(self, asked):
        """All attempts would go out in a burst."""
        error = KooDriveThrottledError("", retry_after=asked)
        assert [wait_seconds(3, error, backoff=2, jitter=jitter) for jitter in (0, 0.5, 1)] == [0, 4, 8]

    @given(st.integers(1, 10_000), st.floats(0.001, 60), st.floats(0, 1))
    def test_bounds(self, attempt, backoff, jitter):
        longest = min(30, backoff * 2 ** min(attempt - 1, 100))
        assert 0 <= wait_seconds(attempt, KooDriveServerError(""), backoff=backoff, jitter=jitter) <= longest

    @pytest.mark.parametrize(("attempt", "longest"), [(1, 2), (2, 4), (3, 8), (4, 16), (5, 30), (50, 30)])
    def test_full_jitter(self, attempt, longest):
        error = KooDriveConnectionError("")
        assert [wait_seconds(attempt, error, backoff=2, jitter=jitter) for jitter in (0, 0.25, 1)] == [
            0,
            longest / 4,
            longest,
        ]

    def test_without_an_error(self):
        assert wait_seconds(1, None, backoff=1, jitter=0.5) == 0.5
