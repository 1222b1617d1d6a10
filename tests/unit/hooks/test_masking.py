"""The secrets that the hook registers with Airflow's own masker."""

from __future__ import annotations

import json
from importlib import import_module
from urllib.parse import quote

import pytest

from airflow_provider_koodrive.hooks.koodrive import KooDriveHook

PROXY_PASSWORD = "pr0xy/p@ss w0rd"
ADDRESS = "http://user:{}@proxy.example.com:3128"


def redact(text: str) -> str:
    """Redact with the masker of this Airflow, which has moved twice."""
    for module in ("airflow.sdk.log", "airflow.sdk.execution_time.secrets_masker"):
        try:
            return import_module(module).redact(text)
        except (ImportError, AttributeError):
            continue
    return import_module("airflow.utils.log.secrets_masker").redact(text)


@pytest.mark.parametrize(
    "extra",
    [
        {"proxies": {"https": ADDRESS.format(quote(PROXY_PASSWORD, safe=""))}},
        {"proxies": json.dumps({"https": ADDRESS.format(quote(PROXY_PASSWORD, safe=""))})},
        {"proxies": {"https": "http://user@proxy.example.com:3128"}, "proxy_password": PROXY_PASSWORD},
    ],
    ids=["object", "text", "field of its own"],
)
def test_a_proxys_password(monkeypatch, extra) -> None:
    connection = {"conn_type": "koodrive", "password": "5ecretOfTheSession", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_KOODRIVE_MASKED", json.dumps(connection))
    settings = KooDriveHook("koodrive_masked").settings
    assert settings.proxies == {"https": ADDRESS.format(quote(PROXY_PASSWORD, safe=""))}
    for secret in (PROXY_PASSWORD, quote(PROXY_PASSWORD, safe=""), "5ecretOfTheSession"):
        assert redact(f"before {secret} after") == "before *** after"
    assert PROXY_PASSWORD not in repr(settings)
    assert quote(PROXY_PASSWORD, safe="") not in repr(settings)
