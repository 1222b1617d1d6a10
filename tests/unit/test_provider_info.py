"""What Airflow reads when it discovers providers."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import import_module, metadata, resources
from pathlib import Path

import jsonschema
import pytest
from packaging.utils import canonicalize_name

import airflow_provider_koodrive
from airflow_provider_koodrive.get_provider_info import get_provider_info

DISTRIBUTION = "airflow-provider-koodrive"


@pytest.fixture
def info() -> dict:
    return get_provider_info()


def imported(path: str) -> object:
    module, _, name = path.rpartition(".")
    return getattr(import_module(module), name)


def test_the_entry_point_leads_to_it() -> None:
    (entry,) = metadata.distribution(DISTRIBUTION).entry_points.select(group="apache_airflow_provider")
    assert entry.name == "provider_info"
    assert entry.load() is get_provider_info


def run(program: str, directory: Path) -> str:
    """Run a program in a directory without the source tree, which would hide what is installed."""
    command = [sys.executable, "-c", program]
    return subprocess.run(command, cwd=directory, capture_output=True, text=True, check=True).stdout.strip()


def test_an_installed_wheel_is_what_is_tested(tmp_path: Path) -> None:
    """An editable installation has no such file; beside a wheel, the source tree must not be in the way."""
    installed = Path(
        str(metadata.distribution(DISTRIBUTION).locate_file("airflow_provider_koodrive/__init__.py"))
    )
    if installed.exists():
        assert Path(airflow_provider_koodrive.__file__).resolve() == installed.resolve()
    else:
        assert "site-packages" not in airflow_provider_koodrive.__file__
    program = "import airflow_provider_koodrive; print(airflow_provider_koodrive.__file__)"
    assert run(program, tmp_path) == airflow_provider_koodrive.__file__


def test_package_name_is_the_distributions(info: dict) -> None:
    """With another name, Airflow loads no provider at all."""
    distribution = metadata.distribution(DISTRIBUTION)
    assert info["package-name"] == canonicalize_name(distribution.name) == DISTRIBUTION


def test_version_is_the_distributions(info: dict) -> None:
    assert info["versions"] == [metadata.version(DISTRIBUTION)] == [airflow_provider_koodrive.__version__]


def test_this_airflows_runtime_schema_is_satisfied(info: dict) -> None:
    schema = resources.files("airflow") / "provider_info.schema.json"
    jsonschema.validate(info, json.loads(schema.read_text(encoding="utf-8")))


def test_it_is_plain_json(info: dict) -> None:
    assert json.loads(json.dumps(info)) == info


def test_what_it_names_can_be_imported(info: dict) -> None:
    for key in ("hooks", "operators"):
        for entry in info[key]:
            for module in entry["python-modules"]:
                import_module(module)
    (connection,) = info["connection-types"]
    hook = imported(connection["hook-class-name"])
    assert hook.conn_type == connection["connection-type"] == "koodrive"
    assert hook.hook_name == connection["hook-name"]


def test_each_link_of_an_operator_is_named(info: dict) -> None:
    operators = import_module("airflow_provider_koodrive.operators.group_space")
    links = {type(link) for link in operators.CreateGroupSpaceOperator.operator_extra_links}
    assert {imported(path) for path in info["extra-links"]} == links


def test_both_forms_hide_and_label_the_same(info: dict) -> None:
    (connection,) = info["connection-types"]
    old = imported(connection["hook-class-name"]).get_ui_field_behaviour()
    new = connection["ui-field-behaviour"]
    assert old == {key.replace("-", "_"): value for key, value in new.items()}


def test_discovery_imports_neither_airflow_nor_anything_heavy(tmp_path: Path) -> None:
    program = (
        "import sys; from airflow_provider_koodrive.get_provider_info import get_provider_info;"
        "get_provider_info();"
        "print(*{'airflow', 'requests', 'pydantic', 'tenacity', 'pendulum', 'urllib3'} & {*sys.modules})"
    )
    assert run(program, tmp_path) == ""
