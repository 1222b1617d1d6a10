"""Authentication: tokens and app signatures, the rules and their limits."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import pytest
import requests
from sandbox_calls import PREFIX, TIMEOUT, refusal, sign, x_date

from airflow_provider_koodrive.sandbox.http import auth

if TYPE_CHECKING:
    from sandbox_calls import Caller

    from airflow_provider_koodrive.sandbox.server import Sandbox

HOST = "intl.myhuaweicloud-koodrive.com"
BODY = b'{"name":"demo","capacity":20,"addGroupUsers":[]}'
LIST = ("GET", f"{PREFIX}/space/groupList", "offset=0&limit=10", b"")
SEARCH = ("GET", f"{PREFIX}/space/groupList", "offset=0&limit=10&keyWord=a%20b%2F%C3%A9~", b"")
CREATE = ("POST", f"{PREFIX}/space/group", "", BODY)
WITH_HOST = ["host", "x-date", "x-user-id"]
WITHOUT_HOST = ["x-date", "x-user-id"]


class TestVectors:
    """The vectors of the API reference, section 2.2."""

    @pytest.mark.parametrize(
        ("call", "names", "digest", "expected"),
        [
            pytest.param(
                LIST,
                WITH_HOST,
                "55e84d8be58b175776b9a7eb14b1f36d8ab2bf081960b568050681819018fbef",
                "6f97b6098d9f756861f338ead62148a530eb6e5bca7a817e308b0e54075667ef",
                id="A",
            ),
            pytest.param(
                LIST,
                WITHOUT_HOST,
                "e3e7cb29d6fe76a4614f6a7ff55f8f887acf1fbcdf24ec9dcb01795b2c309aa3",
                "88952810d084fc83821f40ab03b40caa306236701467d0a9f7e67f9899272c59",
                id="B",
            ),
            pytest.param(
                CREATE,
                WITH_HOST,
                "c198ff10735208b2783aa3d60c3cc7f0352e8ee53780c6c817357bd4036a7b9f",
                "8a5b1b132132bca9ea60cc39057cc583a02e28b7c56b3a0b1a1aa81166a80ccd",
                id="C",
            ),
            pytest.param(
                CREATE,
                WITHOUT_HOST,
                "0bc4134fdba0f0daf782861f1c1db421d6b4a2e80590f8d20437638191f7785c",
                "9f45006479bee47032f7e68e6b6dc10a7a689a3a622bc243cc4af4ba81ebb642",
                id="D",
            ),
            pytest.param(
                SEARCH,
                WITH_HOST,
                "b667f697d727e3370d68b1d008e53f18c179ab36ef49917bd2c4c52e619e5deb",
                "a969e33b0b36601e124ce68a6860b433c7f712f1b3d903dab1e3f30fd1a69f21",
                id="E",
            ),
        ],
    )
    def test_signature_of_the_reference(
        self, call: tuple[str, str, str, bytes], names: list[str], digest: str, expected: str
    ) -> None:
        method, path, query, body = call
        headers = {"host": HOST, "x-date": "20240909T033325Z", "x-user-id": "1505084218764547200"}
        request = auth.WireRequest(method, path, query, headers, body)
        canonical = auth.canonical_request(request, names)
        assert hashlib.sha256(canonical.encode()).hexdigest() == digest
        assert auth.signature(request, names, "example-app-secret") == expected

    @pytest.mark.parametrize(
        ("raw", "canonical"),
        [
            ("/a/b", "/a/b/"),
            ("/a/b/", "/a/b/"),
            ("/a/./b/../c", "/a/c/"),
            ("/..", "/"),
            ("/%7Eb/%2f", "/~b/%2F/"),
            ("/é", "/%C3%A9/"),
        ],
    )
    def test_path(self, raw: str, canonical: str) -> None:
        assert auth.canonical_path(raw) == canonical

    @pytest.mark.parametrize(
        ("raw", "canonical"),
        [
            ("", ""),
            ("b=2&a=", "a=&b=2"),
            ("a", "a="),
            ("b=1&F=2", "F=2&b=1"),
            ("a=x+y&b=%2b", "a=x%20y&b=%2B"),
        ],
    )
    def test_query(self, raw: str, canonical: str) -> None:
        assert auth.canonical_query(raw) == canonical


class TestToken:
    @pytest.mark.parametrize("form", ["{}", "Bearer+{}", "Bearer {}", "AT+{}", "AT {}"])
    def test_each_form_is_accepted(self, koodrive_sandbox: Sandbox, form: str) -> None:
        header = form.format(koodrive_sandbox.issue_token())
        answer = get(koodrive_sandbox, "/session/auth", Authorization=header)
        assert answer.status_code == 200
        assert answer.json()["data"]["innerUserId"] == koodrive_sandbox.admin_user_id

    @pytest.mark.parametrize("header", [None, "", "Bearer+", "Bearer+nonsense", "Basic abc def"])
    def test_anything_else_is_refused(self, koodrive_sandbox: Sandbox, header: str | None) -> None:
        headers = {} if header is None else {"Authorization": header}
        assert refusal(get(koodrive_sandbox, "/session/auth", **headers)) == (401, "APIGW.0301")

    def test_of_nobody_is_refused(self, koodrive_sandbox: Sandbox) -> None:
        token = koodrive_sandbox.issue_token("42")
        assert refusal(get(koodrive_sandbox, "/session/auth", Authorization=token)) == (401, "APIGW.0301")

    def test_that_has_expired_is_refused(self, koodrive_sandbox: Sandbox) -> None:
        token = koodrive_sandbox.issue_token(lifetime=-1)
        assert refusal(get(koodrive_sandbox, "/session/auth", Authorization=token)) == (401, "APIGW.0301")

    def test_expires_twenty_minutes_after_its_last_call(self, koodrive_sandbox: Sandbox) -> None:
        token = koodrive_sandbox.issue_token(lifetime=60)

        def status_after(seconds: float) -> int:
            koodrive_sandbox.faults.clear()
            koodrive_sandbox.faults.add("*", "clock_skew", seconds=seconds)
            return get(koodrive_sandbox, "/session/auth", Authorization=token).status_code

        assert [status_after(90), status_after(30)] == [401, 200]
        assert [status_after(30 + 1190), status_after(30 + 1190 + 1210)] == [200, 401]


class TestSignature:
    @pytest.mark.parametrize("names", ["host;x-date;x-user-id", "x-date;x-user-id"])
    def test_of_a_get_with_a_query_is_accepted(self, koodrive_sandbox: Sandbox, names: str) -> None:
        answer = signed(koodrive_sandbox, query="limit=10&offset=0&keyWord=a%20b%2F%C3%A9~", names=names)
        assert answer.status_code == 200
        assert koodrive_sandbox.calls[-1].user_id == koodrive_sandbox.admin_user_id

    def test_of_a_post_is_accepted(self, koodrive_sandbox: Sandbox) -> None:
        answer = signed(
            koodrive_sandbox, "POST", "/space/group", body='{"name":"é","addGroupUsers":[]}'.encode()
        )
        assert answer.status_code == 200
        assert [space["name"] for space in koodrive_sandbox.spaces()] == ["é"]

    def test_acts_for_its_user(self, koodrive_sandbox: Sandbox) -> None:
        answer = signed(koodrive_sandbox, user_id=koodrive_sandbox.user_ids[1])
        assert refusal(answer) == (400, 13000410)

    @pytest.mark.parametrize(
        "wrong",
        [
            pytest.param({"secret": "guess"}, id="secret"),
            pytest.param({"app_id": "guess"}, id="app id"),
            pytest.param({"user_id": "42"}, id="user"),
            pytest.param({"names": "host;x-date"}, id="no x-user-id"),
            pytest.param({"names": "host;x-user-id"}, id="no x-date"),
            pytest.param({"names": "x-user-id;x-date"}, id="order"),
            pytest.param({"names": "x-absent;x-date;x-user-id"}, id="absent header"),
            pytest.param({"date": "2024-08-31T14:38:29Z"}, id="form of the date"),
            pytest.param({"after": {"X-User-Id": "1505084218764547202"}}, id="user put in later"),
            pytest.param({"after": {"Authorization": "HMAC-SHA256 nonsense"}}, id="header"),
        ],
    )
    def test_that_is_wrong_is_refused(self, koodrive_sandbox: Sandbox, wrong: dict[str, Any]) -> None:
        answer = signed(koodrive_sandbox, **wrong)
        assert refusal(answer) == (401, "APIGW.0303")
        assert koodrive_sandbox.app_secret not in answer.text
        assert koodrive_sandbox.calls[-1].user_id is None
        assert koodrive_sandbox.authorizations == [answer.request.headers["Authorization"]]

    @pytest.mark.parametrize("what", ["path", "query", "body", "method"])
    def test_covers(self, koodrive_sandbox: Sandbox, what: str) -> None:
        prepared = prepare(koodrive_sandbox, "POST", "/space/group", query="a=1", body=b'{"name":"a"}')
        if what == "path":
            prepared.url = prepared.url.replace("/group", "/group/1")
            prepared.method = "DELETE"
        elif what == "query":
            prepared.url = prepared.url.replace("a=1", "a=2")
        elif what == "body":
            prepared.body = b'{"name":"b"}'
        else:
            prepared.url = prepared.url.replace("/group", "/teamList")
            prepared.method = "GET"
        assert refusal(transmit(prepared)) == (401, "APIGW.0303")
        assert koodrive_sandbox.spaces() == []

    @pytest.mark.parametrize(("seconds", "status"), [(-840, 200), (-901, 401), (-1, 200), (60, 401)], ids=str)
    def test_is_valid_for_fifteen_minutes_and_not_in_advance(
        self, koodrive_sandbox: Sandbox, seconds: int, status: int
    ) -> None:
        assert signed(koodrive_sandbox, date=x_date(seconds)).status_code == status

    def test_is_not_for_the_session(self, koodrive_sandbox: Sandbox) -> None:
        assert refusal(signed(koodrive_sandbox, path="/session/auth", query="")) == (401, "APIGW.0303")


class TestTraceId:
    @pytest.mark.parametrize("length", [1, 57, 59])
    def test_of_another_length_is_refused(self, admin: Caller, length: int) -> None:
        answer = admin.send("GET", "/session/auth", headers={"X-Traceid": "x" * length})
        assert refusal(answer) == (400, 13000102)

    def test_is_recorded(self, admin: Caller, koodrive_sandbox: Sandbox) -> None:
        assert admin.send("GET", "/session/auth", headers={"X-Traceid": "x" * 58}).status_code == 200
        assert koodrive_sandbox.calls[-1].trace_id == "x" * 58


def get(sandbox: Sandbox, path: str, **headers: str) -> requests.Response:
    return requests.get(f"{sandbox.url}{PREFIX}{path}", headers=headers, timeout=TIMEOUT)


def prepare(
    sandbox: Sandbox,
    method: str = "GET",
    path: str = "/space/groupList",
    *,
    query: str = "offset=0&limit=10",
    body: bytes = b"",
    names: str = "host;x-date;x-user-id",
    app_id: str | None = None,
    secret: str | None = None,
    user_id: str | None = None,
    date: str | None = None,
    after: dict[str, str] | None = None,
) -> requests.PreparedRequest:
    url = f"{sandbox.url}{PREFIX}{path}" + (f"?{query}" if query else "")
    prepared = requests.Request(method, url, data=body).prepare()
    sign(
        prepared,
        app_id=app_id or sandbox.app_id,
        secret=secret or sandbox.app_secret,
        headers={"X-Date": date or x_date(-1), "X-User-Id": user_id or sandbox.admin_user_id},
        names=names,
    )
    prepared.headers.update(after or {})
    return prepared


def transmit(prepared: requests.PreparedRequest) -> requests.Response:
    with requests.Session() as session:
        return session.send(prepared, timeout=TIMEOUT)


def signed(sandbox: Sandbox, *call: str, **options: Any) -> requests.Response:
    if len(call) > 1:
        options.setdefault("query", "")
    return transmit(prepare(sandbox, *call, **options))
