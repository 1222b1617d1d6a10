"""The test button: each way to work and to fail, against the sandbox or a real socket."""

from __future__ import annotations

import json
import re
import socket
import threading
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextvars import ContextVar
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from importlib.util import find_spec

import pytest
from rich.markup import render
from support.raw_server import JSON, RawServer, always, reply
from support.tls import self_signed

from airflow_provider_koodrive.connection import check
from airflow_provider_koodrive.hooks import koodrive
from airflow_provider_koodrive.hooks.koodrive import KooDriveHook

CONN_ID = "koodrive_button"
SECRET = "s3cr3tOfTheButton"


@pytest.fixture
def press(monkeypatch):
    """Press the button on a connection, given as JSON text or as a dictionary."""

    def press(connection):
        text = connection if isinstance(connection, str) else json.dumps(connection)
        monkeypatch.setenv(f"AIRFLOW_CONN_{CONN_ID.upper()}", text)
        works, message = KooDriveHook(CONN_ID).test_connection()
        assert isinstance(works, bool)
        assert 0 < len(message) < 2000
        return works, message

    return press


@pytest.fixture
def fails(press):
    def fails(connection):
        works, message = press(connection)
        assert not works
        return message

    return fails


@pytest.fixture
def administrator(koodrive_sandbox):
    return json.loads(koodrive_sandbox.connection_json())


def at(url, *, token=SECRET, **extra):
    return {"conn_type": "koodrive", "host": url, "password": token, "extra": extra}


def answering(*, listing, other=None):
    """A server that answers the list of group spaces so, and all else otherwise: status and body each."""
    replies = [reply(body, status, headers=[JSON]) for status, body in (listing, other or listing)]
    return lambda exchange: exchange.send(replies[0 if exchange.request.path.endswith("groupList") else 1])


NOT_ADMINISTRATOR = (400, {"code": 13000410, "msg": "No permission."})
SESSION = (200, {"code": 0, "data": {"innerUserId": "1505", "userName": "Eve"}})
OWN_SPACES = (200, {"code": 0, "total": 0, "teams": []})


class TestWorks:
    @pytest.mark.parametrize("kind", ["app authentication", "an access token"])
    def test_as_tenant_administrator(self, koodrive_sandbox, press, kind):
        token = koodrive_sandbox.issue_token() if "token" in kind else None
        works, message = press(koodrive_sandbox.connection_json(token=token))
        user = koodrive_sandbox.admin_user_id
        assert works
        assert message == (
            f"{koodrive_sandbox.url}: connected with {kind} as user {user} (Tenant Administrator), "
            "a tenant administrator: creating and listing group spaces works"
        )

    @pytest.mark.parametrize("kind", ["app authentication", "an access token"])
    def test_as_somebody_else(self, koodrive_sandbox, press, kind):
        user = koodrive_sandbox.user_ids[1]
        token = koodrive_sandbox.issue_token(user) if "token" in kind else None
        works, message = press(koodrive_sandbox.connection_json(user_id=user, token=token))
        assert works
        # The documents promise a user's name to that user's session only.
        name = " (User 002)" if "token" in kind else ""
        assert f"connected with {kind} as user {user}{name}, not a tenant administrator" in message
        assert "GroupSpaceListOperator does not" in message

    @pytest.mark.parametrize("kind", ["app authentication", "an access token"])
    def test_somebody_else_asks_for_nothing_that_needs_rights(self, koodrive_sandbox, press, kind):
        user = koodrive_sandbox.user_ids[1]
        token = koodrive_sandbox.issue_token(user) if "token" in kind else None
        press(koodrive_sandbox.connection_json(user_id=user, token=token))
        second = "/koodrive/ose/v1/" + ("session/auth" if token else "space/teamList")
        assert [call.path for call in koodrive_sandbox.calls] == [
            "/koodrive/ose/v1/space/groupList",
            second,
        ]
        assert {call.method for call in koodrive_sandbox.calls} == {"GET"}

    def test_it_reads_and_nothing_else_with_two_calls(self, koodrive_sandbox, press, administrator):
        assert press(administrator)[0]
        assert [call.method for call in koodrive_sandbox.calls] == ["GET", "GET"]

    def test_a_user_without_a_name(self, koodrive_sandbox, press, administrator):
        koodrive_sandbox.faults.add("user", "error_500_before")
        works, message = press(administrator)
        assert works
        assert f"as user {koodrive_sandbox.admin_user_id}, a tenant administrator" in message

    def test_a_name_that_holds_the_secret(self, press):
        def answer(exchange):
            body = {"code": 0, "groups": [], "data": {"userName": f"Eve {SECRET}"}}
            exchange.send(reply(body, headers=[JSON]))

        with RawServer(answer) as server:
            works, message = press(at(server.url))
        assert works
        assert "its user (Eve ***)" in message
        assert SECRET not in message

    def test_a_long_name_leaves_room_for_the_verdict(self, press):
        body = {"code": 0, "groups": [], "data": {"userName": "x" * 3000}}
        with RawServer(always(reply(body, headers=[JSON]))) as server:
            works, message = press(at(server.url))
        assert works
        assert "a tenant administrator: creating and listing group spaces works" in message
        assert "x" * 100 in message
        assert "x" * 101 not in message

    @pytest.mark.parametrize("refusal", [NOT_ADMINISTRATOR, (403, {"code": 403, "message": "Forbidden"})])
    @pytest.mark.parametrize("kind", ["app authentication", "an access token"])
    def test_a_refusal_and_an_answer_of_koodrives(self, administrator, press, kind, refusal):
        """The documents name no code for those who are no administrators."""
        token = "token" in kind
        with RawServer(answering(listing=refusal, other=SESSION if token else OWN_SPACES)) as server:
            works, message = press(at(server.url) if token else {**administrator, "host": server.url})
        assert works
        assert "not a tenant administrator" in message

    @pytest.mark.parametrize(
        "body",
        [{"code": 0, "groups": []}, {"groups": []}, {"code": 0, "groups": None, "groupsTotal": 0}],
        ids=str,
    )
    def test_an_enterprise_without_spaces(self, press, body):
        with RawServer(answering(listing=(200, body), other=SESSION)) as server:
            assert press(at(server.url))[0]


class TestRefusedEverything:
    """Whoever answers, KooDrive did not let this user do anything."""

    @pytest.fixture(params=["app authentication", "an access token"])
    def connection(self, request, administrator):
        return administrator if "app" in request.param else at("")

    @pytest.mark.parametrize(
        "body",
        [
            {"code": 403, "message": "Forbidden"},
            {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Forbidden", "code": 403},
            {"code": "APIGW.0302", "msg": "The IP address is not authorized"},
            {"message": "Forbidden"},
        ],
        ids=["firewall", "Kubernetes", "gateway", "no code"],
    )
    def test_by_something_before_koodrive(self, fails, connection, body):
        with RawServer(always(reply(body, 403, headers=[JSON]))) as server:
            message = fails({**connection, "host": server.url})
        assert "Check the connection's host and proxies: a proxy or a gateway may have responded" in message
        assert "connected" not in message

    def test_by_koodrive(self, fails, connection):
        with RawServer(answering(listing=NOT_ADMINISTRATOR)) as server:
            message = fails({**connection, "host": server.url})
        assert message.startswith("Let KooDrive's administrator check that the user is active")

    @pytest.mark.parametrize(
        ("second", "words"),
        [
            ((502, b"<html>"), "Try again in a minute"),
            ((500, {"code": 13000201}), "Try again in a minute"),
            ((200, b"<html>"), "Check the connection's host and proxies"),
            ((200, {"code": 0}), "the HTTP response is not KooDrive's"),
            ((200, {"code": 0, "data": []}), "the HTTP response is not KooDrive's"),
            ((200, {"code": 0, "data": {}}), "the HTTP response is not KooDrive's"),
            ((401, {"code": "APIGW.0301"}), "KooDrive does not accept the credentials"),
        ],
        ids=str,
    )
    def test_and_the_second_call_failed(self, fails, connection, second, words):
        with RawServer(answering(listing=NOT_ADMINISTRATOR, other=second)) as server:
            assert words in fails({**connection, "host": server.url})

    @pytest.mark.parametrize(
        ("status", "body", "words"),
        [
            (404, {"code": 404}, "a proxy or a gateway may have responded"),
            (400, {"code": -1}, "a proxy or a gateway may have responded"),
            (200, {"code": 200, "data": []}, "a proxy or a gateway may have responded"),
            (400, {"code": 13000102}, "Let KooDrive's administrator check that the user is active"),
            (400, {"code": 13000412}, "Let KooDrive's administrator check that the user is active"),
            (409, {"code": 13000405}, "Let KooDrive's administrator check that the user is active"),
        ],
    )
    def test_for_another_reason(self, fails, connection, status, body, words):
        with RawServer(always(reply(body, status, headers=[JSON]))) as server:
            assert words in fails({**connection, "host": server.url})


class TestCredentials:
    def test_wrong_secret(self, fails, administrator):
        message = fails({**administrator, "password": SECRET})
        assert "Check login (App ID), password (App secret) and extra user_id" in message
        assert SECRET not in message

    def test_unknown_app(self, fails, administrator):
        assert "Check login (App ID)" in fails({**administrator, "login": "no-such-app"})

    def test_unknown_user(self, fails, administrator):
        message = fails({**administrator, "extra": {"user_id": "1505084218764547999"}})
        assert "Check login (App ID), password (App secret) and extra user_id" in message

    @pytest.mark.parametrize(
        "password", [f" {SECRET}", f"{SECRET} ", f"{SECRET}\n"], ids=["start", "end", "line"]
    )
    def test_blanks_around_the_password(self, fails, administrator, password):
        message = fails({**administrator, "password": password})
        assert "Remove the blank or line break at the start or end of the password" in message
        assert SECRET not in message

    @pytest.mark.parametrize("login", [" {}", "{} "], ids=["start", "end"])
    def test_blanks_around_the_login(self, fails, administrator, login):
        message = fails({**administrator, "login": login.format(administrator["login"])})
        assert "Remove the blank or line break at the start or end of the login" in message
        assert "the password" not in message

    def test_no_blanks_around_the_password(self, fails, administrator):
        assert "blank" not in fails({**administrator, "password": SECRET})

    def test_answer_without_a_date(self, fails, administrator):
        body = {"code": "APIGW.0303", "msg": "refused"}
        with RawServer(always(reply(body, 401, headers=[JSON]))) as server:
            message = fails({**administrator, "host": server.url})
        assert "extra user_id, and this machine's clock." in message

    def test_token_that_has_run_out(self, koodrive_sandbox, fails):
        token = koodrive_sandbox.issue_token(lifetime=-1)
        message = fails(koodrive_sandbox.connection_json(token=token))
        assert message.startswith("Put a new access token into password, since one ends 20 minutes after")
        assert "schedules need app authentication" in message
        assert token not in message

    @pytest.mark.parametrize(
        ("ahead", "off"),
        [
            (3600, r"3[56]\d\d seconds behind"),
            (-3600, r"36\d\d seconds ahead of"),
            (-20, r"\d\d seconds ahead of"),
        ],
        ids=str,
    )
    def test_clock(self, koodrive_sandbox, press, administrator, ahead, off):
        """Requests are signed with KooDrive's time, so the connection works all the same."""
        koodrive_sandbox.faults.add("*", "clock_skew", seconds=ahead)
        works, message = press(administrator)
        assert works
        assert re.search(f"; set this machine's clock right: it is {off} KooDrive's$", message), message
        assert message.count("clock") == 1

    def test_clock_and_secret(self, koodrive_sandbox, fails, administrator):
        koodrive_sandbox.faults.add("*", "clock_skew", seconds=-3600)
        message = fails({**administrator, "password": SECRET})
        assert re.match(
            r"Set this machine's clock right: it is 36\d\d seconds ahead of KooDrive's\. ", message
        )

    def test_a_clock_that_is_right_is_not_blamed(self, fails, administrator):
        assert "clock" not in fails({**administrator, "password": SECRET})


# KooDrive's documents name no code for a token or a signature that is not accepted, say that 400 stands for
# it, and that errors may come with 200.
MAY_BE_THE_CREDENTIALS = [
    (401, {"code": 13009999}),
    (401, {"code": 13000410}),
    (401, {"code": "APIGW.9999"}),
    (401, {"error_code": "APIG.0303", "error_msg": "signature expired"}),
    (401, b"<html>"),
    (401, b""),
    (400, {"code": 13009999}),
    (400, {"code": "APIG.0303"}),
    (400, {"code": -1}),
    (400, {"error_code": "APIG.0303"}),
    (400, b"<html>"),
    (403, {"code": "APIGW.0302"}),
    (403, {"code": 13009999}),
    (403, b"<html>"),
    (200, {"code": 13009999}),
    (200, {"code": "APIGW.9999"}),
    (200, {"code": 401}),
    (500, {"code": "APIGW.0303"}),
]
MEANS_SOMETHING_ELSE = [
    (400, {"code": 13000102}),
    (400, {"code": "13000410"}),
    (403, {"code": 13000412}),
    (200, {"code": 13000301}),
    (400, {"code": 13000309}),
    (429, {"code": "APIGW.9999"}),
    (200, {"code": "APIGW.0308"}),
    (500, {"code": 13009999}),
    (502, b"<html>"),
    (302, b""),
    (200, b"<html>"),
    (407, {"code": 407}),
]


class TestRefusalsWithoutAKnownCode:
    @pytest.fixture
    def refuse(self, fails):
        def refuse(connection, status, body, *, hours=0):
            date = format_datetime(datetime.now(timezone.utc) + timedelta(hours=hours), usegmt=True)
            with RawServer(always(reply(body, status, headers=[JSON, ("Date", date)]))) as server:
                return fails({**connection, "host": server.url})

        return refuse

    @pytest.mark.parametrize(("status", "body"), MAY_BE_THE_CREDENTIALS, ids=str)
    def test_credentials(self, refuse, administrator, status, body):
        message = refuse({**administrator, "password": f"{SECRET} "}, status, body)
        assert "Check login (App ID), password (App secret)" in message
        assert "at the start or end of the password" in message
        assert "clock" not in message

    @pytest.mark.parametrize(("status", "body"), MAY_BE_THE_CREDENTIALS, ids=str)
    def test_token(self, refuse, status, body):
        """A token does not depend on the clock."""
        message = refuse(at(""), status, body, hours=-3)
        assert "Put a new access token into password" in message
        assert "clock" not in message

    @pytest.mark.parametrize(("status", "body"), [*MAY_BE_THE_CREDENTIALS, (404, {"code": 404})], ids=str)
    def test_clock(self, refuse, administrator, status, body):
        message = refuse(administrator, status, body, hours=-3)
        assert re.match(r"Set this machine's clock right: it is 108\d\d seconds ahead of", message)
        assert message.count("clock") == 1

    @pytest.mark.parametrize(("status", "body"), MEANS_SOMETHING_ELSE, ids=str)
    @pytest.mark.parametrize("kind", ["app authentication", "an access token"])
    def test_neither(self, refuse, administrator, kind, status, body):
        message = refuse(at("") if "token" in kind else administrator, status, body, hours=-3)
        assert "App secret" not in message
        assert "access token" not in message
        assert "clock" not in message

    def test_a_long_answer_leaves_room_for_the_advice(self, refuse, administrator):
        body = {"code": "\\" * 300, "msg": "\\" * 300}
        message = refuse({**administrator, "password": f"{SECRET} "}, 401, body, hours=-3)
        assert "clock" in message
        assert "at the start or end of the password" in message
        assert re.search(r", trace id [0-9a-f]{58}\)$", message)


def without_blanks(text):
    """Nor backslashes, which rich takes for its own before a bracket."""
    return re.sub(r"[\\ ]", "", text)


class TestMarkup:
    """`airflow connections test` prints the text as rich's markup."""

    @pytest.mark.parametrize(
        "words",
        [
            "[/x]",
            "a [bold]b[/bold]",
            "[link=https://x.example.com]",
            "[#ff0000]",
            "[@click=f()]",
            "\\[/x]",
            "[[/x]]",
        ],
    )
    @pytest.mark.parametrize("form", ["msg", "page", "name"])
    def test_an_answer(self, press, words, form):
        body, status = {
            "msg": ({"code": 7, "msg": words}, 400),
            "page": (words.encode(), 400),
            "name": ({"code": 0, "groups": [], "data": {"userName": words}}, 200),
        }[form]
        with RawServer(always(reply(body, status, headers=[JSON]))) as server:
            message = press(at(server.url))[1]
        assert without_blanks(render(message, emoji=False).plain) == without_blanks(message)
        assert without_blanks(words) in without_blanks(message)

    def test_a_field(self, fails, administrator):
        message = fails({**administrator, "extra": {"user_id": "1", "deadline": "[/soon]"}})
        assert "extra deadline '[ /soon]' is wrong" in render(message).plain

    def test_many_tags(self, fails):
        body = {"code": "[a" * 200, "msg": "[a" * 200}
        with RawServer(always(reply(body, 401, headers=[JSON]))) as server:
            assert "20 minutes" in fails(at(server.url))

    def test_other_brackets_stay(self, fails):
        assert "http://[::1]:1" in fails(at("http://[::1]:1"))


class TestConnectionFields:
    def test_no_such_connection(self):
        works, message = KooDriveHook("koodrive_nowhere").test_connection()
        assert not works
        assert "there is no connection 'koodrive_nowhere'" in message

    @pytest.mark.parametrize(
        "text",
        [f'{{"conn_type": "koodrive", "password": "{SECRET}"', f"koodrive://id:p{SECRET}#@x:{SECRET}/"],
        ids=["JSON", "URI"],
    )
    def test_connection_that_cannot_be_read(self, fails, text):
        assert SECRET not in fails(text)

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            ({"extra": {}}, "extra user_id is missing"),
            ({"password": ""}, "password is empty"),
            ({"password": "***"}, "password is ***, which Airflow shows in the place of a secret"),
            ({"extra": {"user_id": "1", "token_prefix": "***"}}, "extra token_prefix is ***"),
            ({"host": "https://koodrive.example.com/path"}, "has a path"),
            ({"host": "http://koodrive.example.com"}, "without TLS"),
            ({"extra": {"user_id": "1", "deadline": "soon"}}, "extra deadline 'soon' is wrong"),
            ({"login": "with\nline"}, "login holds a line break"),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    def test_the_field_is_named_and_not_the_buttons_own_connection_id(
        self, fails, administrator, change, words
    ):
        message = fails({**administrator, **change})
        assert words in message
        assert CONN_ID not in message

    @pytest.mark.parametrize(
        "change", [{"password": ""}, {"password": "***"}, {"extra": {"proxy_password": "***"}}]
    )
    def test_a_saved_secret_that_the_form_does_not_send(self, fails, administrator, change):
        message = fails({**administrator, **change})
        assert "type it again, or use `airflow connections test`" in message

    def test_a_secret_in_the_host_is_not_shown(self, fails, administrator):
        assert SECRET not in fails({**administrator, "host": f"https://app:{SECRET}/x@drive.example.com"})

    def test_a_proxys_password_is_not_shown(self, fails, administrator):
        proxies = {"http": f"http://user:{SECRET} @proxy:port"}
        message = fails({**administrator, "extra": {**administrator["extra"], "proxies": proxies}})
        assert "extra proxies is wrong: the proxy for 'http' must look like" in message
        assert SECRET not in message

    def test_file_of_authorities_that_is_not_there(self, fails):
        message = fails(at("https://127.0.0.1:1", verify="/no/such/authority.pem"))
        assert "/no/such/authority.pem" in message
        assert message.startswith("Check extra verify")

    def test_a_fault_of_the_test_itself(self, fails, administrator, monkeypatch):
        monkeypatch.setattr(check, "_examine", lambda *_: {}["s3cr3t"])
        message = fails(administrator)
        assert "the test itself failed (KeyError)" in message
        assert "there is no connection" not in message
        assert "s3cr3t" not in message


def after(reading):
    """Deadlines that are looked at when so many seconds have passed."""

    class AfterReading:
        def __init__(self, seconds):
            self.seconds = seconds

        def left(self):
            return max(0.0, self.seconds - reading)

    return AfterReading


class TestWay:
    """With a small ``CALLS_SHARE`` the calls end long before the test does, also on a busy machine."""

    def test_unknown_host(self, fails):
        message = fails(at("https://koodrive.invalid"))
        assert "the host's name is not known" in message
        assert message.startswith("Check the connection's host")

    def test_nothing_listens(self, fails):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            message = fails(at(f"http://127.0.0.1:{free.getsockname()[1]}"))
        assert "Connection refused" in message
        assert message.startswith("Check the connection's host and port: nothing listens there")

    def test_tls_that_is_not_trusted(self, tmp_path, fails, press):
        context, trusted = self_signed(tmp_path)
        with RawServer(always(reply({"code": 0, "groups": [], "data": {}})), tls=context) as server:
            message = fails(at(server.url))
            assert press(at(server.url, verify=trusted))[0]
        assert "TLS failed" in message
        assert "certificate" in message
        assert "set extra verify to the path of that authority's certificate" in message

    def test_no_tls_at_the_other_end(self, koodrive_sandbox, fails):
        message = fails(at(koodrive_sandbox.url.replace("http", "https")))
        assert message.startswith("This port does not speak TLS: check the connection's host and port")

    def test_a_port_that_says_nothing_to_tls(self, fails):
        with RawServer(always(b""), greet=lambda new: new.hang()) as server:
            url = server.url.replace("http:", "https:")
            assert "this port may not speak TLS" in fails(at(url, connect_timeout=0.1))

    def test_tls_at_the_other_end(self, tmp_path, fails):
        context, _ = self_signed(tmp_path)
        with RawServer(always(b""), tls=context) as server:
            message = fails(at(server.url.replace("https:", "http:")))
        assert "write https:// before the host" in message

    def test_tls_at_the_other_end_that_says_so(self, fails):
        page = b"<html>The plain HTTP request was sent to HTTPS port</html>"
        with RawServer(always(reply(page, 400))) as server:
            assert "write https:// before the host" in fails(at(server.url))

    @pytest.mark.parametrize("body", [b"<html>", {"code": 407}], ids=str)
    def test_proxy_that_refuses_a_plain_request(self, fails, body):
        with RawServer(always(reply(body, 407))) as proxy:
            proxies = {"http": f"http://user@127.0.0.1:{proxy.port}"}
            message = fails(
                at("http://koodrive.invalid", allow_http=True, proxies=proxies, proxy_password=SECRET)
            )
        assert message.startswith("Check extra proxies and extra proxy_password")
        assert SECRET not in message

    def test_proxy_that_does_not_answer(self, fails, monkeypatch):
        monkeypatch.setattr(check, "CALLS_SHARE", 0.1)
        with RawServer(lambda exchange: exchange.hang()) as proxy:
            message = fails(at("https://koodrive.invalid", proxies={"https": proxy.url}))
        assert "proxies" in message

    def test_socks(self, fails):
        if find_spec("socks"):
            pytest.skip("SOCKS works here")
        message = fails(at("https://koodrive.invalid", proxies={"https": "socks5h://127.0.0.1:1"}))
        assert message.startswith("For the proxy in extra proxies, pip install pysocks")

    def test_short_deadline(self, fails):
        with RawServer(lambda exchange: exchange.hang()) as server:
            message = fails(at(server.url, deadline=0.2))
        assert message.startswith("Check the connection's host, port, proxies and deadline")

    def test_proxy_that_is_not_there(self, fails):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            proxy = f"http://user:{SECRET}@127.0.0.1:{free.getsockname()[1]}"
            message = fails(at("https://koodrive.invalid", proxies={"https": proxy}))
        assert "the proxy refused" in message
        assert message.startswith("Check the connection's extra proxies")
        assert SECRET not in message

    def test_proxy_that_refuses(self, fails):
        refuse = always(reply(status=407, headers=[("Proxy-Authenticate", "Basic")]))
        with RawServer(refuse) as proxy:
            proxies = {"https": f"http://user@127.0.0.1:{proxy.port}"}
            message = fails(at("https://koodrive.invalid", proxies=proxies, proxy_password=SECRET))
            assert proxy.requests[0].method == "CONNECT"
            assert proxy.requests[0].has("Proxy-Authorization")
        assert "407" in message
        assert message.startswith("Check the connection's extra proxies")
        assert SECRET not in message

    def test_server_that_does_not_answer(self, fails, monkeypatch):
        """The calls end before the test of the connection, since their errors say more."""
        monkeypatch.setattr(check, "CALLS_SHARE", 0.02)
        with RawServer(lambda exchange: exchange.hang()) as server:
            message = fails(at(server.url))
        assert message.startswith("Check the connection's host, port, proxies and deadline")

    def test_look_up_that_does_not_end(self, fails, monkeypatch):
        """No timeout reaches into the resolver, so the test gives up beside it."""
        end = threading.Event()
        real = check.check_client
        monkeypatch.setattr(
            check, "check_client", lambda client, *, seconds, hints: real(client, seconds=0.2)
        )
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: end.wait() and [])
        try:
            assert "koodrive.example.com: no answer in" in fails(at("https://koodrive.example.com"))
        finally:
            end.set()

    def test_secrets_backend_that_does_not_answer(self, press, administrator, monkeypatch):
        end = threading.Event()
        monkeypatch.setattr(check, "SECONDS", 0.2)
        monkeypatch.setattr(KooDriveHook, "get_connection", lambda *_: end.wait() and None)
        try:
            works, message = press(administrator)
        finally:
            end.set()
        assert not works
        assert "could not be read in" in message
        assert message.startswith("Check Airflow's secrets backends")

    @pytest.mark.parametrize("error", [TimeoutError, FutureTimeoutError, ValueError])
    def test_secrets_backend_that_fails(self, press, administrator, monkeypatch, error):
        def fail(*_):
            raise error(SECRET)

        monkeypatch.setattr(KooDriveHook, "get_connection", fail)
        works, message = press(administrator)
        assert not works
        assert "it cannot be read" in message
        assert SECRET not in message

    def test_the_connection_is_read_in_the_callers_context(self, press, administrator, monkeypatch):
        """Airflow keeps the running task in a context variable."""
        variable = ContextVar("variable", default=None)
        variable.set("the caller's")
        seen = []
        read = KooDriveHook.get_connection
        monkeypatch.setattr(
            KooDriveHook, "get_connection", lambda _, conn_id: (seen.append(variable.get()), read(conn_id))[1]
        )
        assert press(administrator)[0]
        assert seen == ["the caller's"]

    @pytest.mark.parametrize("in_task", [False, True])
    @pytest.mark.parametrize("reading", [7.5, 8.95, 12])
    def test_a_connection_that_was_read_slowly(self, fails, administrator, monkeypatch, reading, in_task):
        """Too little time is left to try it, which is no fault of the network."""
        monkeypatch.setattr(check, "Deadline", after(reading))
        monkeypatch.setattr(koodrive, "_is_in_task", lambda: in_task)
        message = fails(administrator)
        assert message == (
            "Check Airflow's secrets backends and its database. The connection could not be read in 7 seconds"
        )

    @pytest.mark.parametrize("reading", [0, 5, 7])
    @pytest.mark.parametrize("seconds", [0.5, 86400])
    def test_ten_seconds_are_the_most(self, press, administrator, monkeypatch, seconds, reading):
        """The time limits of the client and of the test, after the connection was read slowly."""
        limits = []

        def check_client(client, *, seconds, hints):
            limits.append((client, seconds))
            return True, "connected"

        monkeypatch.setattr(check, "Deadline", after(reading))
        monkeypatch.setattr(check, "check_client", check_client)
        times = dict.fromkeys(("connect_timeout", "read_timeout", "deadline"), seconds)
        extra = {**administrator["extra"], "max_attempts": 100, **times}
        assert press({**administrator, "extra": extra}) == (True, "connected")
        ((client, watched),) = limits
        assert client.max_attempts == 1
        assert 0 < client.new_context().deadline.left() < watched
        assert reading + watched < 10


class TestOtherEnd:
    @pytest.mark.parametrize(
        "fault",
        [{"kind": "wrong_type_json"}, {"kind": "truncated_json"}, {"kind": "redirect"}],
        ids=lambda fault: fault["kind"],
    )
    def test_answer_that_is_not_koodrives(self, koodrive_sandbox, fails, administrator, fault):
        koodrive_sandbox.faults.add("*", **fault)
        assert fails(administrator).startswith("Check the connection's host and proxies")

    @pytest.mark.parametrize(
        "body",
        [
            {"code": 0},
            {"code": 0, "data": {"groups": []}},
            {"code": 0, "total": 0, "data": []},
            {"code": 0, "groups": None, "total": "x"},
            {"code": 0, "groups": {"a": 1}, "groupsTotal": "many"},
            {"code": 0, "groups": "", "groupsMax": True},
        ],
        ids=str,
    )
    def test_another_service_with_a_similar_envelope(self, fails, body):
        with RawServer(always(reply(body, headers=[JSON]))) as server:
            assert "a list of group spaces has other fields" in fails(at(server.url))

    def test_another_service_without_a_code(self, fails):
        with RawServer(always(reply({"total": 3, "items": []}, headers=[JSON]))) as server:
            assert fails(at(server.url)).startswith("Check the connection's host and proxies")

    def test_a_list_that_looks_right_and_a_page(self, fails, administrator):
        """Such as a mirror of a few paths only."""
        with RawServer(answering(listing=(200, {"code": 0, "groups": []}), other=(200, b"<html>"))) as server:
            assert "the HTTP response is not KooDrive's" in fails({**administrator, "host": server.url})

    @pytest.mark.parametrize("status", [401, 403])
    def test_gateway_that_refuses(self, koodrive_sandbox, fails, administrator, status):
        koodrive_sandbox.faults.add("*", "gateway_html", status=status)
        message = fails(administrator)
        assert "a proxy or a gateway may have responded" in message
        assert "tenant administrator" not in message

    @pytest.mark.parametrize(
        ("kind", "words"),
        [
            ("error_500_before", "Try again in a minute"),
            ("error_503_retry_after", "Try again in a minute"),
            ("gateway_html", "Try again in a minute"),
            ("throttle_429", "Wait a minute"),
        ],
    )
    def test_errors_that_may_pass(self, koodrive_sandbox, fails, administrator, kind, words):
        koodrive_sandbox.faults.add("*", kind)
        assert fails(administrator).startswith(words)
        assert len(koodrive_sandbox.calls) == 1
