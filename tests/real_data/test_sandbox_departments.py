"""A sandbox with real departments: the United Kingdom's government organisations."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest
import requests

from airflow_provider_koodrive.sandbox.server import Sandbox

DEPARTMENTS = Path(__file__).parents[3] / "shared" / "data" / "uk-government-organisations.tsv"


@pytest.fixture
def departments() -> Path:
    if not DEPARTMENTS.exists():
        warnings.warn(f"NOT TESTED with real departments: {DEPARTMENTS} is not there", stacklevel=1)
        pytest.skip(f"the real departments are not there: {DEPARTMENTS}")
    return DEPARTMENTS


def test_lists_all_of_them(departments: Path) -> None:
    with Sandbox(departments=departments) as sandbox:
        answer = requests.get(
            f"{sandbox.url}/koodrive/ose/v1/departmentList",
            headers={"Authorization": sandbox.issue_token()},
            timeout=10,
        )
        names = [row["name"] for row in answer.json()["data"]]
    assert len(names) == 981
    assert names[:2] == ["Attorney General's Office", "Cabinet Office"]
