"""A machine with a wrong clock: requests are signed with KooDrive's time."""

from __future__ import annotations

import time
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.clients import APP_SECRET, app_client, sandbox_client, token_client
from support.raw_server import JSON, Exchange, RawServer, reply
from support.signing import check_wire
from support.spaces import Spaces

from airflow_provider_koodrive.api.auth import AppAuth
from airflow_provider_koodrive.api.http.headers import server_date
from airflow_provider_koodrive.api.http.server_clock import ServerClock
from airflow_provider_koodrive.api.http.timeouts import Deadline
from airflow_provider_koodrive.exceptions import KooDriveAuthenticationError, KooDriveError

PATH = "/koodrive/ose/v1/space/groupList"
REFUSED = {"code": "APIGW.0303", "msg": "Incorrect app authentication information"}
AHEAD_OR_BEHIND = [-60, -3600, 3600, 3 * 86400]


def refusing(ahead: float | None, status: int = 401, body: object = REFUSED) -> RawServer:
    """
    Run a server that refuses all.

    :param ahead: seconds by which its clock is ahead of this machine's; None for no ``Date``
    """

    def handle(exchange: Exchange) -> None:
        date = [] if ahead is None else [("Date", formatdate(time.time() + ahead, usegmt=True))]
        exchange.send(reply(body, status, headers=[JSON, *date]))

    return RawServer(handle)


def failing(client, method: str = "GET") -> KooDriveError:
    with pytest.raises(KooDriveError) as caught:
        client.request(method, PATH, json={} if method == "POST" else None)
    return caught.value


@pytest.mark.parametrize("ahead", AHEAD_OR_BEHIND)
class TestSandboxOfAnotherTime:
    def test_reads_and_writes(self, koodrive_sandbox, ahead, caplog):
        koodrive_sandbox.faults.add("*", "clock_skew", seconds=ahead)
        spaces = Spaces(sandbox_client(koodrive_sandbox, max_attempts=1))
        created = spaces.create("Finance")
        listed = spaces.list_all()["groups"]
        assert [space["id"] for space in listed] == [created["id"]]
        warnings = [message for message in caplog.messages if "clock" in message]
        assert len(warnings) == 1
        side = "behind" if ahead > 0 else "ahead of"
        assert warnings[0].startswith(
            "Requests are signed with KooDrive's time; set this machine's clock right"
        )
        assert f"seconds {side} KooDrive's" in warnings[0]

    def test_a_write_first(self, koodrive_sandbox, ahead):
        group = Spaces(sandbox_client(koodrive_sandbox)).create("Finance")
        koodrive_sandbox.faults.add("*", "clock_skew", seconds=ahead)
        Spaces(sandbox_client(koodrive_sandbox, max_attempts=1)).dismiss(group["id"])
        assert koodrive_sandbox.spaces() == []

    def test_only_the_first_request_is_sent_twice(self, koodrive_sandbox, ahead):
        koodrive_sandbox.faults.add("*", "clock_skew", seconds=ahead)
        client = sandbox_client(koodrive_sandbox)
        for _ in range(3):
            client.request("GET", "/koodrive/ose/v1/space/teamList", params={"offset": 0, "limit": 1})
        assert len(koodrive_sandbox.authorizations) == 4


@pytest.mark.parametrize("method", ["GET", "POST"])
class TestRefused:
    @pytest.mark.parametrize("ahead", AHEAD_OR_BEHIND)
    def test_with_koodrives_time_too(self, ahead, method):
        with refusing(ahead) as server:
            client = app_client(server.url)
            error = failing(client, method)
        assert isinstance(error, KooDriveAuthenticationError)
        assert error.retryable
        assert "set this machine's clock right" in str(error)
        assert len(server.requests) == 2
        for request in server.requests:
            check_wire(request, APP_SECRET)
        first, second = (request.header("X-Date") for request in server.requests)
        assert (first < second) if ahead > 0 else (first > second)
        # That Date was not the reason, so it is not believed for the requests that follow.
        assert client.auth.clock_offset == 0.0

    @pytest.mark.parametrize("ahead", [None, 0, 600, 800])
    def test_not_for_the_clock(self, ahead, method):
        with refusing(ahead) as server:
            error = failing(app_client(server.url), method)
        assert not error.retryable
        assert "clock" not in str(error)
        assert len(server.requests) == 1

    def test_a_token_has_no_time(self, method):
        with refusing(-3600) as server:
            error = failing(token_client(server.url), method)
        assert not error.retryable
        assert "clock" not in str(error)
        assert len(server.requests) == 1

    @pytest.mark.parametrize(
        ("status", "body", "requests"),
        [
            (401, {"code": 13000410}, 2),
            (401, b"<html>", 2),
            (403, REFUSED, 2),
            (200, REFUSED, 2),
            (403, {"code": 13000410}, 1),
            (400, {"code": 13000102}, 1),
            (500, REFUSED, 1),
        ],
    )
    def test_by_status_and_code(self, status, body, requests, method):
        """A server that broke may have carried it out; other refusals have their own reasons."""
        with refusing(-3600, status, body) as server:
            failing(app_client(server.url, max_attempts=1), method)
        assert len(server.requests) == requests


def refuse() -> None:
    raise KooDriveAuthenticationError("refused", http_status=401)


def test_nothing_is_sent_after_the_deadline():
    clock, sent = ServerClock(), []
    clock.last_date = server_date({"Date": formatdate(time.time() - 3600, usegmt=True)})

    def exchange() -> None:
        sent.append(1)
        refuse()

    with pytest.raises(KooDriveAuthenticationError) as caught:
        clock.exchange_signed(AppAuth("app-id", APP_SECRET, "1"), Deadline(0), exchange)
    assert caught.value.retryable
    assert len(sent) == 1


@given(st.floats(-1e6, 1e6), st.integers(-2_000_000, 2_000_000))
def test_only_a_time_that_koodrive_refuses_is_corrected(offset, age):
    """KooDrive refuses an ``X-Date`` later than its clock, or more than 15 minutes earlier."""
    clock, auth = ServerClock(), AppAuth("app-id", APP_SECRET, "1")
    auth.clock_offset = offset
    corrected = []

    def exchange() -> None:
        corrected.append(auth.clock_offset)
        if len(corrected) == 1:
            clock.last_date = server_date({"Date": formatdate(int(time.time() + offset) + age, usegmt=True)})
            refuse()

    if 0 <= age < 800:
        with pytest.raises(KooDriveAuthenticationError):
            clock.exchange_signed(auth, Deadline(60), exchange)
        assert corrected == [offset]
    elif not -100 <= age <= 910:
        clock.exchange_signed(auth, Deadline(60), exchange)
        assert abs(auth.clock_offset - (offset + age)) < 60


def test_a_write_that_may_have_been_carried_out_is_not_sent_again():
    """KooDrive's code for a failure of its own says nothing about the signature, whatever the status."""
    with refusing(-3600, 401, {"code": 13000201, "msg": "inner server invoke failure"}) as server:
        error = failing(app_client(server.url), "POST")
    assert error.code == 13000201
    assert len(server.requests) == 1


def test_credentials_are_named_beside_the_clock():
    """The clock is off, but KooDrive's time did not help, so something else is wrong too."""
    with refusing(-3600) as server:
        text = str(failing(app_client(server.url)))
    assert "set this machine's clock right" in text
    assert "if that does not help, check login (App ID)" in text
