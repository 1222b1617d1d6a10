"""The server: HTTP, durability, starting and stopping, the command line, the fixtures."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from datetime import datetime
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any

import pytest
import requests
from sandbox_calls import PREFIX, Caller, refusal

from airflow_provider_koodrive.sandbox import __main__ as command_line
from airflow_provider_koodrive.sandbox.faults.kinds import KINDS
from airflow_provider_koodrive.sandbox.faults.plan import ALIASES
from airflow_provider_koodrive.sandbox.server import Sandbox
from airflow_provider_koodrive.sandbox.service.operations import OPERATION_NAMES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


EVERYWHERE = "0.0.0.0"  # noqa: S104 - the warning about it is tested


class TestHttp:
    @pytest.mark.parametrize(
        ("method", "path", "status"),
        [
            ("GET", "/nothing", 404),
            ("GET", f"{PREFIX}/nothing", 404),
            ("GET", f"{PREFIX}/space/groupList/", 404),
            ("PUT", f"{PREFIX}/space/group", 405),
            ("DELETE", f"{PREFIX}/space/42", 405),
        ],
    )
    def test_unknown_paths_are_refused_in_the_envelope(
        self, koodrive_sandbox: Sandbox, method: str, path: str, status: int
    ) -> None:
        answer = requests.request(method, koodrive_sandbox.url + path, timeout=10)
        assert refusal(answer) == (status, 13000309)

    def test_answers_are_utf_8_json_of_known_length(self, admin: Caller) -> None:
        admin.create("研发部")
        answer = admin.send("GET", "/space/teamList", query={"offset": 0, "limit": 10})
        assert answer.headers["Content-Type"] == "application/json;charset=UTF-8"
        assert int(answer.headers["Content-Length"]) == len(answer.content)
        assert "研发部".encode() in answer.content

    def test_connections_are_kept(self, koodrive_sandbox: Sandbox) -> None:
        with contextlib.closing(HTTPConnection("127.0.0.1", koodrive_sandbox.port, timeout=10)) as connection:
            connection.connect()
            first = connection.sock
            for _ in range(3):
                connection.request("GET", f"{PREFIX}/session/auth")
                assert connection.getresponse().read()
                assert connection.sock is first

    def test_large_bodies_are_refused(self, admin: Caller) -> None:
        assert refusal(admin.create("x" * 1024 * 1024)) == (413, 13000102)

    def test_a_client_that_leaves_in_the_middle_is_nothing(self, admin: Caller, caplog: Any) -> None:
        head = f"POST {PREFIX}/space/group HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{{"
        with socket.create_connection(("127.0.0.1", admin.sandbox.port), timeout=10) as connection:
            connection.sendall(head.encode())
        assert admin.create("Finance").status_code == 200
        assert [call.operation for call in admin.sandbox.calls] == ["create"]
        # Airflow's logging, where it was set up before, brings back uvicorn's lines of each call.
        assert [record for record in caplog.records if record.name != "uvicorn.access"] == []

    def test_a_failure_of_its_own_is_an_internal_error(
        self, admin: Caller, caplog: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(_store: object) -> int:
            raise RuntimeError("the disk is gone")

        monkeypatch.setattr("airflow_provider_koodrive.sandbox.storage.store.Store.space_count", fail)
        answer = admin.create("Finance")
        assert refusal(answer) == (500, 13000201)
        assert "disk" not in answer.text
        assert "the disk is gone" in caplog.text


class TestLife:
    def test_everything_outlives_a_restart(self, tmp_path: Path) -> None:
        database = tmp_path / "koodrive.db"
        with Sandbox(database, users=3) as sandbox:
            first = (sandbox.app_id, sandbox.app_secret, sandbox.admin_user_id, sandbox.user_ids)
            caller = Caller(sandbox)
            caller.create("Finance")
            spaces = sandbox.spaces()
        with Sandbox(database, users=9) as sandbox:
            assert (sandbox.app_id, sandbox.app_secret, sandbox.admin_user_id, sandbox.user_ids) == first
            assert sandbox.spaces() == spaces
            caller.sandbox = sandbox
            assert caller.names() == ["Finance"]

    def test_credentials_can_be_given(self, tmp_path: Path) -> None:
        database = tmp_path / "koodrive.db"
        Sandbox(database).start().stop()
        with Sandbox(database, app_id="mine", app_secret="quiet") as sandbox:
            connection = json.loads(sandbox.connection_json(user_id="7"))
            assert (sandbox.app_id, sandbox.app_secret) == ("mine", "quiet")
        assert connection == {
            "conn_type": "koodrive",
            "host": f"http://127.0.0.1:{connection['host'].rpartition(':')[2]}",
            "login": "mine",
            "password": "quiet",
            "extra": {"user_id": "7"},
        }

    def test_it_starts_and_stops_many_times_and_leaves_nothing(self) -> None:
        threads, sandbox = threading.active_count(), Sandbox()
        for _ in range(20):
            with sandbox:
                assert Caller(sandbox).create("Finance").status_code == 200
            sandbox.stop()
        assert threading.active_count() == threads
        assert len(sandbox.calls) == 20

    def test_several_run_beside_each_other(self) -> None:
        with Sandbox() as first, Sandbox() as second:
            Caller(first).create("Finance")
            assert second.spaces() == []
            assert first.port != second.port

    def test_a_running_one_does_not_start_again(self, koodrive_sandbox: Sandbox) -> None:
        with pytest.raises(RuntimeError, match="is running"):
            koodrive_sandbox.start()

    @pytest.mark.parametrize("what", ["url", "app_secret", "spaces", "refuse_connections"])
    def test_a_stopped_one_says_so(self, what: str) -> None:
        sandbox = Sandbox()
        ask = {
            "url": lambda: sandbox.url,
            "app_secret": lambda: sandbox.app_secret,
            "spaces": sandbox.spaces,
            "refuse_connections": lambda: sandbox.refuse_connections(1),
        }[what]
        with pytest.raises(RuntimeError, match="is not running"):
            ask()

    def test_a_port_that_is_taken_is_an_error(self, koodrive_sandbox: Sandbox) -> None:
        second = Sandbox(port=koodrive_sandbox.port)
        with pytest.raises(OSError, match="in use"):
            second.start()
        with pytest.raises(RuntimeError, match="is not running"):
            second.spaces()

    @pytest.mark.parametrize(
        ("host", "url"),
        [("127.0.0.1", "http://127.0.0.1:"), (EVERYWHERE, "http://127.0.0.1:"), ("::1", "http://[::1]:")],
    )
    def test_its_address_can_be_called(self, host: str, url: str) -> None:
        with Sandbox(host=host) as sandbox:
            assert sandbox.url.startswith(url)
            assert Caller(sandbox).create("Finance").status_code == 200

    def test_reading_while_calls_come_in_is_safe(self, koodrive_sandbox: Sandbox) -> None:
        caller = Caller(koodrive_sandbox)
        creating = threading.Thread(target=lambda: [caller.create(f"space {n}") for n in range(40)])
        creating.start()
        seen = 0
        while creating.is_alive():
            before, seen = seen, len(koodrive_sandbox.spaces())
            assert before <= seen <= 40
            assert all(call.status == 200 for call in koodrive_sandbox.calls)
        creating.join()
        assert len(koodrive_sandbox.spaces()) == 40

    @pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
    def test_a_forked_process_does_not_keep_the_port_open(self) -> None:
        with Sandbox() as sandbox:
            port = sandbox.port
            child = os.fork()
            if child == 0:
                signal.pause()
        try:
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", port), timeout=5)
        finally:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)


def run(script: str, directory: Path) -> subprocess.CompletedProcess[str]:
    """Run a script in a directory without the source tree, which would hide what is installed."""
    command = [sys.executable, "-c", script]
    return subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)


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
    def test_says_how_to_reach_it(self, launch: Any) -> None:
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
            told = " ".join(line.split())
            assert facts.summary in told
            assert [name for name in facts.options() if f"{name}=" not in told] == []
            if facts.operations != OPERATION_NAMES:
                assert f"only {', '.join(facts.operations)}" in told
        for text in (*OPERATION_NAMES, *ALIASES, "times", "probability", "seed"):
            assert text in shown
        assert "Authorization: Bearer" in shown
        assert "/sandbox/faults" in shown
        assert "koodrive_sandbox.faults.add(" in shown

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_ends_quietly(self, launch: Any, number: int) -> None:
        process = launch("--fault", "*:hang_before_commit")
        with pytest.raises(requests.ReadTimeout):
            requests.get(f"{process.connections[0]['host']}{PREFIX}/session/auth", timeout=0.2)
        assert process.end(number) == 0
        assert "Traceback" not in "".join(process.lines)

    def test_what_was_answered_outlives_a_kill(self, launch: Any, tmp_path: Path) -> None:
        database = str(tmp_path / "koodrive.db")
        process = launch("--database", database)
        body = {"name": "Finance", "addGroupUsers": []}
        assert process.call("POST", "/space/group", json=body).status_code == 200
        process.end(signal.SIGKILL)
        again = launch("--database", database)
        assert again.connections[0]["password"] == process.connections[0]["password"]
        assert again.call("GET", "/space/groupList?offset=0&limit=1").json()["total"] == 1

    def test_takes_faults_and_credentials(self, launch: Any, monkeypatch: pytest.MonkeyPatch) -> None:
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
    def test_knows_loopback(self, host: str, expected: bool) -> None:
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


class TestFixtures:
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

    def test_server_needs_no_airflow(self, tmp_path: Path) -> None:
        script = (
            "import sys, airflow_provider_koodrive.sandbox.server\n"
            "print([name for name in sys.modules if name == 'airflow' or name.startswith('airflow.')])"
        )
        done = run(script, tmp_path)
        assert done.returncode == 0, done.stderr
        assert done.stdout.strip() == "[]"


class TestControls:
    def test_shows_what_a_stale_list_hides(self, admin: Caller) -> None:
        admin.sandbox.faults.add("create", "stale_list", seconds=1000)
        admin.create("Finance")
        assert admin.names() == []
        admin.sandbox.show_everything()
        assert admin.names() == ["Finance"]

    def test_ages_all_spaces_or_those_of_one_name(self, admin: Caller) -> None:
        def created() -> dict[str, datetime]:
            times = {space["name"]: space["createTime"] for space in admin.sandbox.spaces()}
            return {name: datetime.fromisoformat(time.replace("Z", "+00:00")) for name, time in times.items()}

        admin.create("Finance")
        admin.create("Sales")
        before = created()
        admin.sandbox.age(60)
        admin.sandbox.age(5, name="Sales")
        assert {name: (before[name] - time).total_seconds() for name, time in created().items()} == {
            "Finance": 60,
            "Sales": 65,
        }
