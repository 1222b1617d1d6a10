"""The pytest plugin's fixtures, and the packages that plugin and server import."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_koodrive.sandbox.server import Sandbox


def run(script: str, directory: Path) -> subprocess.CompletedProcess[str]:
    """Run a script in a directory without the source tree, which would hide what is installed."""
    command = [sys.executable, "-c", script]
    return subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)


class TestPlugin:
    def test_connection_is_in_the_environment(self, koodrive_conn: str, koodrive_sandbox: Sandbox) -> None:
        assert koodrive_conn == "koodrive_default"
        assert json.loads(os.environ["AIRFLOW_CONN_KOODRIVE_DEFAULT"])["host"] == koodrive_sandbox.url

    def test_plugin_imports_nothing_heavy(self, tmp_path: Path) -> None:
        script = (
            "import sys, pytest; before = set(sys.modules)\n"
            "import airflow_provider_koodrive.sandbox.pytest_plugin\n"
            "print(sorted({name.partition('.')[0] for name in set(sys.modules) - before}))"
        )
        done = run(script, tmp_path)
        assert done.returncode == 0, done.stderr
        assert done.stdout.strip() == "['airflow_provider_koodrive']"


class TestServer:
    def test_it_needs_no_airflow(self, tmp_path: Path) -> None:
        script = (
            "import sys, airflow_provider_koodrive.sandbox.server\n"
            "print([name for name in sys.modules if name == 'airflow' or name.startswith('airflow.')])"
        )
        done = run(script, tmp_path)
        assert done.returncode == 0, done.stderr
        assert done.stdout.strip() == "[]"

    @pytest.mark.parametrize("package", ["starlette", "uvicorn"])
    def test_names_the_extra_that_is_missing(self, package: str, tmp_path: Path) -> None:
        script = (
            f"import sys; sys.modules['{package}'] = None\n"
            "from airflow_provider_koodrive.sandbox.__main__ import main\n"
            "sys.exit(main([]))"
        )
        ended = run(script, tmp_path)
        assert ended.returncode == 1
        assert 'install "airflow-provider-koodrive[sandbox]"' in ended.stderr
        assert "Traceback" not in ended.stderr
