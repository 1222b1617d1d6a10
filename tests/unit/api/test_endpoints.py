from __future__ import annotations

from pathlib import Path

import pytest
from support.calls_table import calls_table

from airflow_provider_koodrive.api import endpoints
from airflow_provider_koodrive.api.endpoints import CATALOGUE, QUERY_USER, Endpoint
from airflow_provider_koodrive.exceptions import KooDriveValidationError

DOCUMENT = Path(__file__).parents[3] / "docs" / "covered-calls.md"


def test_the_catalogue_has_every_call() -> None:
    defined = [value for value in vars(endpoints).values() if isinstance(value, Endpoint)]
    assert sorted(map(id, defined)) == sorted(map(id, CATALOGUE))
    assert len({(call.method, call.path) for call in CATALOGUE}) == len(CATALOGUE)


def test_the_documentation_has_the_table() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    table = text.partition("<!-- calls:start -->")[2].partition("<!-- calls:end -->")[0]
    assert table.strip() == calls_table()


def test_an_id_is_encoded() -> None:
    assert QUERY_USER.path_of(user_id="a b/c") == "/koodrive/ose/v1/users/a%20b%2Fc"


@pytest.mark.parametrize("user_id", ["..", "../x", "%2e%2e"])
def test_an_id_that_would_leave_the_path(user_id: str) -> None:
    with pytest.raises(KooDriveValidationError, match="leaves"):
        QUERY_USER.path_of(user_id=user_id)
