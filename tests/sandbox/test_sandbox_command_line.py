"""The command line, with the sandbox in a process of its own."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
import requests
from sandbox_calls import PREFIX

from airflow_provider_koodrive.sandbox import __main__ as command_line
from airflow_provider_koodrive.sandbox.faults.kinds import KINDS
from airflow_provider_koodrive.sandbox.faults.plan import ALIASES
from airflow_provider_koodrive.sandbox.server import Sandbox
from airflow_provider_koodrive.sandbox.service.operations import OPERATION_NAMES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


EVERYWHERE = "0.0.0.0"  # noqa: S104 - the warning about it is tested


class Process:
    """The sandbox as a process of its own."""

    def __init__(self, directory: Path, *arguments: str) -> None:
        self.port_file = directory / "port"
        self.port_file.unlink(missing_ok=True)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "airflow_provider_koodrive.sandbox", "--port", "0", "--port-file",
             str(self.port_file), *arguments],
            cwd=directory, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        assert self.process.stdout is not None
        self.lines: list[str] = []
        for line in self.process.stdout:
            self.lines.append(line)
            if "Ctrl-C" in line:
                break
        exports = [line.partition("=")[2].strip().strip("'") for line in self.lines if "export" in line]
        self.connections = [json.loads(text) for text in exports]

    def call(self, method: str, path: str, **options: Any) -> requests.Response:
        headers = {"Authorization": self.connections[1]["password"]}
        url = f"{self.connections[1]['host']}{PREFIX}{path}"
        return requests.request(method, url, headers=headers, timeout=10, **options)

    def end(self, number: int) -> int:
        self.process.send_signal(number)
        assert self.process.stdout is not None
        self.lines += self.process.stdout.readlines()
        return self.process.wait(10)


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[Any]:
    launched: list[Process] = []

    def launch(*arguments: str) -> Process:
        launched.append(Process(tmp_path, *arguments))
        return launched[-1]

    yield launch
    for process in launched:
        process.process.kill()
        process.process.wait()
        assert process.process.stdout is not None
        process.process.stdout.close()


class TestCommandLine:
    def test_prints_how_to_reach_it(self, launch: Any) -> None:
        process = launch("--users", "3", "--groups-max", "7", "--edition", "2024-07")
        first, *_ = process.lines
        signed, token = process.connections
        assert "not for production" in first
        assert signed["host"] in first
        assert signed["host"].endswith(f":{process.port_file.read_text().strip()}")
        assert set(signed) == {"conn_type", "host", "login", "password", "extra"}
        assert set(token) == {"conn_type", "host", "password"}
        listing = process.call("GET", "/space/groupList?offset=0&limit=1").json()
        assert (listing["code"], listing["groupsMax"]) == ("0", 7)

    def test_only_this_machine_reaches_it(self, launch: Any) -> None:
        process = launch()
        assert not any(line.startswith("WARNING") for line in process.lines)
        with Sandbox() as sandbox:
            for port in (int(process.port_file.read_text()), sandbox.port):
                # Loopback, too, but only who listens everywhere listens here.
                with pytest.raises(ConnectionRefusedError):
                    socket.create_connection(("127.0.0.2", port), timeout=5)

    def test_explains_faults(self) -> None:
        shown = command_line.build_parser().format_help()
        for kind, facts in KINDS.items():
            (line,) = re.findall(rf"^  {kind}\b.*(?:\n    .*)*", shown, re.MULTILINE)
            explained = " ".join(line.split())
            assert facts.summary in explained
            assert [name for name in facts.options() if f"{name}=" not in explained] == []
            if facts.operations != OPERATION_NAMES:
                assert f"only {', '.join(facts.operations)}" in explained
        for text in (*OPERATION_NAMES, *ALIASES, "times", "probability", "seed"):
            assert text in shown
        assert "Authorization: Bearer" in shown
        assert "/sandbox/faults" in shown
        assert "koodrive_sandbox.faults.add(" in shown

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_stops_without_a_traceback(self, launch: Any, number: int) -> None:
        process = launch("--fault", "*:hang_before_commit")
        with pytest.raises(requests.ReadTimeout):
            requests.get(f"{process.connections[0]['host']}{PREFIX}/session/auth", timeout=0.2)
        assert process.end(number) == 0
        assert "Traceback" not in "".join(process.lines)

    def test_data_survives_a_kill(self, launch: Any, tmp_path: Path) -> None:
        database = str(tmp_path / "koodrive.db")
        process = launch("--database", database)
        body = {"name": "Finance", "addGroupUsers": []}
        assert process.call("POST", "/space/group", json=body).status_code == 200
        process.end(signal.SIGKILL)
        again = launch("--database", database)
        assert again.connections[0]["password"] == process.connections[0]["password"]
        assert again.call("GET", "/space/groupList?offset=0&limit=1").json()["total"] == 1

    def test_accepts_faults_and_credentials(self, launch: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("KOODRIVE_SANDBOX_APP_ID", "mine")
        monkeypatch.setenv("KOODRIVE_SANDBOX_APP_SECRET", "quiet")
        process = launch(
            "--fault", "create:gateway_html:status=504", "--fault", "list:throttle_429", "--seed", "1"
        )
        assert process.connections[0]["login"] == "mine"
        assert process.call("POST", "/space/group", json={}).status_code == 504
        assert process.call("GET", "/space/teamList").status_code == 429

    def test_warns_when_others_can_reach_it(self, launch: Any) -> None:
        assert any(line.startswith(f"WARNING: {EVERYWHERE}") for line in launch("--host", EVERYWHERE).lines)

    @pytest.mark.parametrize(
        ("host", "expected"),
        [("127.0.0.2", True), ("::1", True), ("localhost", True), (EVERYWHERE, False), ("x", False)],
    )
    def test_recognizes_loopback(self, host: str, expected: bool) -> None:
        assert command_line.is_loopback(host) is expected

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["--fault", "create:nonsense"], "no such fault"),
            (["--departments", "/nowhere.csv"], "nowhere.csv"),
            (["--database", "/nowhere/koodrive.db"], "unable to open"),
            (["--port", "70000"], "port"),
            (["--users", "0"], "at least one user"),
        ],
    )
    def test_says_why_it_cannot_start(
        self, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert command_line.main(["--port", "0", *arguments]) == 1
        printed = capsys.readouterr()
        assert printed.err.startswith("The sandbox cannot start: ")
        assert message in printed.err
        assert printed.out == ""
