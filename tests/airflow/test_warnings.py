"""No deprecation warning of any Airflow is about our modules or the example DAGs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import airflow_provider_koodrive

if TYPE_CHECKING:
    from conftest import Airflow

DAGS = Path(__file__).parents[2] / "dags_examples"
OURS = (str(Path(airflow_provider_koodrive.__file__).parent), str(DAGS), "airflow_provider_koodrive")

OLD_WAYS = """
import warnings
from airflow.providers.common.compat.sdk import DAG, task

warnings.warn("old way to parse", DeprecationWarning)

@task
def warn():
    warnings.warn("old way to run", DeprecationWarning)

with DAG("old_ways", schedule=None) as dag:
    warn()
"""

EVERYTHING = """
import importlib, pkgutil, airflow_provider_koodrive as package
for module in pkgutil.walk_packages(package.__path__, "airflow_provider_koodrive."):
    try:
        importlib.import_module(module.name)
    except ImportError as err:
        print("LEFT OUT", module.name, err)
print("IMPORTED")
"""

pytestmark = pytest.mark.usefixtures("koodrive_conn")


def warnings_of(output: str, *places: str) -> list[str]:
    return [
        line for line in output.splitlines() if "Warning" in line and any(place in line for place in places)
    ]


def test_the_search_finds_a_warning(airflow: Airflow, tmp_path: Path) -> None:
    file = tmp_path / "old_ways.py"
    file.write_text(OLD_WAYS, "utf-8")
    settings = {"AIRFLOW__CORE__DAGS_FOLDER": str(tmp_path), "PYTHONWARNINGS": "always"}
    run = airflow.dags_test("old_ways", **settings)
    found = "\n".join(warnings_of(run.output, str(file)))
    assert "old way to parse" in found, run.output
    assert "old way to run" in found, run.output


@pytest.mark.parametrize(
    ("dag_id", "conf"),
    [("koodrive_onboard_departments", {"limit": 1}), ("koodrive_create_group_space", {"name": "Finance"})],
)
def test_parsing_and_running_warns_of_nothing(airflow: Airflow, dag_id: str, conf: dict[str, object]) -> None:
    run = airflow.dags_test(dag_id, conf, PYTHONWARNINGS="always")
    assert run.state == "success", run.output
    assert warnings_of(run.output, *OURS) == []


def test_importing_warns_of_nothing(airflow: Airflow) -> None:
    done = airflow.command("-c", EVERYTHING, PYTHONWARNINGS="always")
    assert "IMPORTED" in done.stdout, done.stdout
    left_out = [line.split()[2] for line in done.stdout.splitlines() if line.startswith("LEFT OUT")]
    assert set(left_out) <= {"airflow_provider_koodrive.retry_policy"}
    assert warnings_of(done.stdout, *OURS) == []
