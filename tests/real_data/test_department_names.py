"""Names for real departments: the United Kingdom's government organisations."""

from __future__ import annotations

import csv
import warnings
from pathlib import Path

import pytest

from airflow_provider_koodrive.naming import check_group_space_name, group_space_name

DEPARTMENTS = Path(__file__).parents[3] / "shared" / "data" / "uk-government-organisations.tsv"


@pytest.fixture(scope="module")
def departments() -> list[str]:
    if not DEPARTMENTS.exists():
        warnings.warn(f"NOT TESTED with real departments: {DEPARTMENTS} is not there", stacklevel=1)
        pytest.skip(f"the real departments are not there: {DEPARTMENTS}")
    with DEPARTMENTS.open(encoding="utf-8", newline="") as file:
        return [row["name"] for row in csv.DictReader(file, delimiter="\t")]


def test_every_name_is_legal_and_no_two_are_equal(departments: list[str]) -> None:
    names = [group_space_name(department) for department in departments]
    for name in names:
        check_group_space_name(name)
    assert len(departments) == 981
    assert len(set(names)) == 981
    # Not only as written: equal for somebody who does not look at capitals would be confusing, too.
    assert len({name.casefold() for name in names}) == 981


def test_short_legal_ones_keep_their_text(departments: list[str]) -> None:
    kept = [department for department in departments if group_space_name(department) == department]
    assert kept == [d for d in departments if len(d) <= 30 and not set(d) & set('<>|:"*?/\\')]
    assert len(kept) > 400
