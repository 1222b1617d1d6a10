"""The form of the trigger dialog: what it lets through."""

from __future__ import annotations

import copy
import importlib.util
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import ParamValidationError

DAG_FILE = Path(__file__).parents[3] / "dags_examples" / "koodrive_create_group_space.py"
FAMILY = "👨\u200d👩\u200d👧\u200d👦"


@pytest.fixture(scope="module")
def params() -> Any:
    spec = importlib.util.spec_from_file_location("create_group_space", DAG_FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.dag.params


def filled(params: Any, **fields: Any) -> dict[str, Any]:
    form = copy.deepcopy(params)
    form.update(fields)
    valid: dict[str, Any] = form.validate()
    return valid


def test_a_name_is_enough(params: Any) -> None:
    rest = {"capacity": None, "user_ids": [], "if_exists": "reuse"}
    assert filled(params, name="Finance") == {"name": "Finance", **rest}


@pytest.mark.parametrize(
    "name", ["...", "..x", "007", "x" * 30, "R&D (2026)", "財務部", FAMILY * 30], ids=ascii
)
def test_lets_a_name_through(params: Any, name: str) -> None:
    assert filled(params, name=name)["name"] == name


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"name": None},
        {"name": ""},
        {"name": "."},
        {"name": ".."},
        *({"name": f"a{character}b"} for character in '<>|:"*?/\\\n\x00'),
        {"name": "A", "capacity": 0},
        {"name": "A", "capacity": 1.5},
        {"name": "A", "capacity": "ten"},
        {"name": "A", "user_ids": "u1"},
        {"name": "A", "user_ids": [7]},
        {"name": "A", "user_ids": [""]},
        {"name": "A", "user_ids": [f"u{number}" for number in range(201)]},
        {"name": "A", "if_exists": "maybe"},
    ],
    ids=lambda fields: ascii(fields)[:40],
)
def test_stops(params: Any, fields: dict[str, Any]) -> None:
    with pytest.raises(ParamValidationError):
        filled(params, **fields)


def test_explains_every_field(params: Any) -> None:
    assert all(params.get_param(name).description for name in params)
    assert all(params.get_param(name).schema["title"] for name in params)
