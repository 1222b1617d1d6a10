"""The nightly DAG is short, and its own file is good; it runs in real Airflow in ``tests/airflow``."""

from __future__ import annotations

from pathlib import Path

from airflow_provider_koodrive.departments import FileDepartments

DAGS = Path(__file__).parents[3] / "dags_examples"


def test_at_most_80_lines() -> None:
    assert len((DAGS / "koodrive_onboard_departments.py").read_text().splitlines()) <= 80


def test_the_file_beside_the_dag() -> None:
    found = FileDepartments(DAGS / "departments.csv").read()
    assert len(found.departments) == 8
    assert found.bad_rows == ()
