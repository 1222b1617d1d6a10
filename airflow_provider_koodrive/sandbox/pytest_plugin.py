"""
Fixtures to test DAGs against a KooDrive without a tenant; pytest finds them once the provider is installed.

::

    def test_my_dag(koodrive_sandbox, koodrive_conn):
        koodrive_sandbox.faults.add("create", "drop_after_commit", times=1)
        my_dag.test()
        assert [space["name"] for space in koodrive_sandbox.spaces()] == ["Finance"]
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from airflow_provider_koodrive.sandbox.server import Sandbox


@pytest.fixture
def koodrive_sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    """
    Run a sandbox on a free port, its database new, while the test runs.

    :return: the :class:`~airflow_provider_koodrive.sandbox.server.Sandbox`
    """
    from airflow_provider_koodrive.sandbox.server import Sandbox

    with Sandbox(tmp_path / "koodrive-sandbox.db") as sandbox:
        yield sandbox


@pytest.fixture
def koodrive_conn(koodrive_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> str:
    """
    Put the Airflow connection to ``koodrive_sandbox`` into the environment while the test runs.

    :return: the connection's id, ``koodrive_default``
    """
    monkeypatch.setenv("AIRFLOW_CONN_KOODRIVE_DEFAULT", koodrive_sandbox.connection_json())
    return "koodrive_default"
