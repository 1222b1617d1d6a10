"""The meaning of a connection's failure, on real sockets: above all whether the request may have left."""

from __future__ import annotations

import socket
from contextlib import contextmanager
from importlib.util import find_spec

import pytest
from support.clients import token_client
from support.raw_server import JSON, RawServer, always, reply
from support.tls import self_signed

from airflow_provider_koodrive.exceptions import (
    KooDriveConfigError,
    KooDriveConnectionError,
    KooDriveError,
    KooDriveResponseError,
)

PATH = "/koodrive/ose/v1/space/group"
SUCCESS = reply({"code": 0}, headers=[JSON])
SHORT = {"connect_timeout": 0.3, "read_timeout": 0.3, "max_attempts": 2}


@pytest.fixture(scope="module")
def tls(tmp_path_factory):
    return self_signed(tmp_path_factory.mktemp("tls"))


@pytest.fixture(autouse=True)
def _no_proxy_of_the_machine(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def nobody() -> str:
    """The address of a port on which nothing listens."""
    with RawServer(always(SUCCESS)) as server:
        return server.url


@contextmanager
def nobody_accepts(address: tuple[str, int] = ("127.0.0.1", 0)):
    """A listener whose queue is full, so that a connection takes for ever."""
    with socket.create_server(address, backlog=0) as listener:
        address = listener.getsockname()
        waiting = []
        for _ in range(8):
            sock = socket.socket()
            sock.setblocking(False)
            sock.connect_ex(address)
            waiting.append(sock)
        yield f"http://127.0.0.1:{address[1]}"
        for sock in waiting:
            sock.close()


def failure(url: str, method: str, caplog, **options) -> tuple[KooDriveConnectionError, int]:
    """The error of a call, and the number of attempts."""
    caplog.clear()
    with pytest.raises(KooDriveConnectionError) as caught:
        token_client(url, **{**SHORT, **options}).request(method, PATH, json={} if method == "POST" else None)
    return caught.value, 1 + len([record for record in caplog.records if "Attempt" in record.getMessage()])


def check_not_sent(url: str, caplog, match: str, **options) -> None:
    for method in ("POST", "GET"):
        error, attempts = failure(url, method, caplog, **options)
        assert error.sent is False
        assert attempts == 2
        assert match in str(error)


class TestTheRequestDidNotLeave:
    def test_unknown_host(self, caplog):
        check_not_sent("http://koodrive.invalid", caplog, "the host's name is not known")

    def test_nothing_listens(self, caplog):
        check_not_sent(nobody(), caplog, "the host cannot be reached")

    def test_nothing_listens_at_an_address_of_ipv6(self, caplog):
        url = nobody().replace("127.0.0.1", "[::1]")
        check_not_sent(url, caplog, "the host cannot be reached")

    def test_connection_takes_too_long(self, caplog):
        with nobody_accepts() as url:
            check_not_sent(url, caplog, "the host did not accept the connection in time")

    def test_tls_with_a_server_that_speaks_none(self, caplog):
        def greet(exchange):
            exchange.send(reply(b"Bad Request", 400))
            return True

        with RawServer(always(b""), greet=greet) as server:
            url = server.url.replace("http:", "https:")
            check_not_sent(url, caplog, "TLS failed")
            check_not_sent(url, caplog, "this port does not speak TLS: check the connection's host and port")
            error, _ = failure(url, "GET", caplog)
            assert "authority" not in str(error)

    def test_tls_with_a_server_that_says_nothing(self, caplog):
        with RawServer(always(b""), greet=lambda new: new.hang()) as server:
            url = server.url.replace("http:", "https:")
            check_not_sent(url, caplog, "the TLS handshake was not answered")
            check_not_sent(url, caplog, "this port may not speak TLS")
            error, _ = failure(url, "GET", caplog)
            assert "read_timeout" not in str(error)

    def test_tls_that_nobody_has_signed(self, tls, caplog):
        with RawServer(always(SUCCESS), tls=tls[0]) as server:
            check_not_sent(server.url, caplog, "TLS failed")
            assert server.requests == []

    def test_tls_for_another_host(self, tmp_path, caplog):
        context, trusted = self_signed(tmp_path, "127.0.0.2")
        with RawServer(always(SUCCESS), tls=context) as server:
            check_not_sent(server.url, caplog, "TLS failed", verify=trusted)

    @pytest.mark.parametrize("end", ["hang", "close", "reset"])
    def test_tls_handshake_that_does_not_end(self, tls, end, caplog):
        with RawServer(always(SUCCESS), tls=tls[0], greet=lambda new: getattr(new, end)()) as server:
            check_not_sent(server.url, caplog, "")

    @pytest.mark.parametrize("scheme", ["http", "https"])
    def test_no_proxy_there(self, scheme, caplog):
        check_not_sent(
            f"{scheme}://koodrive.invalid", caplog, "the proxy refused", proxies={scheme: nobody()}
        )

    @pytest.mark.parametrize("status", [403, 407, 502])
    def test_proxy_that_refuses_to_connect(self, status, caplog):
        with RawServer(always(reply(b"no", status))) as proxy:
            check_not_sent(
                "https://koodrive.invalid", caplog, "the proxy refused", proxies={"https": proxy.url}
            )
            assert {request.method for request in proxy.requests} == {"CONNECT"}

    @pytest.mark.parametrize("end", ["hang", "close", "reset"])
    def test_proxy_that_does_not_answer(self, end, caplog):
        with RawServer(lambda exchange: getattr(exchange, end)()) as proxy:
            check_not_sent("https://koodrive.invalid", caplog, "proxies", proxies={"https": proxy.url})


ENDS = {
    "closed": lambda exchange: exchange.close(),
    "reset": lambda exchange: exchange.reset(),
    "no response": lambda exchange: exchange.hang(),
    "half of the status line": lambda exchange: (exchange.send(b"HTTP/1.1 20"), exchange.close()),
    "half of the body": lambda exchange: (exchange.send(reply(b'{"code"', length=99)), exchange.close()),
    "reset in the body": lambda exchange: (exchange.send(reply(b'{"code"', length=99)), exchange.reset()),
    "silence in the body": lambda exchange: (exchange.send(reply(b'{"code"', length=99)), exchange.hang()),
    "cut in a chunk": lambda exchange: (
        exchange.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"),
        exchange.close(),
    ),
    "no size of a chunk": lambda exchange: exchange.send(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n\r\n"
    ),
    "no HTTP": lambda exchange: exchange.send(b"SSH-2.0-OpenSSH_9.6\r\n\r\n"),
    "no status": lambda exchange: exchange.send(b"HTTP/1.1 OK\r\n\r\n"),
    "two lengths": lambda exchange: exchange.send(
        b'HTTP/1.1 200 OK\r\nContent-Length: 9\r\nContent-Length: 10\r\n\r\n{"code":0}'
    ),
    "many headers": lambda exchange: exchange.send(b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 200 + b"\r\n"),
    "long header": lambda exchange: exchange.send(b"HTTP/1.1 200 OK\r\nA: " + b"b" * 70_000 + b"\r\n\r\n"),
}


def check_sent(url: str, server: RawServer, caplog, **options) -> None:
    error, attempts = failure(url, "POST", caplog, **options)
    assert error.sent is True
    assert attempts == 1
    assert len(server.requests) == 1
    _, attempts = failure(url, "GET", caplog, **options)
    assert attempts == 2
    assert len(server.requests) == 3


class TestTheRequestMayHaveArrived:
    @pytest.mark.parametrize("end", ENDS.values(), ids=ENDS.keys())
    def test_plain(self, end, caplog):
        with RawServer(end) as server:
            check_sent(server.url, server, caplog)

    @pytest.mark.parametrize("end", ENDS.values(), ids=ENDS.keys())
    def test_tls(self, tls, end, caplog):
        context, trusted = tls
        with RawServer(end, tls=context) as server:
            check_sent(server.url, server, caplog, verify=trusted)

    @pytest.mark.parametrize("end", ["closed", "reset", "no response"])
    def test_through_a_proxy(self, end, caplog):
        with RawServer(ENDS[end]) as proxy:
            check_sent("http://koodrive.invalid", proxy, caplog, proxies={"http": proxy.url})
            assert proxy.requests[0].target == f"http://koodrive.invalid{PATH}"

    def test_garbage_after_the_handshake(self, tls, caplog):
        context, trusted = tls

        def handle(exchange):
            # Below TLS: the record layer breaks while the client waits for the answer.
            raw = socket.socket(fileno=exchange.sock.detach())
            raw.sendall(b"\x17\x03\x03\x00\x20" + b"x" * 32)
            raw.close()
            raise ConnectionAbortedError

        with RawServer(handle, tls=context) as server:
            check_sent(server.url, server, caplog, verify=trusted)

    @pytest.mark.parametrize("end", ["closed", "reset"])
    def test_a_connection_that_was_kept(self, end, caplog):
        def handle(exchange):
            exchange.send(SUCCESS) if len(server.requests) == 1 else ENDS[end](exchange)

        with RawServer(handle) as server:
            client = token_client(server.url, **SHORT)
            client.request("POST", PATH, json={})
            with pytest.raises(KooDriveConnectionError) as caught:
                client.request("POST", PATH, json={})
            assert server.connections == 1
        assert caught.value.sent is True
        assert len(server.requests) == 2

    def test_a_connection_that_was_closed_meanwhile(self):
        with RawServer(lambda exchange: (exchange.send(SUCCESS), exchange.close())) as server:
            client = token_client(server.url, **SHORT)
            for _ in range(3):
                client.request("POST", PATH, json={})
                server.wait_until_closed()
            assert len(server.requests) == 3

    @pytest.mark.parametrize("end", ["close", "reset"])
    def test_cut_while_the_body_goes_out(self, end, caplog):
        body = {"a": "x" * 8_000_000}

        def greet(exchange):
            exchange.sock.recv(1000)
            getattr(exchange, end)()

        with RawServer(always(SUCCESS), greet=greet) as server:
            with pytest.raises(KooDriveConnectionError) as caught:
                token_client(server.url).request("POST", PATH, json=body)
            assert server.connections == 1
        assert caught.value.sent is True

    def test_cut_in_the_headers(self):
        """Python's HTTP takes the cut for the headers' end, so there is a response, which is empty."""
        end = (b"HTTP/1.1 200 OK\r\nA:", b"HTTP/1.1 200 OK\r\n")
        for sent in end:
            with RawServer(lambda exchange, sent=sent: (exchange.send(sent), exchange.close())) as server:
                with pytest.raises(KooDriveResponseError):
                    token_client(server.url, **SHORT).request("POST", PATH, json={})
                assert len(server.requests) == 1

    @pytest.mark.parametrize("drains", [True, False])
    def test_an_early_response_to_a_body(self, drains):
        """It counts if the server reads the rest of the body, as gateways do; else the outcome is unknown."""

        def greet(exchange):
            exchange.sock.recv(1000)
            exchange.send(reply({"code": 13000102, "msg": "too long"}, 413))
            while drains and (piece := exchange.sock.recv(65536)) and not piece.endswith(b"}"):
                pass
            exchange.hang()

        with RawServer(always(SUCCESS), greet=greet) as server:
            timeout = 30.0 if drains else 0.3
            client = token_client(server.url, connect_timeout=timeout, read_timeout=timeout)
            with pytest.raises(KooDriveError) as caught:
                client.request("POST", PATH, json={"a": "x" * 8_000_000})
            assert server.connections == 1
        if drains:
            assert caught.value.http_status == 413
        else:
            assert isinstance(caught.value, KooDriveConnectionError)
            assert caught.value.sent is True


@pytest.fixture
def addresses(monkeypatch):
    """The addresses of the host many.invalid."""
    many: list[str] = []
    real = socket.getaddrinfo

    def resolve(host, port, *args, **kwargs):
        if host != "many.invalid":
            return real(host, port, *args, **kwargs)
        return [found for address in many for found in real(address, port, *args, **kwargs)]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    return many


class TestSeveralAddresses:
    URL = "http://many.invalid:{}"

    def test_the_next_one_is_tried(self, addresses):
        with RawServer(always(SUCCESS)) as server, nobody_accepts(("127.0.0.2", server.port)):
            # One that does not accept, one that refuses, and the server's.
            addresses += ["127.0.0.2", "127.0.0.3", "127.0.0.1"]
            client = token_client(self.URL.format(server.port), connect_timeout=0.2)
            assert client.request("GET", PATH) == {"code": 0}
        assert server.requests[0].header("Host") == f"many.invalid:{server.port}"

    @pytest.mark.parametrize("method", ["GET", "POST"])
    def test_nothing_is_sent_after_the_deadline(self, addresses, method):
        """Each address gets the whole timeout, so that the last one answers after the deadline."""
        with RawServer(always(SUCCESS)) as server, nobody_accepts(("127.0.0.2", server.port)):
            addresses += ["127.0.0.2"] * 3 + ["127.0.0.1"]
            client = token_client(
                self.URL.format(server.port), deadline=0.3, connect_timeout=10.0, max_attempts=1
            )
            with pytest.raises(KooDriveConnectionError, match="not ready within the deadline") as caught:
                client.request(method, PATH)
        assert caught.value.sent is False
        assert server.requests == []


class TestSettings:
    def test_a_certificate_that_is_trusted(self, tls):
        with RawServer(always(SUCCESS), tls=tls[0]) as server:
            assert token_client(server.url, verify=tls[1]).request("GET", PATH) == {"code": 0}

    def test_verification_switched_off(self, tls):
        with RawServer(always(SUCCESS), tls=tls[0]) as server, pytest.warns(match="Unverified HTTPS"):
            assert token_client(server.url, verify=False).request("GET", PATH) == {"code": 0}

    def test_verify_beats_the_environment(self, tls, tmp_path, monkeypatch):
        _, other = self_signed(tmp_path)
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", other)
        with RawServer(always(SUCCESS), tls=tls[0]) as server:
            assert token_client(server.url, verify=tls[1]).request("GET", PATH) == {"code": 0}

    def test_certificate_of_the_environment(self, tls, monkeypatch):
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", tls[1])
        with RawServer(always(SUCCESS), tls=tls[0]) as server:
            assert token_client(server.url).request("GET", PATH) == {"code": 0}

    def test_certificate_that_is_not_there(self, tls):
        with RawServer(always(SUCCESS), tls=tls[0]) as server:
            with pytest.raises(KooDriveConfigError, match="CA certificate"):
                token_client(server.url, verify="/nowhere/ca.pem").request("GET", PATH)
            assert server.connections == 0

    @pytest.mark.parametrize(
        "content",
        [
            None,
            "",
            "garbage",
            "-----BEGIN CERTIFICATE-----\nno\n-----END CERTIFICATE-----\n",
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        ],
        ids=["missing", "empty", "garbage", "no base64", "no certificate"],
    )
    def test_file_of_authorities_that_is_none(self, tls, tmp_path, content):
        path = tmp_path / "authority.pem"
        if content is not None:
            path.write_text(content)
        with RawServer(always(SUCCESS), tls=tls[0]) as server:
            with pytest.raises(KooDriveError, match="check extra verify") as caught:
                token_client(server.url, verify=str(path), max_attempts=1).request("GET", PATH)
            assert "host" not in str(caught.value)
            assert server.requests == []

    @pytest.mark.skipif(find_spec("socks") is not None, reason="SOCKS works here")
    def test_socks_without_the_package(self):
        proxies = {"https": "socks5h://user:s3cr3t@127.0.0.1:1"}
        with pytest.raises(KooDriveConfigError, match=r"extra proxies.*pip install pysocks"):
            token_client("https://koodrive.invalid", proxies=proxies).request("GET", PATH)

    @pytest.mark.parametrize(
        "proxy",
        ["ftp://127.0.0.1:1", "socks://127.0.0.1:1", "socks6://127.0.0.1:1", "user:s3cr3t@127.0.0.1:1"],
    )
    def test_proxy_of_another_kind(self, proxy):
        with pytest.raises(KooDriveConfigError, match="socks5h") as caught:
            token_client("http://koodrive.invalid", proxies={"http": proxy}).request("GET", PATH)
        assert "s3cr3t" not in str(caught.value)

    def test_proxy(self):
        with RawServer(always(SUCCESS)) as proxy:
            client = token_client("http://koodrive.invalid", proxies={"http": proxy.url})
            client.request("GET", PATH)
            client.request("GET", PATH)
            assert proxy.connections == 1

    def test_proxy_beats_the_environment(self, monkeypatch):
        monkeypatch.setenv("HTTP_PROXY", nobody())
        with RawServer(always(SUCCESS)) as proxy:
            token_client("http://koodrive.invalid", proxies={"http": proxy.url}).request("GET", PATH)

    def test_proxy_of_the_environment(self, monkeypatch):
        with RawServer(always(SUCCESS)) as proxy:
            monkeypatch.setenv("http_proxy", proxy.url)
            token_client("http://koodrive.invalid").request("GET", PATH)

    @pytest.mark.parametrize(
        "endpoint",
        ["http://", "http://[", "http://a..b", "http://127.0.0.1:99999", "ftp://127.0.0.1", "127.0.0.1"],
    )
    def test_endpoint_that_is_none(self, endpoint):
        with pytest.raises(KooDriveConfigError, match="cannot be built"):
            token_client(endpoint).request("POST", PATH, json={})

    @pytest.mark.parametrize(
        "seconds", [1e8, 1e10, 1e300, float("inf"), 10**400], ids=["1e8", "1e10", "1e300", "inf", "10**400"]
    )
    @pytest.mark.parametrize("field", ["connect_timeout", "read_timeout", "deadline"])
    def test_any_time_is_enough(self, tls, field, seconds):
        for context, verify in ((None, True), tls):
            with RawServer(always(SUCCESS), tls=context) as server:
                options = {"deadline": seconds, field: seconds, "verify": verify}
                assert token_client(server.url, **options).request("GET", PATH) == {"code": 0}

    def test_any_wait_between_attempts(self):
        answers = iter([reply({"code": 1}, 429), SUCCESS])
        with RawServer(lambda exchange: exchange.send(next(answers))) as server:
            assert token_client(server.url, deadline=10**400).request("GET", PATH) == {"code": 0}

    def test_proxy_that_is_none(self):
        with pytest.raises(KooDriveError):
            token_client("http://koodrive.invalid", proxies={"http": "http://"}).request("GET", PATH)


def test_mocked_transport(requests_mock):
    """Users' tests put a mock in place of the connections, which then report nothing about themselves."""
    import requests

    client = token_client("https://koodrive.invalid", **SHORT)
    requests_mock.get(f"https://koodrive.invalid{PATH}", json={"code": 0})
    assert client.request("GET", PATH) == {"code": 0}
    for error, sent in ((requests.ConnectTimeout, False), (requests.ReadTimeout, True)):
        requests_mock.post(f"https://koodrive.invalid{PATH}", exc=error)
        with pytest.raises(KooDriveConnectionError) as caught:
            client.request("POST", PATH)
        assert caught.value.sent is sent
    requests_mock.post(f"https://koodrive.invalid{PATH}", text="<html>", status_code=404)
    with pytest.raises(KooDriveResponseError):
        client.request("POST", PATH)
