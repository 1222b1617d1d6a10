"""Every code block of the README does what it says."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import airflow as airflow_package
import pytest
from real_airflow import ToRun

if TYPE_CHECKING:
    from collections.abc import Iterator

    from real_airflow import Airflow

    from airflow_provider_koodrive.sandbox.server import Sandbox

VERSION = tuple(map(int, airflow_package.__version__.split(".")[:2]))
PROJECT = Path(__file__).parents[2]
BLOCKS = re.findall(
    r"^```(\w*)\n(.*?)^```$", (PROJECT / "README.md").read_text("utf-8"), re.MULTILINE | re.DOTALL
)
DAGS = [text for language, text in BLOCKS if language == "python" and " as dag:" in text]
# A retry policy needs Airflow 3.3, as the README says.
RUNNABLE = [text for text in DAGS if "retry_policy" not in text or VERSION >= (3, 3)]
TESTS = [text for language, text in BLOCKS if language == "python" and "def test_" in text]
COMMANDS = [text for language, text in BLOCKS if language == "bash"]
SPACE_KEYS = ["id", "containerId", "name", "capacity", "created", "failedList"]

pytestmark = pytest.mark.usefixtures("koodrive_conn")


def test_every_block_is_of_a_kind_that_is_tested() -> None:
    assert {language for language, _ in BLOCKS} == {"bash", "json", "python", "text"}
    assert len(DAGS) + len(TESTS) == sum(language == "python" for language, _ in BLOCKS)


def test_the_dags_run(airflow: Airflow, koodrive_sandbox: Sandbox, tmp_path: Path) -> None:
    connection = json.loads(koodrive_sandbox.connection_json())
    http = json.dumps({**connection, "conn_type": "http", "extra": {}})
    wanted = []
    for number, text in enumerate(RUNNABLE):
        wanted.append(ToRun(tmp_path / f"readme_{number}.py"))
        wanted[-1].file.write_text(text, "utf-8")

    runs = airflow.runs(*wanted, AIRFLOW_CONN_KOODRIVE_HTTP=http, AIRFLOW__CORE__DAGS_FOLDER=str(tmp_path))

    named = [re.search(r'DAG\("(\w+)"', text).group(1) for text in RUNNABLE]  # type: ignore[union-attr]
    assert [(run.dag_id, run.state) for run in runs] == [(name, "success") for name in named]
    # Runs only on an Airflow with retry policies.
    with_policy = {"Sales"} if "space_with_retry_policy" in named else set()
    assert {space["name"] for space in koodrive_sandbox.spaces()} == {
        example("finance_space")["name"],
        "Finance",
        *with_policy,
    }


def example(after: str) -> dict[str, object]:
    """Return the JSON block that follows a DAG."""
    start = next(number for number, (_, text) in enumerate(BLOCKS) if after in text)
    return next(json.loads(text) for language, text in BLOCKS[start:] if language == "json")


def test_the_result_is_the_one_of_the_example() -> None:
    from airflow_provider_koodrive.hooks.koodrive import KooDriveHook
    from airflow_provider_koodrive.naming import group_space_name

    shown = example("finance_space")
    name = group_space_name("Finance / Controlling")
    assert list(KooDriveHook().create_group_space(name, capacity=20)) == list(shown) == SPACE_KEYS
    assert (shown["name"], shown["capacity"]) == (name, 20)


def test_the_fixtures_example_passes(airflow: Airflow, tmp_path: Path) -> None:
    (tmp_path / "test_readme_example.py").write_text("\n".join(TESTS), "utf-8")
    done = airflow.command("-m", "pytest", "-q", "-p", "no:cacheprovider", tmp_path)
    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout


def test_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow_provider_koodrive.hooks.koodrive import KooDriveHook

    exported = next(text for text in COMMANDS if text.startswith("export AIRFLOW_CONN"))
    name, _, value = exported.removeprefix("export ").strip().partition("=")
    monkeypatch.setenv(name, shlex.split(value)[0])
    settings = KooDriveHook().settings
    assert settings.endpoint == "https://intl.myhuaweicloud-koodrive.com"
    assert (settings.login, settings.password, settings.user_id) == (
        "my-app-id",
        "my-app-secret",
        "1505084218764547200",
    )

    document = next(text for language, text in BLOCKS if language == "json" and "conn_type" in text)
    monkeypatch.setenv("AIRFLOW_CONN_KOODRIVE_DEFAULT", document)
    settings = KooDriveHook().settings
    assert (settings.language, settings.max_attempts) == ("zh-CN", 3)


def test_connections_add(airflow: Airflow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AIRFLOW_CONN_KOODRIVE_DEFAULT")
    command = next(text for text in COMMANDS if text.startswith("airflow connections add"))
    (status, output), (_, shown), _ = airflow.commands(
        shlex.split(command.replace("\\\n", " "))[1:],
        ("connections", "get", "koodrive_default", "-o", "json"),
        ("connections", "delete", "koodrive_default"),
    )
    assert status == 0, output
    assert "intl.myhuaweicloud-koodrive.com" in shown


@contextmanager
def started(command: str, directory: Path) -> Iterator[dict[str, Any]]:
    """Run the sandbox by a command of the README, but on a free port; give the connection that it prints."""
    arguments = shlex.split(command.replace("\\\n", " ").replace("--port 8089", "--port 0"))[1:]
    with subprocess.Popen(
        [sys.executable, *arguments], cwd=directory, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        # A sandbox that never prints must not hold the test up for good.
        watchdog = threading.Timer(60, process.kill)
        watchdog.start()
        try:
            printed = ""
            while "Ctrl-C" not in printed:
                line = process.stdout.readline()
                assert line, printed
                printed += line
            exported = re.search(r"export AIRFLOW_CONN_KOODRIVE_DEFAULT=(.*)", printed)
            assert exported, printed
            yield json.loads(shlex.split(exported[1])[0])
        finally:
            process.send_signal(signal.SIGINT)
            watchdog.cancel()


def test_the_sandbox_prints_the_connection(tmp_path: Path) -> None:
    command = next(text for text in COMMANDS if "airflow_provider_koodrive.sandbox" in text)
    with started(command, tmp_path) as connection:
        assert connection["conn_type"] == "koodrive"


@pytest.mark.skipif(shutil.which("curl") is None, reason="the README's example needs curl")
def test_faults_of_the_command_line_and_of_a_running_sandbox(tmp_path: Path) -> None:
    command = next(text for text in COMMANDS if "--fault" in text)
    call = next(text for text in COMMANDS if "/sandbox/faults" in text)
    with started(command, tmp_path) as connection:
        done = subprocess.run(
            ["bash", "-c", call.replace("http://127.0.0.1:8089", connection["host"])],
            env={**os.environ, "APP_SECRET": connection["password"]},
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
    kinds = [
        (fault["operation"], fault["kind"], fault["times"]) for fault in json.loads(done.stdout)["faults"]
    ]
    assert kinds == [
        ("create", "drop_after_commit", 1),
        ("*", "error_500_before", None),
        ("list", "stale_list", None),
    ]


def test_make_has_the_commands() -> None:
    makefile = (PROJECT / "Makefile").read_text("utf-8")
    named = {match for text in COMMANDS for match in re.findall(r"^make (\w+)", text, re.MULTILINE)}
    assert named == {"demo", "test", "ui", "dist"}
    assert named <= set(re.findall(r"^(\w+):.*## ", makefile, re.MULTILINE))
    checks = (PROJECT / ".ci" / "run").read_text("utf-8")
    assert "make test" in checks
    assert "make demo" in checks
    assert os.access(PROJECT / ".ci" / "run", os.X_OK)
