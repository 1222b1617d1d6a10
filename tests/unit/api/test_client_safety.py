from __future__ import annotations

import base64
import contextlib
import html
import json
import logging
import posixpath
import re
import traceback
import warnings
from urllib.parse import quote, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.clients import APP_SECRET, IMPATIENT, TOKEN, app_client, token_client
from support.raw_server import JSON, Exchange, RawServer, always, reply

from airflow_provider_koodrive.api.auth import AppAuth, TokenAuth
from airflow_provider_koodrive.api.client import KooDriveClient
from airflow_provider_koodrive.api.http.request import checked_method, checked_path
from airflow_provider_koodrive.exceptions import (
    KooDriveConfigError,
    KooDriveConnectionError,
    KooDriveError,
    KooDriveValidationError,
)

PATH = "/koodrive/ose/v1/space/groupList"
SUCCESS = reply({"code": 0, "msg": "OK"}, headers=[JSON])


def cut(value: object) -> str:
    """A test's name."""
    with contextlib.suppress(ValueError):
        return ascii(value)[:60]
    return "huge"


@pytest.fixture
def server():
    with RawServer(always(SUCCESS)) as running:
        yield running


def nobody() -> str:
    """The address of a port on which nothing listens."""
    with RawServer(always(SUCCESS)) as server:
        return server.url


class TestRefusedBeforeSending:
    @pytest.mark.parametrize(
        "path",
        [
            "http://evil.example.com/koodrive/",
            "https://evil.example.com/koodrive/",
            "//evil.example.com/koodrive/",
            "koodrive/ose",
            "/koodrive",
            "/koodrivel/",
            "/",
            "",
            "/other/",
            "/koodrive/../other",
            "/koodrive/..",
            "/koodrive/a/../../other",
            "/koodrive/%2e%2e/other",
            "/koodrive/%2E./other",
            "/koodrive/..%2fother",
            "/koodrive/a%2f..%2f..%2fother",
            "/koodrive/..\\other",
            "/koodrive/%5c..%5cother",
            "/koodrive/./a",
            "/koodrive/a?b=c",
            "/koodrive/a#b",
            "/koodrive/a\r\nX-Evil: 1",
            "/koodrive/a%0d%0aX-Evil",
            "/koodrive/\x00",
            "/koodrive/\ud800",
            " /koodrive/a",
            "@evil.example.com/koodrive/",
            ":80@evil.example.com/koodrive/",
            "/koodrive/%252e%252e/other",
            "/koodrive/%25252e%25252e/other",
            "/koodrive/..;/other",
            "/koodrive/..;a=b/other",
            "/koodrive/.;/other",
            "/koodrive/%2e%2e;/other",
            "/koodrive/..%3b/other",
            "/koodrive/..%253b/other",
            "/koodrive/ .. /other",
            "/koodrive/..%20/other",
            "/koodrive/%c0%ae%c0%ae/other",
            "/koodrive/%25c0%25ae",
            "/koodrive/..%255cother",
            "/koodrive/a%250d%250aX-Evil",
            "/koodrive/a\ufffd",
            "%2fkoodrive/a",
            "/%6boodrive/a",
            "/koodrive/%" + "25" * 100_000,
            None,
            b"/koodrive/a",
            5,
            ["/koodrive/a"],
            10**5000,
        ],
        ids=cut,
    )
    def test_paths(self, server, path):
        with pytest.raises(KooDriveValidationError, match="path"):
            token_client(server.url).request("GET", path)
        assert server.requests == []

    @pytest.mark.parametrize(
        "path",
        [
            "/koodrive/",
            "/koodrive/ose/v2/space/1",
            "/koodrive/a%2Fb",
            "/koodrive/ü b",
            "/koodrive/100%25",
            "/koodrive/a;b",
            "/koodrive/...",
            "/koodrive/..a",
        ],
    )
    def test_paths_below_koodrive(self, server, path):
        token_client(server.url).request("GET", path)
        assert server.requests[0].path.startswith("/koodrive/")

    @pytest.mark.parametrize(
        "method", ["", "GET\r\nX-Evil: 1", "GET /koodrive/", "GÉT", "G T", None, b"GET", 5, 10**5000], ids=cut
    )
    def test_methods(self, server, method):
        with pytest.raises(KooDriveValidationError, match="method"):
            token_client(server.url).request(method, PATH)
        assert server.requests == []

    @pytest.mark.parametrize(
        "body",
        [float("nan"), float("inf"), {1, 2}, b"a", type, "\ud800", {"a": "\udfff"}, 10**5000],
        ids=cut,
    )
    def test_bodies(self, server, body):
        with pytest.raises(KooDriveValidationError, match="JSON"):
            token_client(server.url).request("POST", PATH, json={"a": body})
        assert server.requests == []

    def test_a_body_without_end(self, server):
        body: list[object] = []
        body.append(body)
        with pytest.raises(KooDriveValidationError, match="JSON"):
            token_client(server.url).request("POST", PATH, json=body)
        assert server.requests == []

    @pytest.mark.parametrize(
        "params",
        [
            {"keyWord": "\ud800"},
            {"\ud800": "a"},
            {"a": ["b", "\ud800"]},
            {"a": 10**5000},
            {"a": [10**5000]},
            [("a", "b")],
            ["a"],
            "a=b",
            b"a=b",
            5,
            10**5000,
        ],
        ids=cut,
    )
    def test_params(self, server, params):
        with pytest.raises(KooDriveValidationError, match="params") as caught:
            token_client(server.url).request("GET", PATH, params=params)
        assert server.requests == []
        assert str(caught.value).isprintable()
        assert len(str(caught.value)) < 500

    @given(
        st.text(min_size=1, max_size=8),
        st.text(max_size=8),
        st.text(alphabet="./%25ecCaAE;\\ \u3000", max_size=12),
    )
    def test_any_text(self, method, path, tail):
        """A path, a method: refused, or the very thing, below /koodrive/ however often it is decoded."""
        with contextlib.suppress(KooDriveValidationError):
            assert checked_method(method) == method.upper()
        seen = f"/koodrive/{path}{tail}"
        with contextlib.suppress(KooDriveValidationError):
            assert checked_path(seen) == seen
            for _ in range(20):
                resolved = posixpath.normpath(re.sub(r";[^/]*", "", seen))
                assert f"{resolved}/".startswith("/koodrive/")
                seen = unquote(seen)


def echo(status: int, form: str):
    """A hostile or careless server that says back what it was sent."""

    def handle(exchange: Exchange) -> None:
        request = exchange.request
        said = f"{request.header('Authorization')} {TOKEN} {APP_SECRET}"
        if form == "msg":
            answer = reply({"code": 13009999, "msg": f"no, {said}"}, status)
        elif form == "code":
            answer = reply({"code": said, "msg": "no"}, status)
        elif form == "at the cut":
            answer = reply(b"x" * 190 + said.encode(), status)
        elif form == "encoding":
            answer = reply(b"", status, [("Content-Encoding", said.removeprefix("Bearer+"))])
        elif form == "status line":
            answer = b"HTTP/1.1 " + said.encode() + b"\r\n\r\n"
        elif form == "protocol":
            answer = said.encode() + b"\r\n\r\n"
        elif form == "json":
            answer = reply([dict(request.headers), said], status)
        else:
            answer = reply(
                said.encode() * 3, status, [("Server", said), ("Retry-After", said), ("Date", said)]
            )
        exchange.send(answer)

    return RawServer(handle)


def failing(client, method: str) -> KooDriveError:
    with pytest.raises(KooDriveError) as caught:
        client.request(method, PATH, json={} if method == "POST" else None)
    return caught.value


def with_locals(error: KooDriveError) -> str:
    """The traceback as a log shows it that adds each frame's variables."""
    return "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())


FORMS = ["msg", "code", "at the cut", "encoding", "status line", "protocol", "json", "body and headers"]


class TestNothingLeaks:
    @pytest.mark.parametrize("status", [200, 400, 401, 500])
    @pytest.mark.parametrize("form", FORMS)
    @pytest.mark.parametrize("make", [token_client, app_client])
    def test_secrets_that_come_back(self, make, form, status, caplog):
        caplog.set_level(logging.DEBUG)
        with echo(status, form) as server:
            error = failing(make(server.url, max_attempts=2), "GET")
        signatures = [request.header("Authorization")[-64:] for request in server.requests]
        secret = TOKEN if make is token_client else APP_SECRET
        shown = [str(error), repr(error), json.dumps(vars(error)), with_locals(error)]
        for text in [*shown, *caplog.messages]:
            assert secret[:16] not in text
            assert not any(signature in text for signature in signatures)

    @pytest.mark.parametrize("status", [200, 401])
    @pytest.mark.parametrize(
        "media_type", ["application/json", "multipart/mixed", "multipart/mixed; boundary=a"]
    )
    @pytest.mark.parametrize("make", [token_client, app_client])
    def test_a_header_line_that_is_none(self, make, media_type, status, caplog):
        """urllib3 logs what it cannot parse of an answer's headers, also of one that is a success."""
        caplog.set_level(logging.DEBUG)
        body = json.dumps({"code": 0 if status == 200 else 1}).encode()

        def handle(exchange: Exchange) -> None:
            said = f"{exchange.request.header('Authorization')} {TOKEN} {APP_SECRET}"
            head = f"HTTP/1.1 {status} OK\r\nContent-Type: {media_type}\r\nContent-Length: {len(body)}\r\n"
            exchange.send(f"{head}{said}\r\n{said}\r\nA: b\r\n\r\n".encode() + body)

        with RawServer(handle) as server:
            client = make(server.url)
            if status == 200:
                assert client.request("GET", PATH) == {"code": 0}
            else:
                assert TOKEN not in str(failing(client, "GET"))
        (request,) = server.requests
        for text in [caplog.text, *caplog.messages]:
            assert TOKEN not in text
            assert APP_SECRET not in text
            assert request.header("Authorization")[-64:] not in text
            assert "Failed to parse" not in text

    @pytest.mark.parametrize("make", [token_client, app_client])
    def test_no_answer(self, make, caplog):
        caplog.set_level(logging.DEBUG)
        error = failing(make(nobody()), "POST")
        for text in [with_locals(error), *caplog.messages]:
            assert TOKEN not in text
            assert APP_SECRET not in text

    @pytest.mark.parametrize(
        "make",
        [
            lambda secret: TokenAuth(f"{secret}\n"),
            lambda secret: TokenAuth(secret, "\n"),
            lambda secret: AppAuth("\n", secret),
            lambda secret: AppAuth("app-id", secret, "\n"),
        ],
    )
    def test_what_cannot_be_sent(self, make):
        with pytest.raises(KooDriveConfigError) as caught:
            make(TOKEN)
        # The frames of this test know the secret.
        assert TOKEN not in with_locals(caught.value.with_traceback(caught.tb.tb_next.tb_next))


SPECIAL = "s3cr3t/0f+the=\"sessi0n\"&'us\\er'"


def each(form: str, text: str, *, but: str = "") -> str:
    """Write a text's characters as numbers, but those that match."""
    return "".join(
        character if but and re.match(but, character) else form.format(ord(character)) for character in text
    )


def base64_of(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


SPELLINGS = {
    "HTML": html.escape,
    "HTML, decimal": lambda text: each("&#{};", text),
    "HTML, hexadecimal": lambda text: each("&#x{:X};", text, but=r"\w"),
    "HTML, one": lambda text: text.replace("/", "&#x2F;"),
    "HTML twice": lambda text: html.escape(text.replace("/", "&#x2F;")),
    "JSON, the slash": lambda text: json.dumps(text)[1:-1].replace("/", "\\/"),
    "JSON, all": lambda text: each("\\u{:04X}", text),
    "JavaScript": lambda text: each("\\x{:02x}", text, but=r"\w"),
    "percent": lambda text: "".join(f"%{byte:02x}" for byte in text.encode()),
    "percent twice": lambda text: quote(quote(text, safe=""), safe=""),
    "percent in HTML": lambda text: html.escape(quote(text, safe="!'()*")),
    "Base64": base64_of,
    "Base64 of more": lambda text: base64_of(f"user:{text}!"),
    "Base64 after a letter": lambda text: "a" + base64_of(text),
    "Base64 for a URL": lambda text: base64.urlsafe_b64encode(f"\u07ff?>{text}".encode()).decode(),
    "Base64, percent": lambda text: quote(base64_of(f" {text}"), safe=""),
    "Base64, JSON": lambda text: base64_of(f"?> {text}").replace("/", "\\/"),
}
# Characters of Base64 that belong to what stands before or after the secret.
BESIDE_A_SECRET = 8


class TestSecretsInOtherSpellings:
    """A server returns what was sent as a page or a script spells it."""

    @pytest.mark.parametrize("spelling", SPELLINGS)
    @pytest.mark.parametrize("secret", [SPECIAL, "hünter/2ü"])
    @pytest.mark.parametrize("form", ["page", "page at the cut", "msg", "code"])
    def test_a_secret(self, form, secret, spelling):
        said = SPELLINGS[spelling](secret)
        body = {
            "page": f"<html>you sent {said}, no".encode(),
            "page at the cut": ("." * (200 - len(said) // 2) + f" {said}").encode(),
            "msg": {"code": 7, "msg": f"you sent {said}, no"},
            "code": {"code": f"you sent {said}, no"},
        }[form]
        with RawServer(always(reply(body, 401))) as server:
            error = failing(KooDriveClient(server.url, AppAuth("app-id", secret, "1"), **IMPATIENT), "GET")
        page = re.search(r"its body begins '(.*)';", str(error))
        shown = page[1] if page else error.msg if form == "msg" else error.code
        beside = rf"[\w%/\\=-]{{0,{BESIDE_A_SECRET}}}" if "Base64" in spelling else ""
        assert re.fullmatch(rf"(<html>)?(you sent |\.+ )?{beside}\*\*\*{beside}(, no)?", shown)

    @pytest.mark.parametrize("spelling", ["HTML, decimal", "JSON, all", "percent", "Base64 of more"])
    @pytest.mark.parametrize("where", ["status line", "encoding"])
    def test_a_token_outside_the_body(self, where, spelling):
        said = SPELLINGS[spelling](TOKEN)
        head = {
            "status line": f"HTTP/1.1 {said}\r\n\r\n",
            "encoding": f"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nContent-Encoding: {said}\r\n\r\n",
        }[where]
        with RawServer(always(head.encode())) as server:
            error = failing(token_client(server.url, max_attempts=1), "GET")
        assert "***" in str(error)
        assert said[BESIDE_A_SECRET:-BESIDE_A_SECRET] not in str(error)

    @pytest.mark.parametrize(
        "text",
        [
            "<p>R&amp;D: 100%25 of \\\\share\\u0021 &#169;",
            "%zz &; \\u12 \\",
            "Zm9vYmFyIG5vdGhpbmc=",
            "*",
            "aGk=" * 99,
        ],
    )
    def test_other_text_is_shown(self, text):
        with RawServer(always(reply({"code": 7, "msg": text}, 400))) as server:
            error = failing(token_client(server.url), "GET")
        assert error.msg == text[:200]

    @pytest.mark.parametrize(
        "words",
        [
            "the signature {} is wrong",
            "signature={}",
            "Signature%3D{}",
            "Signature&#61;{}",
            "expected {0}, got {0}",
        ],
    )
    @pytest.mark.parametrize("form", ["page", "msg"])
    def test_a_signature(self, form, words):
        def handle(exchange: Exchange) -> None:
            said = words.format(exchange.request.header("Authorization")[-64:])
            exchange.send(reply({"page": said.encode(), "msg": {"code": 7, "msg": said}}[form], 401))

        with RawServer(handle) as server:
            shown = str(failing(app_client(server.url), "GET"))
        (request,) = server.requests
        assert "***" in shown
        assert request.header("Authorization")[-64:] not in shown


PASSWORDS = [
    ("hunter2", "hunter2"),
    ("hun%2Fter2", "hun/ter2"),
    ("hun%2fter2%40%3A", "hun/ter2@:"),
    ("h%C3%BCnter2", "hünter2"),
    ("hun@ter:2", "hun@ter:2"),
]


class TestProxies:
    @pytest.fixture(autouse=True)
    def _no_proxy_of_the_machine(self, monkeypatch, caplog):
        caplog.set_level(logging.DEBUG)
        for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
            monkeypatch.delenv(name.upper(), raising=False)

    def check(self, error: KooDriveError, caplog, *secrets: str) -> None:
        for text in [str(error), repr(error), json.dumps(vars(error)), with_locals(error), caplog.text]:
            for secret in secrets:
                # A trace id, a memory address or a clock's reading may hold any digits, as part of more.
                alone = rf"(?<![\w.]){secret}(?![\w.])" if secret.isdigit() else re.escape(secret)
                assert not re.search(alone, text)

    @pytest.mark.parametrize("where", ["environment", "proxies"])
    @pytest.mark.parametrize("scheme", ["http", "https"])
    @pytest.mark.parametrize(("password", "plain"), PASSWORDS)
    def test_a_proxy_that_says_its_password(self, monkeypatch, caplog, password, plain, scheme, where):
        seen = []

        def handle(exchange: Exchange) -> None:
            basic = exchange.request.header("Proxy-Authorization")
            seen.append(basic.removeprefix("Basic "))
            said = f"you sent {basic}, that is user:{quote(plain)} or user:{password}".encode()
            exchange.send(b"HTTP/1.1 407 " + said + b"\r\nContent-Length: %d\r\n\r\n" % len(said) + said)

        with RawServer(handle) as proxy:
            address = proxy.url.replace("//", f"//user:{password}@")
            if where == "environment":
                monkeypatch.setenv(f"{scheme}_proxy", address)
                address = None
            client = token_client(
                f"{scheme}://koodrive.invalid", max_attempts=2, proxies=address and {scheme: address}
            )
            error = failing(client, "GET")
        assert base64.b64decode(seen[0]).decode("latin-1") == f"user:{plain}"
        assert "you sent Basic ***" in str(error)
        self.check(error, caplog, password, plain, seen[0])

    @pytest.mark.parametrize("where", ["environment", "proxies"])
    @pytest.mark.parametrize("scheme", ["http", "https"])
    @pytest.mark.parametrize(
        ("address", "parts"),
        [
            ("http://user:hunter2@127.0.0.1:99999", ["hunter2"]),
            ("http://user:hunter2@[127.0.0.1:1", ["hunter2"]),
            ("http://user:hunter2@127.0.0.1:port", ["hunter2"]),
            ("http://user:hunter2@a..b:1", ["hunter2"]),
            ("http://user:hunter2@", ["hunter2"]),
            ("user:hunter2@127.0.0.1:99999", ["hunter2"]),
            ("nonsense://user:hunter2@127.0.0.1:1", ["hunter2"]),
            ("http://user:hun[ter2@127.0.0.1:1", ["hun[", "ter2"]),
            ("http://user:hun\u2100ter2@127.0.0.1:1", ["hun", "ter2", "\u2100"]),
            ("http://user:hun%E2%84%80ter2@127.0.0.1:1", ["hun%", "ter2", "\u2100", "u2100"]),
            ("http://user:hun/ter2@127.0.0.1:1", ["hun/", "ter2"]),
            ("http://user:7654/ter2@127.0.0.1:1", ["7654", "ter2"]),
            ("http://user:7654?ter2@127.0.0.1:1", ["7654", "ter2"]),
            ("http://user:7654#ter2@127.0.0.1:1", ["7654", "ter2"]),
            ("http://user:7654\\ter2@127.0.0.1:1", ["7654", "ter2"]),
            ("user:7654/ter2@127.0.0.1:1", ["7654", "ter2"]),
        ],
    )
    def test_an_address_that_cannot_be_read(self, monkeypatch, caplog, address, parts, scheme, where):
        if where == "environment":
            monkeypatch.setenv(f"{scheme}_proxy", address)
            proxies = None
        else:
            proxies = {scheme: address}
        client = token_client(f"{scheme}://koodrive.invalid", max_attempts=1, proxies=proxies)
        address = proxies = None
        error = failing(client, "GET")
        assert isinstance(error, KooDriveConfigError | KooDriveConnectionError)
        assert "proxy" in str(error)
        self.check(error, caplog, *parts)

    def test_a_proxy_without_a_password(self):
        with RawServer(always(reply(b"no", 407))) as proxy:
            address = proxy.url.replace("//", "//:@")
            error = failing(token_client("https://koodrive.invalid", proxies={"https": address}), "GET")
        assert "***" not in str(error)


def test_a_cookie_that_cannot_be_read():
    """The standard library's cookie jar warns of one with a traceback."""
    cookie = ("Set-Cookie", "x=1; Max-Age=" + "9" * 400)
    with (
        warnings.catch_warnings(record=True) as caught,
        RawServer(always(reply({"code": 0}, headers=[cookie]))) as server,
    ):
        warnings.simplefilter("always")
        token_client(server.url).request("GET", PATH)
    assert [str(warning.message) for warning in caught] == []
