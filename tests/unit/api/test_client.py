from __future__ import annotations

import contextlib
import logging
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest
from support.clients import APP_SECRET, TOKEN, app_client, token_client
from support.raw_server import JSON, Exchange, RawServer, always, reply
from support.signing import check_wire

from airflow_provider_koodrive.api.endpoints import Endpoint
from airflow_provider_koodrive.exceptions import (
    KooDriveConfigError,
    KooDriveConflictError,
    KooDriveConnectionError,
    KooDriveError,
    KooDriveResponseError,
    KooDriveServerError,
    KooDriveThrottledError,
)

PATH = "/koodrive/ose/v1/space/groupList"
SUCCESS = reply({"code": 0, "msg": "OK"}, headers=[JSON])


@pytest.fixture
def server():
    with RawServer(always(SUCCESS)) as running:
        yield running


def nobody() -> str:
    """The address of a port on which nothing listens."""
    with RawServer(always(SUCCESS)) as server:
        return server.url


def answering(*answers: bytes):
    """Give one answer after the other, the last one for ever."""
    left = list(answers)

    def handle(exchange: Exchange) -> None:
        exchange.send(left.pop(0) if len(left) > 1 else left[0])

    return RawServer(handle)


class TestRequest:
    def test_get(self, server):
        client = token_client(server.url, language="zh-CN", user_agent="koodrive-test/1")
        envelope = client.request("GET", PATH, params={"keyWord": "a b&ü", "offset": 0, "none": None})
        assert envelope == {"code": 0, "msg": "OK"}
        (request,) = server.requests
        assert (request.method, request.body) == ("GET", b"")
        assert request.target == f"{PATH}?keyWord=a%20b%26%C3%BC&offset=0"
        assert request.header("Authorization") == f"Bearer+{TOKEN}"
        assert request.header("User-Agent") == "koodrive-test/1"
        assert request.header("language") == "zh-CN"
        assert request.header("Accept") == "application/json"
        assert not request.has("Content-Type")

    def test_no_language_unless_asked_for(self, server):
        token_client(server.url).request("GET", PATH)
        assert not server.requests[0].has("language")

    def test_post_sends_the_json_that_is_signed(self, server):
        app_client(server.url).request(
            "POST", "/koodrive/ose/v1/space/group", json={"name": "Büro 🏛", "a": [1]}
        )
        (request,) = server.requests
        assert request.body == '{"name":"Büro 🏛","a":[1]}'.encode()
        assert request.header("Content-Type") == "application/json"
        check_wire(request, APP_SECRET)

    def test_empty_json_is_a_body(self, server):
        token_client(server.url).request("PUT", PATH, json={})
        assert server.requests[0].body == b"{}"

    def test_each_call_has_a_trace_id_of_58_characters(self, server):
        client = token_client(server.url)
        client.request("GET", PATH)
        client.request("GET", PATH)
        first, second = (request.header("X-Traceid") for request in server.requests)
        assert len(first) == len(second) == 58
        assert first.isalnum()
        assert first.isascii()
        assert first != second

    def test_one_session_for_all_calls(self, server):
        client = token_client(server.url)
        for _ in range(5):
            client.request("GET", PATH)
        assert server.connections == 1

    def test_session_outlives_errors(self):
        refusal = reply({"code": 13000102, "msg": "no"}, 400, [JSON])
        with answering(refusal, reply(b"[]", 404), SUCCESS) as server:
            client = token_client(server.url)
            for _ in range(2):
                with pytest.raises(KooDriveError):
                    client.request("GET", PATH)
            client.request("GET", PATH)
            assert server.connections == 1

    def test_cookies_are_not_kept(self):
        cookies = [("Set-Cookie", "Authorization=evil; Path=/"), ("Set-Cookie", "a=b"), JSON]
        with answering(reply({"code": 0}, headers=cookies)) as server:
            client = token_client(server.url)
            client.request("GET", PATH)
            client.request("GET", PATH)
        assert not server.requests[1].has("Cookie")

    def test_close(self, server):
        client = token_client(server.url)
        client.request("GET", PATH)
        client.close()
        client.request("GET", PATH)
        assert server.connections == 2

    @pytest.mark.parametrize("broken", ["a\r\nX-Evil: 1", "a\nb", "a\x00", "ü", ""])
    @pytest.mark.parametrize("header", ["language", "user_agent"])
    def test_header_values(self, server, header, broken):
        with pytest.raises(KooDriveConfigError):
            token_client(server.url, **{header: broken})


class TestAttempts:
    def test_a_read_is_repeated_with_the_same_trace_id(self, caplog):
        with answering(reply(b"", 502), reply({"code": 13000201}, 500), SUCCESS) as server:
            assert token_client(server.url).request("GET", PATH)["code"] == 0
        trace_ids = {request.header("X-Traceid") for request in server.requests}
        assert len(server.requests) == 3
        assert len(trace_ids) == 1
        warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
        assert [warning.partition(" of GET")[0] for warning in warnings] == [
            "Attempt 1 of 5",
            "Attempt 2 of 5",
        ]
        assert "gateway failed" in warnings[0]
        assert all(f"trace id {trace_ids.copy().pop()}" in warning for warning in warnings)
        assert all("next in 0.0 s" in warning for warning in warnings)

    @pytest.mark.parametrize("attempts", [1, 2, 7])
    def test_never_more_than_max_attempts(self, attempts):
        with answering(reply(b"", 502)) as server, pytest.raises(KooDriveServerError) as caught:
            token_client(server.url, max_attempts=attempts).request("GET", PATH)
        assert len(server.requests) == attempts
        assert caught.value.http_status == 502

    @pytest.mark.parametrize("status", [400, 401, 403, 404, 409])
    @pytest.mark.parametrize("method", ["GET", "POST"])
    def test_a_refusal_is_not_repeated(self, method, status):
        with (
            answering(reply({"code": 13009999, "msg": "no"}, status)) as server,
            pytest.raises(KooDriveError),
        ):
            token_client(server.url).request(method, PATH)
        assert len(server.requests) == 1

    def test_a_write_whose_outcome_is_unknown_is_not_repeated(self):
        with answering(reply(b"", 502)) as server, pytest.raises(KooDriveServerError):
            token_client(server.url).request("POST", PATH)
        assert len(server.requests) == 1

    @pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
    def test_refused_for_load(self, method):
        throttled = reply({"code": "APIGW.0308"}, 429, [("Retry-After", "0")])
        with answering(throttled, throttled, SUCCESS) as server:
            token_client(server.url).request(method, PATH)
        assert len(server.requests) == 3

    @pytest.fixture
    def waits(self, monkeypatch):
        """The waits between attempts, which take no time."""
        waited: list[float] = []
        monkeypatch.setattr("tenacity.nap.time.sleep", waited.append)
        return waited

    @pytest.mark.parametrize("asked", ["0", "Thu, 01 Jan 2026 00:00:00 GMT"])
    @pytest.mark.parametrize("method", ["GET", "POST"])
    def test_no_burst(self, waits, method, asked):
        throttled = reply({"code": "APIGW.0308"}, 429, [("Retry-After", asked)])
        with answering(throttled) as server, pytest.raises(KooDriveThrottledError):
            token_client(server.url, max_attempts=20, backoff=1.0, deadline=1e6).request(method, PATH)
        assert len(waits) == 19
        assert sum(waits) > 19

    @pytest.mark.parametrize(("options", "waited"), [({}, 60), ({"longest_retry_after": 300.0}, 120)])
    def test_longest_retry_after(self, waits, options, waited):
        throttled = reply({"code": "APIGW.0308"}, 429, [("Retry-After", "120")])
        with answering(throttled, SUCCESS) as server:
            token_client(server.url, deadline=1e6, **options).request("GET", PATH)
        assert waits == [waited]

    def test_no_wait_past_the_deadline(self):
        """The wait that KooDrive asks for would end too late, so the error comes at once."""
        with (
            answering(reply({"code": 1}, 429, [("Retry-After", "50")])) as server,
            pytest.raises(KooDriveError),
        ):
            token_client(server.url, deadline=20.0).request("GET", PATH)
        assert len(server.requests) == 1

    @pytest.mark.parametrize("method", ["GET", "POST"])
    def test_nothing_is_sent_past_the_deadline(self, server, method):
        client = token_client(server.url, deadline=0.0)
        with pytest.raises(KooDriveConnectionError, match="deadline") as caught:
            client.request(method, PATH)
        assert caught.value.sent is False
        assert server.requests == []

    def test_each_attempt_is_signed_anew(self):
        with answering(reply(b"", 502), reply(b"", 502), SUCCESS) as server:
            app_client(server.url).request("GET", PATH)
        for request in server.requests:
            check_wire(request, APP_SECRET)


class TestRedirects:
    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    @pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
    def test_location_is_never_requested(self, server, status, method):
        location = [("Location", f"{server.url}/koodrive/")]
        with answering(reply(b"", status, location)) as redirecting:
            with pytest.raises(KooDriveResponseError, match="a redirect, which is never followed"):
                token_client(redirecting.url).request(method, PATH)
            assert len(redirecting.requests) == 1
        assert server.requests == []
        assert server.connections == 0

    @pytest.mark.parametrize(
        "location", ["", "/", "//", "http://[", "\xff\xfe", "javascript:1", "http://a b", ":"]
    )
    def test_weird_locations(self, location):
        with answering(reply(b"x", 302, [("Location", location)])) as server:
            with pytest.raises(KooDriveResponseError):
                token_client(server.url).request("GET", PATH)
            assert len(server.requests) == 1

    def test_success_with_a_location(self, server):
        with answering(
            reply({"code": 0}, 200, [("Location", server.url), ("Refresh", f"0; {server.url}")])
        ) as other:
            token_client(other.url).request("GET", PATH)
        assert server.connections == 0


class TestLastDate:
    """The ``Date`` of the last response, also of one that is an error, and none if it had none."""

    def test_of_each_response(self):
        dates = ["Tue, 24 Nov 2026 02:00:00 GMT", "Tue, 24 Nov 2026 02:00:01 GMT", None, "no date", "again"]
        dates[-1] = dates[0]
        answers = [reply({"code": 0}, headers=[JSON, *([("Date", date)] if date else [])]) for date in dates]
        answers[1] = reply(b"no", 404, [("Date", dates[1])])
        with answering(*answers) as server:
            client = token_client(server.url)
            assert client.clock.last_date is None
            seen = []
            for _ in answers:
                with contextlib.suppress(KooDriveResponseError):
                    client.request("GET", PATH)
                seen.append(client.clock.last_date)
        first = datetime(2026, 11, 24, 2, tzinfo=timezone.utc)
        assert seen == [first, first + timedelta(seconds=1), None, None, first]


class TestErrorsTell:
    @pytest.mark.parametrize(
        ("answer", "kind"),
        [
            (reply({"code": 13000405, "msg": "Duplicate"}, 400), KooDriveConflictError),
            (reply(b"<html>"), KooDriveResponseError),
            (reply(b"{", 500), KooDriveServerError),
        ],
    )
    def test_the_call(self, answer, kind, caplog):
        caplog.set_level(logging.DEBUG, "airflow_provider_koodrive")
        with answering(answer) as server, pytest.raises(kind) as caught:
            token_client(server.url).request("POST", PATH, params={"a": "b"})
        error, trace_id = caught.value, server.requests[0].header("X-Traceid")
        assert (error.method, error.path, error.trace_id) == ("POST", PATH, trace_id)
        assert trace_id in str(error)
        assert f"POST {PATH}" in str(error)
        ours = [record for record in caplog.records if record.name.startswith("airflow_provider_koodrive")]
        assert ours
        assert all(trace_id in record.getMessage() for record in ours)

    def test_the_call_also_without_an_answer(self):
        with pytest.raises(KooDriveConnectionError) as caught:
            token_client(nobody()).request("GET", PATH)
        assert len(caught.value.trace_id) == 58
        assert caught.value.path == PATH

    def test_a_line_for_each_call_at_debug(self, server, caplog):
        caplog.set_level(logging.DEBUG, "airflow_provider_koodrive")
        token_client(server.url).request("GET", PATH)
        (message,) = caplog.messages
        assert message.startswith(f"GET {PATH} succeeded after ")
        assert server.requests[0].header("X-Traceid") in message

    def test_a_parse_error_is_one_of_the_call(self, server):
        def read(envelope):
            raise KooDriveResponseError("the answer has no groups")

        with pytest.raises(KooDriveResponseError) as caught:
            token_client(server.url).call(Endpoint("GET", PATH, (), read, "a page"))
        assert caught.value.trace_id == server.requests[0].header("X-Traceid")

    def test_a_caller_may_bring_the_trace_id(self, server):
        client = token_client(server.url)
        context = replace(client.new_context(), trace_id="a" * 58)
        client.call(Endpoint("GET", PATH, (), dict, "a page"), context=context)
        assert server.requests[0].header("X-Traceid") == "a" * 58
