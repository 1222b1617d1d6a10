"""Faults: what goes over the wire, and whether the call has done its work."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from email.utils import parsedate_to_datetime
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any

import pytest
import requests
from sandbox_calls import PREFIX, Caller, refusal, x_date

from airflow_provider_koodrive.sandbox.faults.kinds import KINDS
from airflow_provider_koodrive.sandbox.faults.plan import Hit
from airflow_provider_koodrive.sandbox.server import Sandbox

if TYPE_CHECKING:
    from pathlib import Path


def names(sandbox: Sandbox) -> list[str]:
    return [space["name"] for space in sandbox.spaces()]


def faulty_create(caller: Caller, kind: str, **options: Any) -> requests.Response:
    """Send one create that a fault applies to."""
    caller.sandbox.faults.add("create", kind, times=1, **options)
    return caller.create("Finance")


class TestEveryKind:
    """Rules that hold for each kind."""

    @pytest.mark.parametrize("kind", KINDS)
    def test_applies_as_often_as_set_and_does_the_work_that_it_promises(
        self, admin: Caller, kind: str
    ) -> None:
        sandbox = admin.sandbox
        short = {"seconds": 0.05} if KINDS[kind].options().get("seconds", 0) > 0 else {}
        try:
            faulty_create(admin, kind, **short)
        except requests.ConnectionError:
            assert sandbox.calls[-1].status is None
        assert names(sandbox) == (["Finance"] if KINDS[kind].commits else [])
        assert sandbox.calls[-1].committed is KINDS[kind].commits
        assert sandbox.calls[-1].faults == (kind,)
        assert sandbox.faults.hits == [Hit("create", kind, None)]
        again = until_answered(lambda: admin.create("Sales"))
        assert again.status_code == 200
        assert sandbox.calls[-1].faults == ()

    @pytest.mark.parametrize("kind", ["gateway_html", "error_200"])
    def test_may_do_the_work_first(self, admin: Caller, kind: str) -> None:
        faulty_create(admin, kind, committed=True)
        assert names(admin.sandbox) == ["Finance"]


def until_answered(call: Any) -> requests.Response:
    deadline = time.monotonic() + 60
    while True:
        try:
            return call()  # type: ignore[no-any-return]
        except requests.ConnectionError:
            assert time.monotonic() < deadline, "the port never opened again"
            time.sleep(0.02)


class TestConnection:
    @pytest.mark.parametrize("kind", ["drop_before_commit", "drop_after_commit"])
    def test_is_dropped_without_a_byte(self, admin: Caller, kind: str) -> None:
        with pytest.raises(requests.ConnectionError, match=r"without response|reset"):
            faulty_create(admin, kind)

    @pytest.mark.parametrize("kind", ["hang_before_commit", "hang_after_commit"])
    def test_hangs_until_the_client_disconnects(self, admin: Caller, kind: str) -> None:
        admin.sandbox.faults.add("create", kind, times=1)
        with pytest.raises(requests.ReadTimeout):
            admin.send("POST", "/space/group", {"name": "Finance", "addGroupUsers": []}, timeout=0.2)
        assert admin.create("Sales").status_code == 200

    def test_hangs_no_longer_than_set(self, admin: Caller) -> None:
        with pytest.raises(requests.ConnectionError, match=r"without response|reset"):
            faulty_create(admin, "hang_before_commit", seconds=0.05)

    def test_is_refused_after_the_fault(self, admin: Caller) -> None:
        with pytest.raises(requests.ConnectionError):
            faulty_create(admin, "refuse_connection", seconds=60)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", admin.sandbox.port), timeout=5)

    def test_is_refused_on_demand_for_a_while(self, admin: Caller) -> None:
        assert admin.create("Finance").status_code == 200
        port = admin.sandbox.port
        admin.sandbox.refuse_connections(1.5)
        admin.sandbox.refuse_connections(600)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=5)
        with pytest.raises(requests.ConnectionError, match="refused"):
            admin.create("Sales")
        assert until_answered(lambda: admin.create("Sales")).status_code == 200
        assert admin.sandbox.port == port

    def test_is_refused_until_the_port_is_free_again(self, admin: Caller) -> None:
        port = admin.sandbox.port
        admin.sandbox.refuse_connections(0.5)
        with socket.socket() as occupant:
            occupant.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            occupant.bind(("127.0.0.1", port))
            occupant.listen()
            occupant.settimeout(0.8)
            with pytest.raises(TimeoutError):
                occupant.accept()
        assert until_answered(lambda: admin.create("Sales")).status_code == 200


class TestResponse:
    @pytest.mark.parametrize("kind", ["error_500_before", "error_500_after_commit"])
    def test_is_an_internal_error(self, admin: Caller, kind: str) -> None:
        assert refusal(faulty_create(admin, kind)) == (500, 13000201)

    @pytest.mark.parametrize(
        ("kind", "expected"),
        [("error_503_retry_after", (503, 13000201)), ("throttle_429", (429, "APIGW.0308"))],
    )
    def test_says_when_to_retry(self, admin: Caller, kind: str, expected: tuple[int, object]) -> None:
        answer = faulty_create(admin, kind, seconds=7)
        assert refusal(answer) == expected
        assert answer.headers["Retry-After"] == "7"
        answer = faulty_create(admin, kind, seconds=7, date=True)
        wait = parsedate_to_datetime(answer.headers["Retry-After"]) - parsedate_to_datetime(
            answer.headers["Date"]
        )
        assert wait.total_seconds() == 7

    def test_is_html_of_a_gateway(self, admin: Caller) -> None:
        answer = faulty_create(admin, "gateway_html")
        assert (answer.status_code, answer.headers["Content-Type"]) == (502, "text/html; charset=utf-8")
        assert "<title>502 Bad Gateway</title>" in answer.text
        assert faulty_create(admin, "gateway_html", status=504).status_code == 504
        # The login page of a captive portal.
        assert faulty_create(admin, "gateway_html", status=200).status_code == 200

    def test_is_cut_in_half(self, admin: Caller) -> None:
        answer = faulty_create(admin, "truncated_json")
        assert answer.status_code == 200
        assert int(answer.headers["Content-Length"]) == len(answer.content) > 0
        with pytest.raises(requests.JSONDecodeError):
            answer.json()

    @pytest.mark.parametrize(("options", "expected"), [({}, []), ({"body": '"ok"'}, "ok")])
    def test_is_json_of_another_type(self, admin: Caller, options: dict[str, str], expected: object) -> None:
        assert faulty_create(admin, "wrong_type_json", **options).json() == expected

    def test_is_an_error_with_status_200(self, admin: Caller) -> None:
        assert refusal(faulty_create(admin, "error_200")) == (200, 13000201)
        assert refusal(faulty_create(admin, "error_200", code=13000301)) == (200, 13000301)
        assert refusal(faulty_create(admin, "error_200", code="APIGW.0301")) == (200, "APIGW.0301")

    def test_redirects(self, admin: Caller) -> None:
        answer = faulty_create(admin, "redirect", location="http://127.0.0.1:1/x")
        assert (answer.status_code, answer.headers["Location"]) == (302, "http://127.0.0.1:1/x")

    def test_arrives_in_small_pieces(self, admin: Caller) -> None:
        admin.sandbox.faults.add("quotaUsed", "slow_body", seconds=0.8)
        with contextlib.closing(HTTPConnection("127.0.0.1", admin.sandbox.port, timeout=10)) as connection:
            headers = {"Authorization": str(admin.session.headers["Authorization"])}
            connection.request("GET", f"{PREFIX}/service/quotaUsed", headers=headers)
            answer = connection.getresponse()
            pieces = list(iter(lambda: answer.read1(8192), b""))
        assert len(pieces) > 5
        assert len(b"".join(pieces)) == int(answer.headers["Content-Length"])

    def test_ends_when_the_client_disconnects(self, admin: Caller) -> None:
        admin.sandbox.faults.add("create", "slow_body", times=1, seconds=600)
        answer = admin.send("POST", "/space/group", {"name": "Finance", "addGroupUsers": []}, stream=True)
        answer.close()
        assert names(admin.sandbox) == ["Finance"]


class TestHandling:
    def test_can_treat_the_token_as_expired(self, admin: Caller) -> None:
        assert refusal(faulty_create(admin, "expired_token")) == (401, "APIGW.0301")

    def test_can_treat_the_signature_as_expired(self, admin: Caller) -> None:
        admin.session.headers["Authorization"] = "HMAC-SHA256 AppId=x"
        assert refusal(faulty_create(admin, "expired_token")) == (401, "APIGW.0303")

    @pytest.mark.parametrize("seconds", [-3600, 3600])
    def test_can_have_a_wrong_clock(self, admin: Caller, seconds: int) -> None:
        answer = faulty_create(admin, "clock_skew", seconds=seconds)
        shown = parsedate_to_datetime(answer.headers["Date"]).strftime("%Y%m%dT%H%M%SZ")
        assert x_date(seconds - 30) < shown < x_date(seconds + 30)
        assert admin.names() == (["Finance"] if answer.status_code == 200 else [])

    def test_can_fail_members(self, admin: Caller, koodrive_sandbox: Sandbox) -> None:
        first, second, third = koodrive_sandbox.user_ids[1:4]
        koodrive_sandbox.faults.add("*", "member_failures", count=2)
        wanted = [{"userId": user_id, "template": -1} for user_id in (first, second, third)]
        created = admin.create("Finance", addGroupUsers=wanted).json()
        assert created["failedList"] == [first, second]
        path = f"/usergroups/{created['id']}/members"
        added = admin.send("POST", f"{path}/batchAdd", {"userIds": [first, second]}).json()
        assert (added["status"], added["failedList"]) == (2, [first, second])
        removed = admin.send("POST", f"{path}/batchDelete", {"userIds": [third]}).json()
        assert (removed["status"], removed["failedList"]) == (2, [third])
        assert koodrive_sandbox.spaces()[0]["members"] == [admin.user_id, third]

    def test_can_hide_a_new_space_from_lists_for_a_while(self, admin: Caller) -> None:
        created = faulty_create(admin, "stale_list", seconds=3600).json()
        assert admin.names() == admin.names("teamList") == []
        assert admin.send("GET", f"/space/{created['id']}", query={"type": 2}).status_code == 200
        assert refusal(admin.create("Finance")) == (400, 13000405)
        admin.sandbox.faults.add("create", "stale_list", times=1, seconds=0.2)
        admin.create("Sales")
        deadline = time.monotonic() + 10
        while admin.names() != ["Sales"]:
            assert time.monotonic() < deadline
        assert admin.names("teamList") == ["Sales"]

    @pytest.mark.parametrize(
        ("operation", "stale", "fresh"),
        [("list", {"groupList", "teamList"}, set()), ("teamList", {"teamList"}, {"groupList"})],
    )
    def test_can_leave_new_spaces_out_of_one_list(
        self, admin: Caller, operation: str, stale: set[str], fresh: set[str]
    ) -> None:
        admin.create("Finance")
        admin.sandbox.faults.add(operation, "stale_list", seconds=3600)
        assert [admin.names(which) for which in stale] == [[]] * len(stale)
        assert [admin.names(which) for which in fresh] == [["Finance"]] * len(fresh)
        admin.sandbox.faults.clear()
        assert admin.names("teamList") == ["Finance"]
        admin.sandbox.faults.add(operation, "stale_list", seconds=0)
        assert admin.names("teamList") == ["Finance"]


def test_a_hanging_call_does_not_delay_the_stop(tmp_path: Path) -> None:
    before = threading.active_count()
    with Sandbox(tmp_path / "koodrive.db") as sandbox:
        sandbox.faults.add("create", "hang_after_commit")
        caller = Caller(sandbox)
        outcome: list[Exception] = []

        def hang() -> None:
            try:
                caller.create("Finance")
            except requests.ConnectionError as err:
                outcome.append(err)

        hanging = threading.Thread(target=hang)
        hanging.start()
        while not sandbox.calls:
            hanging.join(0.01)
    hanging.join(10)
    assert not isinstance(outcome[0], requests.Timeout)
    assert threading.active_count() == before
