from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_koodrive.api.http.retry import Verdict, judge, wait_seconds
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


class TestJudge:
    @pytest.mark.parametrize("method", READS + WRITES)
    @pytest.mark.parametrize(
        "error",
        [KooDriveThrottledError(""), KooDriveConnectionError("", sent=False)],
        ids=["throttled", "not sent"],
    )
    def test_nothing_happened(self, method, error):
        assert judge(method, error) is Verdict.REPEAT

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
        assert judge(method, kind("")) is Verdict.RAISE

    @pytest.mark.parametrize(
        "error", [KooDriveConnectionError("lost"), KooDriveServerError(""), KooDriveGatewayError("")]
    )
    @pytest.mark.parametrize(
        ("methods", "verdict"), [(READS, Verdict.REPEAT), (WRITES, Verdict.UNKNOWN)], ids=["reads", "writes"]
    )
    def test_no_answer_to_go_by(self, error, methods, verdict):
        assert {judge(method, error) for method in methods} == {verdict}

    @pytest.mark.parametrize(
        ("methods", "verdict"), [(READS, Verdict.RAISE), (WRITES, Verdict.UNKNOWN)], ids=["reads", "writes"]
    )
    def test_not_koodrives_answer(self, methods, verdict):
        assert {judge(method, KooDriveResponseError("")) for method in methods} == {verdict}

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
        ("methods", "verdict"), [(READS, Verdict.REPEAT), (WRITES, Verdict.UNKNOWN)], ids=["reads", "writes"]
    )
    def test_a_server_that_broke_whatever_its_code(self, kind, status, methods, verdict):
        assert {judge(method, kind("", http_status=status)) for method in methods} == {verdict}


class TestWait:
    @pytest.mark.parametrize("kind", [KooDriveThrottledError, KooDriveServerError])
    @pytest.mark.parametrize(
        ("asked", "waited"), [(0.5, 0.5), (7.5, 7.5), (60, 60), (61, 60), (1e9, 60), (1e300, 60)]
    )
    def test_retry_after_up_to_a_cap(self, kind, asked, waited):
        assert wait_seconds(1, kind("", retry_after=asked), backoff=1, luck=0.5) == waited

    @pytest.mark.parametrize(
        ("longest", "asked", "waited"),
        [(300, 299, 299), (300, 301, 300), (1.5, 60, 1.5), (0, 60, 0), (1e300, 1e299, 86400)],
    )
    def test_the_cap_may_be_another(self, longest, asked, waited):
        error = KooDriveThrottledError("", retry_after=asked)
        assert wait_seconds(1, error, backoff=1, luck=0.5, longest_retry_after=longest) == waited

    @pytest.mark.parametrize("asked", [0, -1, -1e300, 0.0])
    def test_no_time_at_all_is_no_advice(self, asked):
        """All attempts would go out in a burst."""
        error = KooDriveThrottledError("", retry_after=asked)
        assert [wait_seconds(3, error, backoff=2, luck=luck) for luck in (0, 0.5, 1)] == [0, 4, 8]

    @given(st.integers(1, 10_000), st.floats(0.001, 60), st.floats(0, 1))
    def test_bounds(self, attempt, backoff, luck):
        longest = min(30, backoff * 2 ** min(attempt - 1, 100))
        assert 0 <= wait_seconds(attempt, KooDriveServerError(""), backoff=backoff, luck=luck) <= longest

    @pytest.mark.parametrize(("attempt", "longest"), [(1, 2), (2, 4), (3, 8), (4, 16), (5, 30), (50, 30)])
    def test_full_jitter(self, attempt, longest):
        error = KooDriveConnectionError("")
        assert [wait_seconds(attempt, error, backoff=2, luck=luck) for luck in (0, 0.25, 1)] == [
            0,
            longest / 4,
            longest,
        ]

    def test_without_an_error(self):
        assert wait_seconds(1, None, backoff=1, luck=0.5) == 0.5
