"""Errors about the endpoint: they show what was typed, but never a secret."""

from __future__ import annotations

import pytest

from airflow_provider_koodrive.connection.endpoint import endpoint_from
from airflow_provider_koodrive.exceptions import KooDriveConfigError

SECRET = "s3cr3tInTheHost"


def refused(host: str, schema: str | None = None) -> str:
    with pytest.raises(KooDriveConfigError) as caught:
        endpoint_from("connection 'my_drive'", host, None, schema, allow_http=False)
    assert SECRET not in str(caught.value)
    assert len(str(caught.value)) < 500
    return str(caught.value)


@pytest.mark.parametrize(
    "host",
    [
        f"https://app:{SECRET}@drive.example.com",
        f"https://app:{SECRET}/x@drive.example.com",
        f"https://app:{SECRET}#x@drive.example.com",
        f"https://app:{SECRET}?x@drive.example.com",
        f"https://app:{SECRET}@[::1",
        f"https://[{SECRET}@drive.example.com",
        f"//app:{SECRET}@x",
        f"app:{SECRET}@x",
        f"{SECRET}@x",
    ],
)
def test_credentials(host):
    assert "host must not hold credentials; use login and password" in refused(host)


@pytest.mark.parametrize(
    ("host", "shown"),
    [
        (f"http://127.0.0.1/?token={SECRET}", "'http://127.0.0.1' has a path"),
        (f"https://drive.example.com/{SECRET}", "'https://drive.example.com' has a path"),
        (f"drive.example.com#{SECRET}", "'drive.example.com' has a path"),
        (f"HTTPS://Drive.Example.com/{SECRET}", "'HTTPS://Drive.Example.com' has a path"),
        (f"//drive.example.com/{SECRET}", "is not an endpoint"),
        (f"https://app:{SECRET}", "'https://app' is not an endpoint"),
        (f"https://[{SECRET}", "host is not an endpoint"),
        (f"https://[{SECRET}]/", "is not an endpoint"),
        (f"https://a\u2100b/{SECRET}", "host is not an endpoint"),
        ("https://" + "a" * 3000 + "/path", "has a path"),
    ],
)
def test_no_more_than_scheme_and_name(host, shown):
    assert shown in refused(host)


def test_the_path_and_the_schema_have_errors_of_their_own():
    assert "schema" not in refused("https://drive.example.com/path")
    message = refused("https://drive.example.com", schema=SECRET)
    assert "schema is set, but KooDrive does not use it" in message
    assert "path" not in message.partition(";")[0]
