"""The catalogue of errors: complete, and each error keeps what it knows."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
from support.errors_table import errors_table

from airflow_provider_koodrive import exceptions
from airflow_provider_koodrive.exceptions import (
    ERRORS,
    FINAL_ERRORS,
    KooDriveAuthenticationError,
    KooDriveConfigError,
    KooDriveError,
    KooDriveGuardError,
    KooDriveMembersError,
    KooDriveOutcomeUnknownError,
    KooDrivePermissionError,
    KooDriveSourceError,
    KooDriveThrottledError,
    KooDriveValidationError,
)


def test_the_catalogue_is_complete() -> None:
    kinds = {kind for kind in vars(exceptions).values() if isinstance(kind, type)}
    assert set(ERRORS) == {kind for kind in kinds if issubclass(kind, KooDriveError)}
    assert len(ERRORS) == len(set(ERRORS))


@pytest.mark.parametrize("kind", ERRORS)
def test_each_class_says_what_happened_and_what_to_do(kind: type[KooDriveError]) -> None:
    for words in (kind.meaning, kind.advice):
        assert words
        assert words[0].islower() or words.startswith("KooDrive")
        assert not words.endswith(".")
    base = kind.__bases__[0]
    if kind is not KooDriveError:
        assert kind.meaning != base.meaning
        assert kind.advice != base.advice


def test_the_readme_has_the_catalogue() -> None:
    text = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    start, end = "<!-- errors:start -->\n", "<!-- errors:end -->"
    assert text[text.index(start) + len(start) : text.index(end)].strip() == errors_table()


def test_final_errors_are_those_that_no_retry_can_change() -> None:
    assert (
        KooDriveAuthenticationError,
        KooDriveConfigError,
        KooDriveGuardError,
        KooDrivePermissionError,
        KooDriveSourceError,
        KooDriveValidationError,
    ) == FINAL_ERRORS


class TestText:
    def test_advice_that_is_given_follows_what_happened(self) -> None:
        error = KooDriveError("it failed", advice="do this", http_status=500, trace_id="t")
        assert str(error) == "it failed; do this (HTTP status 500, trace id t)"
        assert error.advice == "do this"

    def test_the_advice_of_the_class_is_not_part_of_the_text(self) -> None:
        error = KooDriveError("it failed", http_status=500)
        assert str(error) == "it failed (HTTP status 500)"
        assert error.advice == KooDriveError.advice

    def test_no_details(self) -> None:
        assert str(KooDriveError("it failed")) == "it failed"


def test_an_instance_may_be_retryable_though_its_class_is_not() -> None:
    error = KooDriveAuthenticationError("the clock is wrong")
    error.retryable = True
    assert (error.retryable, KooDriveAuthenticationError.retryable) == (True, False)


@pytest.mark.parametrize(
    "error",
    [
        KooDriveError("it failed", advice="do this", http_status=500, code=7, msg="no", trace_id="t"),
        KooDriveThrottledError("too many", retry_after=7.5),
        KooDriveOutcomeUnknownError("unknown", name="Finance"),
        KooDriveMembersError("missing", failed=["7"]),
    ],
    ids=lambda error: type(error).__name__,
)
def test_pickled_and_restored(error: KooDriveError) -> None:
    error.retryable = not error.retryable
    restored = pickle.loads(pickle.dumps(error))  # noqa: S301
    assert type(restored) is type(error)
    assert str(restored) == str(error)
    assert vars(restored) == vars(error)
