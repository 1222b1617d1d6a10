from __future__ import annotations

import hashlib
import hmac
import json
import time
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from urllib.parse import quote

import pytest
import requests
from huaweicloudsdkcore.sdk_request import SdkRequest
from huaweicloudsdkcore.signer.signer import Signer
from hypothesis import given
from hypothesis import strategies as st
from support.raw_server import JSON, Exchange, RawServer, always, reply
from support.signing import check_wire

from airflow_provider_koodrive.api.auth import AppAuth, TokenAuth
from airflow_provider_koodrive.api.http import signing
from airflow_provider_koodrive.exceptions import KooDriveConfigError

APP_ID = "example-app-id"
APP_SECRET = "example-app-secret"
USER_ID = "1505084218764547200"
HOST = "https://intl.myhuaweicloud-koodrive.com"
LIST = f"{HOST}/koodrive/ose/v1/space/groupList"
CREATE = f"{HOST}/koodrive/ose/v1/space/group"
CREATE_BODY = b'{"name":"demo","capacity":20,"addGroupUsers":[]}'
WITH_HOST = "host;x-date;x-user-id"
WITHOUT_HOST = "x-date;x-user-id"
SHORT_PAGE = {"offset": "0", "limit": "10"}

# API reference, section 2.2 "Test vectors": SHA-256 of the canonical request, and the signature.
VECTORS = {
    "A": (
        ("GET", LIST, SHORT_PAGE, None, True),
        "55e84d8be58b175776b9a7eb14b1f36d8ab2bf081960b568050681819018fbef",
        "6f97b6098d9f756861f338ead62148a530eb6e5bca7a817e308b0e54075667ef",
    ),
    "B": (
        ("GET", LIST, SHORT_PAGE, None, False),
        "e3e7cb29d6fe76a4614f6a7ff55f8f887acf1fbcdf24ec9dcb01795b2c309aa3",
        "88952810d084fc83821f40ab03b40caa306236701467d0a9f7e67f9899272c59",
    ),
    "C": (
        ("POST", CREATE, None, CREATE_BODY, True),
        "c198ff10735208b2783aa3d60c3cc7f0352e8ee53780c6c817357bd4036a7b9f",
        "8a5b1b132132bca9ea60cc39057cc583a02e28b7c56b3a0b1a1aa81166a80ccd",
    ),
    "D": (
        ("POST", CREATE, None, CREATE_BODY, False),
        "0bc4134fdba0f0daf782861f1c1db421d6b4a2e80590f8d20437638191f7785c",
        "9f45006479bee47032f7e68e6b6dc10a7a689a3a622bc243cc4af4ba81ebb642",
    ),
    "E": (
        ("GET", LIST, {**SHORT_PAGE, "keyWord": "a b/é~"}, None, True),
        "b667f697d727e3370d68b1d008e53f18c179ab36ef49917bd2c4c52e619e5deb",
        "a969e33b0b36601e124ce68a6860b433c7f712f1b3d903dab1e3f30fd1a69f21",
    ),
}


def signed_by(key: AppAuth | TokenAuth, method: str, url: str, **parts: object) -> requests.PreparedRequest:
    return requests.Request(method, url, auth=key, **parts).prepare()


class TestVectors:
    @pytest.mark.parametrize("vector", VECTORS.values(), ids=VECTORS.keys())
    def test_header(self, vector, monkeypatch):
        (method, url, params, body, sign_host), _, signature = vector
        stopped = datetime(2024, 9, 9, 3, 33, 25, tzinfo=timezone.utc).timestamp()
        monkeypatch.setattr(time, "time", lambda: stopped + signing.CLOCK_MARGIN_SECONDS)
        key = AppAuth(APP_ID, APP_SECRET, USER_ID, sign_host=sign_host)
        request = signed_by(key, method, url, params=params, data=body)
        names = WITH_HOST if sign_host else WITHOUT_HOST
        assert request.headers["Authorization"] == (
            f"HMAC-SHA256 AppId={APP_ID},SignedHeaders={names},Signature={signature}"
        )
        assert request.headers["X-Date"] == "20240909T033325Z"
        assert request.headers["X-User-Id"] == USER_ID
        assert request.headers["Host"] == "intl.myhuaweicloud-koodrive.com"

    @pytest.mark.parametrize("vector", VECTORS.values(), ids=VECTORS.keys())
    def test_canonical_request(self, vector):
        (method, url, params, body, sign_host), digest, _ = vector
        path, _, query = requests.Request(method, url, params=params).prepare().path_url.partition("?")
        headers = {"host": url.split("/")[2], "x-date": "20240909T033325Z", "x-user-id": USER_ID}
        if not sign_host:
            del headers["host"]
        canonical = signing.canonical_request(
            method, signing.canonical_path(path), signing.canonical_query(query), headers, body or b""
        )
        assert hashlib.sha256(canonical.encode()).hexdigest() == digest

    def test_sorted_query_of_vector_e(self):
        key = AppAuth(APP_ID, APP_SECRET, USER_ID)
        request = signed_by(key, "GET", LIST, params={**SHORT_PAGE, "keyWord": "a b/é~"})
        assert request.url == f"{LIST}?keyWord=a%20b%2F%C3%A9~&limit=10&offset=0"


texts = st.text(st.characters(exclude_categories=["Cs"]))
segments = texts.filter(lambda text: text and text not in (".", "..") and "/" not in text)
signer = Signer(SimpleNamespace(ak=APP_ID, sk=APP_SECRET))


class TestAgainstHuaweiCloudsSigner:
    """huaweicloudsdkcore signs for Huawei Cloud's API gateway, whose canonical form is the same."""

    @given(st.lists(segments, min_size=1), st.booleans())
    def test_path(self, parts, slash):
        path = "/" + "/".join(quote(part, safe="") for part in parts) + ("/" if slash else "")
        ours = signed_by(AppAuth(APP_ID, APP_SECRET, USER_ID), "GET", f"http://localhost{path}").path_url
        theirs = signer._process_canonical_uri(SdkRequest(resource_path=path))
        assert (ours if ours.endswith("/") else f"{ours}/") == theirs

    @given(st.lists(st.tuples(texts, texts)))
    def test_query(self, pairs):
        given_to_both = [pair for pair in pairs if any(pair)]
        request = signed_by(
            AppAuth(APP_ID, APP_SECRET, USER_ID), "GET", "http://localhost/koodrive/", params=given_to_both
        )
        theirs = signer._process_canonical_query_string(SdkRequest(query_params=list(given_to_both)))
        assert request.path_url.partition("?")[2] == theirs

    @given(st.lists(segments, min_size=1), st.lists(st.tuples(texts, texts)), st.binary())
    def test_whole_request(self, parts, pairs, body):
        url = "http://localhost/" + "/".join(quote(part, safe="") for part in parts)
        request = signed_by(AppAuth(APP_ID, APP_SECRET, USER_ID), "POST", url, params=pairs, data=body)
        theirs = SdkRequest(
            method="POST",
            resource_path=url.removeprefix("http://localhost"),
            query_params=list(pairs),
            header_params={name: request.headers[name] for name in ("Host", "X-Date", "X-User-Id")},
            body=body,
        )
        canonical = signer._process_canonical_request(theirs, WITH_HOST.split(";"))
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        expected = hmac.new(
            APP_SECRET.encode(), f"HMAC-SHA256\n{digest}".encode(), hashlib.sha256
        ).hexdigest()
        assert request.headers["Authorization"].endswith(f"Signature={expected}")


@pytest.fixture
def server():
    with RawServer(always(reply({"code": 0}, headers=[JSON]))) as running:
        yield running


class TestWhatIsSignedGoesOut:
    @pytest.mark.parametrize("sign_host", [True, False])
    def test_over_the_wire(self, server, sign_host):
        key = AppAuth(APP_ID, APP_SECRET, USER_ID, sign_host=sign_host)
        body = json.dumps({"name": "Büro 🏛"}, ensure_ascii=False)
        requests.post(
            f"{server.url}/koodrive/ö b/c'd(e)*f!",
            params=[("b", "1 2+3"), ("F", ""), ("b", "0"), ("é", "~/?"), ("a", "x&y=z")],
            data=body,
            auth=key,
            timeout=5,
        )
        (request,) = server.requests
        check_wire(request, APP_SECRET)
        assert request.path == "/koodrive/%C3%B6%20b/c%27d%28e%29%2Af%21"
        assert request.query == "F=&a=x%26y%3Dz&b=0&b=1%202%2B3&%C3%A9=~%2F%3F"
        assert request.body == body.encode()
        assert request.header("Host") == f"127.0.0.1:{server.port}"
        assert int(request.header("Content-Length")) == len(body.encode())

    @pytest.mark.parametrize(
        ("asked", "sent"),
        [
            ("/koodrive/a%2Fb", "/koodrive/a%2Fb"),
            ("/koodrive/a%2fb", "/koodrive/a%2Fb"),
            ("/koodrive/./a/../b", "/koodrive/b"),
            ("/koodrive/a/%2e%2E/b", "/koodrive/b"),
            ("/koodrive/a/%2e/b/.", "/koodrive/a/b/"),
            ("/koodrive/a/..", "/koodrive/"),
            ("/koodrive/a/%2e", "/koodrive/a/"),
            ("/koodrive/a/%2e%2E", "/koodrive/"),
            ("/../../a", "/a"),
            ("/koodrive/a//b", "/koodrive/a//b"),
            ("//koodrive/a", "/koodrive/a"),
            ("/koodrive/%7Ea%ff", "/koodrive/~a%FF"),
            ("/koodrive/%41+", "/koodrive/A%2B"),
            ("", "/"),
            ("/", "/"),
        ],
    )
    def test_paths(self, server, asked, sent):
        requests.get(server.url + asked, auth=AppAuth(APP_ID, APP_SECRET, USER_ID), timeout=5)
        (request,) = server.requests
        assert request.target == sent
        check_wire(request, APP_SECRET)

    @pytest.mark.parametrize(
        ("asked", "sent"),
        [
            ("a=1&&b", "a=1&b="),
            ("a=+", "a=%20"),
            ("a=%ff&a=%c3%a9", "a=%C3%A9&a=%FF"),
            ("=x", "=x"),
            ("b=1&a=2;3", "a=2%3B3&b=1"),
            ("%C3%A9=1&b=2&F=3", "F=3&b=2&%C3%A9=1"),
        ],
    )
    def test_queries(self, server, asked, sent):
        requests.get(f"{server.url}/?{asked}", auth=AppAuth(APP_ID, APP_SECRET, USER_ID), timeout=5)
        (request,) = server.requests
        assert request.query == sent
        check_wire(request, APP_SECRET)

    def test_form_data_and_json_body(self, server):
        key = AppAuth(APP_ID, APP_SECRET, USER_ID)
        requests.post(server.url, data={"a": "ü"}, auth=key, timeout=5)
        requests.post(server.url, json={"a": "ü"}, auth=key, timeout=5)
        requests.delete(server.url, auth=key, timeout=5)
        assert [request.body for request in server.requests] == [b"a=%C3%BC", b'{"a": "\\u00fc"}', b""]
        for request in server.requests:
            check_wire(request, APP_SECRET)

    def test_a_host_of_the_callers_own_is_signed(self, server):
        key = AppAuth(APP_ID, APP_SECRET, USER_ID)
        requests.get(server.url, headers={"Host": "kd.example.com:8443"}, auth=key, timeout=5)
        (request,) = server.requests
        assert request.header("Host") == "kd.example.com:8443"
        check_wire(request, APP_SECRET)

    @pytest.mark.parametrize(
        ("url", "host"),
        [
            ("https://kd.example.com/koodrive/", "kd.example.com"),
            ("https://kd.example.com:443/koodrive/", "kd.example.com"),
            ("http://kd.example.com:80/koodrive/", "kd.example.com"),
            ("https://kd.example.com:80/koodrive/", "kd.example.com:80"),
            ("https://KD.Example.com:8443/koodrive/", "kd.example.com:8443"),
            ("http://[::1]:8080/koodrive/", "[::1]:8080"),
            ("http://user:word@kd.example.com/koodrive/", "kd.example.com"),
        ],
    )
    def test_host(self, url, host):
        assert signed_by(AppAuth(APP_ID, APP_SECRET, USER_ID), "GET", url).headers["Host"] == host

    def test_stream_is_refused(self, server):
        with pytest.raises(KooDriveConfigError, match="pass bytes or text"):
            requests.post(server.url, data=iter([b"a"]), auth=AppAuth(APP_ID, APP_SECRET, USER_ID), timeout=5)
        assert server.requests == []

    def test_date_is_a_little_in_the_past_and_new_for_each_attempt(self, server, monkeypatch):
        key = AppAuth(APP_ID, APP_SECRET, USER_ID)
        before = datetime.now(timezone.utc).replace(microsecond=0)
        requests.get(server.url, auth=key, timeout=5)
        after = datetime.now(timezone.utc)
        later = time.time() + 14 * 60
        monkeypatch.setattr(time, "time", lambda: later)
        requests.get(server.url, auth=key, timeout=5)
        first, second = (
            datetime.strptime(request.header("X-Date"), "%Y%m%dT%H%M%SZ").replace(tzinfo=timezone.utc)
            for request in server.requests
        )
        assert before - timedelta(seconds=10) <= first < after
        assert second - first >= timedelta(minutes=13)
        signatures = {request.header("Authorization") for request in server.requests}
        assert len(signatures) == 2
        for request in server.requests:
            check_wire(request, APP_SECRET)


class TestAppAuth:
    def test_user_of_the_request(self, server):
        requests.get(server.url, headers={"X-User-Id": "42"}, auth=AppAuth(APP_ID, APP_SECRET), timeout=5)
        (request,) = server.requests
        assert request.header("X-User-Id") == "42"
        check_wire(request, APP_SECRET)

    def test_no_user(self, server):
        with pytest.raises(KooDriveConfigError, match="needs a user id"):
            requests.get(server.url, auth=AppAuth(APP_ID, APP_SECRET), timeout=5)
        assert server.requests == []

    @pytest.mark.parametrize("broken", ["a\r\nX-Evil: 1", "a\nb", "a\rb", "a\tb", "a\x00b", "ü", "", "  "])
    @pytest.mark.parametrize("field", ["app_id", "user_id"])
    def test_values_that_are_no_header(self, field, broken):
        values = {"app_id": APP_ID, "app_secret": APP_SECRET, "user_id": USER_ID, field: broken}
        with pytest.raises(KooDriveConfigError, match="AppId" if field == "app_id" else "X-User-Id"):
            AppAuth(**values)

    def test_user_of_the_request_that_is_no_header(self):
        with pytest.raises(KooDriveConfigError, match="X-User-Id"):
            signed_by(AppAuth(APP_ID, APP_SECRET), "GET", HOST, cookies=None, headers={"X-User-Id": "ü"})

    @pytest.mark.parametrize("secret", ["", None, "half a character: \ud800"])
    def test_secret_that_is_none(self, secret):
        with pytest.raises(KooDriveConfigError, match="AppSecret"):
            AppAuth(APP_ID, secret, USER_ID)

    def test_any_secret_signs(self, server):
        secret = 'Schlüssel\n\x00 mit "allem"'
        requests.get(server.url, auth=AppAuth(APP_ID, secret, USER_ID), timeout=5)
        check_wire(server.requests[0], secret)

    def test_repr_of_the_headers_hides_the_signature(self):
        headers = signed_by(AppAuth(APP_ID, APP_SECRET, USER_ID), "GET", LIST).headers
        assert "Signature" in headers["Authorization"]
        assert "Signature" not in repr(headers)

    def test_repr_hides_the_secret(self):
        shown = repr(AppAuth(APP_ID, APP_SECRET, USER_ID))
        assert APP_SECRET not in shown
        assert APP_ID in shown


class TestTokenAuth:
    @pytest.mark.parametrize(
        "token",
        [
            "Bearer+013b45",
            "Bearer 013b45",
            "bearer 013b45",
            "AT 3b91",
            "AT+3b91",
            "HMAC-SHA256 AppId=a,SignedHeaders=x-date;x-user-id,Signature=b",
        ],
    )
    def test_own_scheme_goes_out_unchanged(self, server, token):
        requests.get(server.url, auth=TokenAuth(token, "Other "), timeout=5)
        assert server.requests[0].header("Authorization") == token

    @pytest.mark.parametrize(
        ("prefix", "sent"),
        [("Bearer+", "Bearer+013b45"), ("Bearer ", "Bearer 013b45"), ("", "013b45"), (None, "Bearer+013b45")],
    )
    def test_prefix(self, server, prefix, sent):
        requests.get(server.url, auth=TokenAuth("013b45", prefix), timeout=5)
        assert server.requests[0].header("Authorization") == sent

    def test_default_prefix(self, server):
        requests.get(server.url, auth=TokenAuth("ATLAS-013b45"), timeout=5)
        assert server.requests[0].header("Authorization") == "Bearer+ATLAS-013b45"

    def test_needs_none_of_the_app_headers(self, server):
        requests.get(server.url, auth=TokenAuth("013b45"), timeout=5)
        assert not server.requests[0].has("X-User-Id")
        assert not server.requests[0].has("X-Date")

    @pytest.mark.parametrize("token", ["", "  ", "Bearer ", "AT+", "a\r\nX-Evil: 1", "a\n", "ü", "a\x00"])
    def test_tokens_that_are_no_header(self, token):
        with pytest.raises(KooDriveConfigError, match="access token") as caught:
            TokenAuth(token)
        assert not token.strip() or token not in str(caught.value)

    def test_prefix_that_is_no_header(self):
        with pytest.raises(KooDriveConfigError, match="token prefix"):
            TokenAuth("013b45", "Bearer\r\n")

    def test_repr_of_the_headers_hides_the_token(self):
        assert "013b45" not in repr(signed_by(TokenAuth("013b45"), "GET", LIST).headers)

    def test_repr_hides_the_token(self):
        assert "013b45" not in repr(TokenAuth("013b45"))


def test_redirect_is_signed_for_nobody_else():
    """A client other than ours may follow a redirect; the signature must not reach another host."""

    def elsewhere(exchange: Exchange) -> None:
        exchange.send(reply(b"", 302, [("Location", f"http://localhost:{other.port}/")]))

    with RawServer(always(reply({"code": 0}))) as other, RawServer(elsewhere) as server:
        requests.get(server.url, auth=AppAuth(APP_ID, APP_SECRET, USER_ID), timeout=5)
    assert not other.requests[0].has("Authorization")
