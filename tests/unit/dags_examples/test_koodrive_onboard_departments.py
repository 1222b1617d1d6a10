"""The nightly DAGs are short, and the file is good; they run in real Airflow in ``tests/airflow``."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_provider_koodrive.departments import FileDepartments

DAGS = Path(__file__).parents[3] / "dags_examples"


@pytest.mark.parametrize("source", ["departments", "from_koodrive", "from_sql"])
def test_at_most_80_lines(source: str) -> None:
    assert len((DAGS / f"koodrive_onboard_{source}.py").read_text("utf-8").splitlines()) <= 80


def test_the_file_beside_the_dag() -> None:
    found = FileDepartments(DAGS / "departments.csv").read()
    assert len(found.departments) == 8
    assert found.bad_rows == ()
