"""Airflow parses each DAG again and again, so importing an operator imports little."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys
from airflow.providers.common.compat.sdk import AirflowFailException, BaseHook, BaseOperator, BaseOperatorLink
before = set(sys.modules)
import airflow_provider_koodrive.operators.group_space
print(*sorted(set(sys.modules) - before))
"""


def test_an_operator_imports_neither_the_api_nor_other_packages() -> None:
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    imported = done.stdout.splitlines()[-1].split()
    assert "airflow_provider_koodrive.hooks.koodrive" in imported
    assert [name for name in imported if name.startswith("airflow_provider_koodrive.api")] == []
    packages = {name.partition(".")[0] for name in imported} - sys.stdlib_module_names
    assert packages <= {"airflow", "airflow_provider_koodrive"}
