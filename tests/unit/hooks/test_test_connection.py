"""The test button: each way to work and to fail, against the sandbox or a real socket."""

from __future__ import annotations

import json
import socket
import threading

import pytest
from support.raw_server import JSON, RawServer, always, reply
from support.tls import self_signed

from airflow_provider_koodrive.api import diagnosis
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
        assert f"connected with {kind} as user {user} (User 002), not a tenant administrator" in message
        assert "GroupSpaceListOperator does not" in message

    def test_it_reads_and_nothing_else_with_two_calls(self, koodrive_sandbox, press, administrator):
        assert press(administrator)[0]
        assert [call.method for call in koodrive_sandbox.calls] == ["GET", "GET"]

    def test_a_user_whose_name_is_not_told(self, koodrive_sandbox, press, administrator):
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


class TestCredentials:
    def test_wrong_secret(self, fails, administrator):
        message = fails({**administrator, "password": SECRET})
        assert "Check login (App ID), password (App secret) and extra user_id" in message
        assert SECRET not in message

    def test_unknown_app(self, fails, administrator):
        assert "Check login (App ID)" in fails({**administrator, "login": "no-such-app"})

    def test_unknown_user(self, fails, administrator):
        message = fails({**administrator, "extra": {"user_id": "1505084218764547999"}})
        assert "KooDrive does not know user '1505084218764547999'. Set extra user_id" in message

    def test_user_that_is_found_out_later(self, fails, administrator):
        """A KooDrive that lets an unknown user sign, as one that may do nothing."""

        def answer(exchange):
            listing = exchange.request.path.endswith("groupList")
            body = {"code": 13000410 if listing else 13000309, "msg": "no"}
            exchange.send(reply(body, 400, headers=[JSON]))

        with RawServer(answer) as server:
            message = fails({**administrator, "host": server.url})
        assert "KooDrive does not know user" in message

    def test_token_that_has_run_out(self, koodrive_sandbox, fails):
        token = koodrive_sandbox.issue_token(lifetime=-1)
        message = fails(koodrive_sandbox.connection_json(token=token))
        assert "An access token ends 20 minutes after its last call" in message
        assert "use app authentication (App ID, App secret, User ID), which schedules need" in message
        assert token not in message

    @pytest.mark.parametrize(
        ("ahead", "side"), [(3600, "behind"), (-3600, "ahead of"), (-20, "ahead of")], ids=str
    )
    def test_clock(self, koodrive_sandbox, fails, administrator, ahead, side):
        koodrive_sandbox.faults.add("*", "clock_skew", seconds=ahead)
        message = fails(administrator)
        off = abs(ahead)
        assert any(
            f"set this machine's clock right, which is {seconds} seconds {side} KooDrive's" in message
            for seconds in (off - 1, off, off + 1, off + 2)
        )

    def test_a_clock_that_is_right_is_not_blamed(self, fails, administrator):
        assert "clock" not in fails({**administrator, "password": SECRET})


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
            ({"password": "***"}, "password is ***, as which Airflow shows a secret; type the secret itself"),
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

    def test_a_proxys_password_is_not_shown(self, fails, administrator):
        proxies = {"http": f"http://user:{SECRET} @proxy:port"}
        message = fails({**administrator, "extra": {**administrator["extra"], "proxies": proxies}})
        assert "extra proxies is wrong: the proxy for 'http' must look like" in message
        assert SECRET not in message

    def test_file_of_authorities_that_is_not_there(self, fails):
        message = fails(at("https://127.0.0.1:1", verify="/no/such/authority.pem"))
        assert "/no/such/authority.pem" in message


class TestWay:
    def test_unknown_host(self, fails):
        message = fails(at("https://koodrive.invalid"))
        assert "the host's name is not known" in message
        assert "check the connection's host" in message

    def test_nothing_listens(self, fails):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            message = fails(at(f"http://127.0.0.1:{free.getsockname()[1]}"))
        assert "Connection refused" in message
        assert "check the connection's host and port: nothing answers there" in message

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
        assert "TLS failed" in message
        assert "check the connection's host and port" in message

    def test_proxy_that_is_not_there(self, fails):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            proxy = f"http://user:{SECRET}@127.0.0.1:{free.getsockname()[1]}"
            message = fails(at("https://koodrive.invalid", proxies={"https": proxy}))
        assert "the proxy refused" in message
        assert "check the connection's extra proxies" in message
        assert SECRET not in message

    def test_proxy_that_refuses(self, fails):
        refuse = always(reply(status=407, headers=[("Proxy-Authenticate", "Basic")]))
        with RawServer(refuse) as proxy:
            proxies = {"https": f"http://user@127.0.0.1:{proxy.port}"}
            message = fails(at("https://koodrive.invalid", proxies=proxies, proxy_password=SECRET))
            assert proxy.requests[0].method == "CONNECT"
            assert proxy.requests[0].has("Proxy-Authorization")
        assert "407" in message
        assert "check the connection's extra proxies" in message
        assert SECRET not in message

    def test_server_that_does_not_answer(self, fails, monkeypatch):
        monkeypatch.setattr(diagnosis, "SECONDS", 1.5)
        with RawServer(lambda exchange: exchange.hang()) as server:
            message = fails(at(server.url))
        assert "If that stays, check the connection's host, port and proxies" in message

    def test_look_up_that_does_not_end(self, fails, monkeypatch):
        """No time-out of ours reaches into the resolver."""
        end = threading.Event()
        monkeypatch.setattr(diagnosis, "SECONDS", 1.5)
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: end.wait() and [])
        try:
            assert "no answer within" in fails(at("https://koodrive.example.com"))
        finally:
            end.set()

    def test_ten_seconds_are_the_most(self):
        assert diagnosis.SECONDS < 10


class TestOtherEnd:
    @pytest.mark.parametrize(
        "fault",
        [{"kind": "wrong_type_json"}, {"kind": "truncated_json"}, {"kind": "redirect"}],
        ids=lambda fault: fault["kind"],
    )
    def test_answer_that_is_not_koodrives(self, koodrive_sandbox, fails, administrator, fault):
        koodrive_sandbox.faults.add("*", **fault)
        assert "Check the connection's host, port and proxies" in fails(administrator)

    @pytest.mark.parametrize("body", [{"code": 0}, {"code": 0, "data": {"groups": []}}], ids=str)
    def test_another_service_with_a_similar_envelope(self, fails, body):
        with RawServer(always(reply(body, headers=[JSON]))) as server:
            assert "a list of group spaces has other fields" in fails(at(server.url))

    @pytest.mark.parametrize("status", [401, 403])
    def test_gateway_that_refuses(self, koodrive_sandbox, fails, administrator, status):
        koodrive_sandbox.faults.add("*", "gateway_html", status=status)
        message = fails(administrator)
        assert "This comes from something before KooDrive" in message
        assert "tenant administrator" not in message

    @pytest.mark.parametrize(
        "kind", ["error_500_before", "error_503_retry_after", "throttle_429", "gateway_html"]
    )
    def test_trouble_that_may_pass(self, koodrive_sandbox, fails, administrator, kind):
        koodrive_sandbox.faults.add("*", kind)
        assert "Try again in a minute" in fails(administrator)
        assert len(koodrive_sandbox.calls) == 1
