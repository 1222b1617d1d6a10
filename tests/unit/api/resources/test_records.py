"""Lists of departments and users, in the shapes of KooDrive's editions."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_koodrive.api.resources.records import parse_records
from airflow_provider_koodrive.exceptions import KooDriveResponseError

KEYS = ("list", "data")


@pytest.mark.parametrize(
    ("envelope", "total", "ids"),
    [
        ({"list": [{"id": "1"}], "total": "7"}, 7, ["1"]),
        ({"data": [{"id": 1505084218764547201}], "total": 7}, 7, ["1505084218764547201"]),
        ({"list": None, "data": [{"id": "a=="}]}, None, ["a=="]),
        ({"list": []}, None, []),
        ({"data": None}, None, []),
        ({"total": 0}, 0, []),
        ({"list": [], "total": "many"}, None, []),
    ],
)
def test_shapes(envelope: dict[str, Any], total: int | None, ids: list[str]) -> None:
    page = parse_records(envelope, keys=KEYS)
    assert page["total"] == total
    assert [record["id"] for record in page["records"]] == ids


def test_fields_stay_and_ids_are_text() -> None:
    record = {"id": 1, "parentId": 2, "deptId": 3, "name": "A", "more": [4]}
    page = parse_records({"data": [record]}, keys=KEYS)
    assert page["records"] == [{"id": "1", "parentId": "2", "deptId": "3", "name": "A", "more": [4]}]


@pytest.mark.parametrize(
    "envelope",
    [
        {},
        {"total": 3},
        {"list": {"id": "1"}},
        {"list": ["1"]},
        {"list": [{"name": "A"}]},
        {"list": [{"id": ""}]},
        {"list": [{"id": "a b"}]},
        {"list": [{"id": "a\nb"}]},
    ],
)
def test_what_is_no_list_is_refused(envelope: dict[str, Any]) -> None:
    with pytest.raises(KooDriveResponseError):
        parse_records(envelope, keys=KEYS)
