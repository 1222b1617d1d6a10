"""The server: HTTP, durability, starting and stopping, the controls for tests."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import threading
from datetime import datetime
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any

import pytest
import requests
from sandbox_calls import PREFIX, Caller, refusal

from airflow_provider_koodrive.sandbox.server import Sandbox

if TYPE_CHECKING:
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

    def test_a_client_that_disconnects_early_is_ignored(self, admin: Caller, caplog: Any) -> None:
        head = f"POST {PREFIX}/space/group HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{{"
        with socket.create_connection(("127.0.0.1", admin.sandbox.port), timeout=10) as connection:
            connection.sendall(head.encode())
        assert admin.create("Finance").status_code == 200
        assert [call.operation for call in admin.sandbox.calls] == ["create"]
        # Airflow's logging, where it was set up before, brings back uvicorn's lines of each call.
        assert [record for record in caplog.records if record.name != "uvicorn.access"] == []

    def test_an_exception_in_a_handler_is_an_internal_error(
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
    def test_data_survives_a_restart(self, tmp_path: Path) -> None:
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

    def test_it_starts_and_stops_many_times_and_leaves_no_thread(self) -> None:
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
    def test_a_stopped_one_raises(self, what: str) -> None:
        sandbox = Sandbox()
        ask = {
            "url": lambda: sandbox.url,
            "app_secret": lambda: sandbox.app_secret,
            "spaces": sandbox.spaces,
            "refuse_connections": lambda: sandbox.refuse_connections(1),
        }[what]
        with pytest.raises(RuntimeError, match="is not running"):
            ask()

    def test_a_port_in_use_is_an_error(self, koodrive_sandbox: Sandbox) -> None:
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
