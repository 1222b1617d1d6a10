from __future__ import annotations

import json
from datetime import datetime, timezone
from email.utils import format_datetime
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from requests.structures import CaseInsensitiveDict

from airflow_provider_koodrive.api.http.envelope import open_envelope
from airflow_provider_koodrive.exceptions import (
    KooDriveAuthenticationError,
    KooDriveConflictError,
    KooDriveError,
    KooDriveGatewayError,
    KooDrivePermissionError,
    KooDriveQuotaError,
    KooDriveResponseError,
    KooDriveServerError,
    KooDriveThrottledError,
    KooDriveValidationError,
)
from airflow_provider_koodrive.formatting import one_line, shown

if TYPE_CHECKING:
    from collections.abc import Callable

NOT_JSON = b"<html><body>Bad Gateway</body></html>"


def opened(status=200, body=b"", headers=(), **options):
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return open_envelope(status, CaseInsensitiveDict(headers), content, **options)


def refused(status=200, body=b"", headers=(), **options) -> KooDriveError:
    with pytest.raises(KooDriveError) as caught:
        opened(status, body, headers, **options)
    return caught.value


def http_date(moment: datetime) -> str:
    return format_datetime(moment, usegmt=True)


def now() -> datetime:
    return datetime.now(timezone.utc)


class TestSuccess:
    @pytest.mark.parametrize("code", [0, "0", " 0 ", "0\n"])
    @pytest.mark.parametrize("status", [200, 201])
    def test_code(self, code, status):
        assert opened(status, {"code": code, "id": "1"}) == {"code": code, "id": "1"}

    @pytest.mark.parametrize("msg", ["OK", "Success.", "成功", "error", None, 5, {}])
    def test_msg_is_never_asked(self, msg):
        assert opened(body={"code": 0, "msg": msg})["code"] == 0

    def test_byte_order_mark(self):
        assert opened(body=b'\xef\xbb\xbf{"code": 0}') == {"code": 0}

    @pytest.mark.parametrize("code", [{}, {"code": None}])
    def test_no_code_but_what_was_expected(self, code):
        body = {**code, "groups": []}
        assert opened(body=body, expects=("groups", "teams")) == body

    @pytest.mark.parametrize("body", [{"groups": []}, {}])
    def test_no_code_and_nothing_expected(self, body):
        assert type(refused(body=body, expects=("teams",))) is KooDriveResponseError
        assert type(refused(body=body)) is KooDriveResponseError

    def test_no_code_is_no_success_with_another_status(self):
        assert isinstance(refused(404, {"groups": []}, expects=("groups",)), KooDriveResponseError)


class TestKinds:
    """The code that is known comes first, then the HTTP status."""

    @pytest.mark.parametrize(
        ("code", "kind"),
        [
            (13000102, KooDriveValidationError),
            ("13000102", KooDriveValidationError),
            (" 13000102 ", KooDriveValidationError),
            (13000201, KooDriveServerError),
            (13000301, KooDriveValidationError),
            (13000311, KooDriveQuotaError),
            (13000405, KooDriveConflictError),
            (13000410, KooDrivePermissionError),
            ("APIGW.0301", KooDriveAuthenticationError),
            ("APIGW.0303", KooDriveAuthenticationError),
            ("APIGW.0308", KooDriveThrottledError),
        ],
    )
    @pytest.mark.parametrize("status", [200, 400, 401, 500])
    def test_known_code(self, code, kind, status):
        error = refused(status, {"code": code, "msg": "no"})
        assert type(error) is kind
        assert (error.http_status, error.code, error.msg) == (status, code, "no")

    @pytest.mark.parametrize("code", [13000102, 13000201, "APIGW.0301"])
    def test_too_many_requests_whatever_the_code(self, code):
        assert type(refused(429, {"code": code})) is KooDriveThrottledError

    @pytest.mark.parametrize(
        ("status", "kind"),
        [
            (200, KooDriveError),
            (302, KooDriveResponseError),
            (400, KooDriveError),
            (401, KooDriveAuthenticationError),
            (403, KooDrivePermissionError),
            (404, KooDriveError),
            (409, KooDriveConflictError),
            (429, KooDriveThrottledError),
            (500, KooDriveServerError),
            (503, KooDriveServerError),
            (599, KooDriveServerError),
        ],
    )
    @pytest.mark.parametrize("code", [13009999, "APIGW.9999", "x", -1, True])
    def test_unknown_code(self, status, kind, code):
        error = refused(status, {"code": code, "msg": "no"})
        assert type(error) is kind
        assert error.code == code

    @pytest.mark.parametrize(
        ("status", "kind"),
        [
            (302, KooDriveResponseError),
            (400, KooDriveResponseError),
            (401, KooDriveAuthenticationError),
            (403, KooDrivePermissionError),
            (404, KooDriveResponseError),
            (409, KooDriveConflictError),
            (429, KooDriveThrottledError),
            (502, KooDriveServerError),
        ],
    )
    @pytest.mark.parametrize(
        "body", [{"code": 0}, {"code": "0"}, {}, {"code": None}, {"code": {}}, {"code": []}]
    )
    def test_no_code_or_success_with_a_status_of_failure(self, status, kind, body):
        assert type(refused(status, body)) is kind

    @pytest.mark.parametrize("code", [{}, [], {"a": 1}, ["0"]])
    def test_code_of_a_wrong_type(self, code):
        error = refused(body={"code": code, "groups": []}, expects=("groups",))
        assert type(error) is KooDriveResponseError
        assert error.code is None

    @pytest.mark.parametrize(
        "body", [NOT_JSON, b"", b"[]", b'"0"', b"0", b"null", b'{"code": 0', b"\xff\xfe"]
    )
    @pytest.mark.parametrize(
        ("status", "kind"),
        [
            (200, KooDriveResponseError),
            (204, KooDriveResponseError),
            (302, KooDriveResponseError),
            (400, KooDriveResponseError),
            (401, KooDriveAuthenticationError),
            (403, KooDrivePermissionError),
            (404, KooDriveResponseError),
            (409, KooDriveResponseError),
            (429, KooDriveThrottledError),
            (500, KooDriveGatewayError),
            (502, KooDriveGatewayError),
        ],
    )
    def test_no_envelope(self, status, kind, body):
        error = refused(status, body)
        assert type(error) is kind
        assert (error.http_status, error.code, error.msg) == (status, None, None)

    def test_a_gateways_page_is_a_server_error_and_no_envelope(self):
        error = refused(502, NOT_JSON)
        assert isinstance(error, KooDriveServerError)
        assert isinstance(error, KooDriveResponseError)

    @pytest.mark.parametrize(
        "body",
        [
            b'{"code": NaN}',
            b'{"code": 0, "a": Infinity}',
            b'{"code": 0, "a": -Infinity}',
            b'{"code": 0, "a": 1e999}',
            b'{"code": 0, "a": [-1.5E+400]}',
            b'{"code": 0, "a": 1' + b"0" * 5000 + b"}",
            b'{"code": 0, "a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
            b'{"a":' * 100_000,
            b"{'code': 0}",
            b'{"code": 0} {}',
            b'{"code": 0}\x00',
            '{"code": 0}'.encode("utf-16"),
        ],
        ids=[
            "NaN",
            "Infinity",
            "-Infinity",
            "1e999",
            "-1.5E+400",
            "long number",
            "deep",
            "deep and cut",
            "quotes",
            "two",
            "nul",
            "utf-16",
        ],
    )
    def test_what_is_not_json(self, body):
        assert type(refused(body=body)) is KooDriveResponseError

    @pytest.mark.parametrize("opening", ["[", '{"a":', '{"a":"[[","b":', '["{",'])
    @pytest.mark.parametrize("depth", [100, 101, 900, 5_000, 100_000])
    def test_depth(self, depth, opening):
        closing = "]" if opening.startswith("[") else "}"
        inner = depth - 1
        body = f'{{"code": 0, "groups": {opening * inner}1{closing * inner}}}'.encode()
        if depth == 100:
            assert json.dumps(opened(body=body))
        else:
            error = refused(body=body)
            assert type(error) is KooDriveResponseError
            assert "deeper than 100" in str(error)

    @pytest.mark.parametrize("mark", ["{},", "[],", "0,", '"{[,",'])
    def test_more_values_than_memory_holds(self, mark):
        """Some kilobytes of gzip make 64 MiB of them, and those gigabytes of Python's objects."""
        body = b'{"code": 0, "groups": [' + mark.encode() * 2_000_001 + b"0]}"
        error = refused(body=body)
        assert type(error) is KooDriveResponseError
        assert "more than 2000000 brackets and commas" in str(error)

    def test_many_values(self):
        groups = [{"id": str(number), "name": "a, b"} for number in range(100_000)]
        assert opened(body={"code": 0, "groups": groups})["groups"] == groups

    @pytest.mark.parametrize(
        ("body", "why"),
        [
            (b"<html>", "it is not JSON"),
            (b"[]", "it is not a JSON object"),
            (b'{"code": 0, "a": 1e999}', "it has a number that is too large"),
            (b'{"code": 0, "a": NaN}', "it is not JSON"),
        ],
    )
    @pytest.mark.parametrize("status", [200, 500])
    def test_it_says_why(self, body, why, status):
        assert why in str(refused(status, body))

    @pytest.mark.parametrize("depth", [50, 200, 900, 5_000])
    @pytest.mark.parametrize("field", ["code", "msg"])
    def test_depth_where_text_is_expected(self, depth, field):
        body = {"code": 13009999, "msg": "no"}
        deep = json.dumps({**body, field: "DEEP"}).replace('"DEEP"', "[" * depth + "]" * depth).encode()
        assert isinstance(refused(400, deep), KooDriveError)


class TestMessage:
    def test_first_200_characters(self):
        error = refused(body="é".encode() * 150 + b"x" * 150 + b"hidden")
        assert "é" * 150 + "x" * 50 + "'" in str(error)
        assert "x" * 51 not in str(error)

    def test_secret_at_the_cut(self):
        body = b"x" * 195 + b"s3cr3t-s3cr3t" + b"y" * 100
        error = refused(body=body, redact=lambda text: text.replace("s3cr3t-s3cr3t", "***"))
        assert "s3" not in str(error)
        assert "x" * 195 + "***" + "yy'" in str(error)

    @pytest.mark.parametrize("field", ["code", "msg"])
    def test_secret_at_the_cut_of_a_field(self, field):
        body = {"code": "X.1", "msg": "no", field: "x" * 195 + "s3cr3t-s3cr3t"}
        error = refused(400, body, redact=lambda text: text.replace("s3cr3t-s3cr3t", "***"))
        assert "s3" not in str(error)
        assert getattr(error, field) == "x" * 195 + "***"

    @pytest.mark.parametrize("field", ["code", "msg"])
    def test_no_line_of_the_servers_making(self, field):
        body = {"code": "X.1", "msg": "no", field: "a\nERROR all is lost\u2028\x1b[31m\ud800"}
        error = refused(400, body)
        assert str(error).isprintable()
        str(error).encode()

    def test_text_of_other_scripts_stays(self):
        error = refused(400, {"code": "X.1", "msg": "空间已存在。\u3000\n请联系"})
        assert error.msg == "空间已存在。\\u3000\\n请联系"

    @pytest.mark.parametrize("code", [10**30, -(10**30), 10**4000], ids=["1e30", "-1e30", "1e4000"])
    def test_code_without_end(self, code):
        error = refused(400, {"code": code, "msg": "no"})
        assert len(str(error)) < 500
        assert len(str(error.code)) <= 200

    @pytest.mark.parametrize("value", ["9" * 5000, "\n" * 5000, 10**4000], ids=["text", "lines", "number"])
    def test_msg_without_end(self, value):
        assert len(str(refused(400, {"code": 1, "msg": value}))) < 1000

    def test_redirect_says_so(self):
        assert "a redirect, which is never followed" in str(refused(302, b""))

    @pytest.mark.parametrize("status", [400, 404, 200])
    def test_not_koodrive_at_the_other_end(self, status):
        assert "not KooDrive's" in str(refused(status, NOT_JSON))

    @pytest.mark.parametrize(("signed", "words"), [(True, "App secret"), (False, "new access token")])
    def test_advice_for_the_kind_of_authentication(self, signed, words):
        assert words in refused(401, {"code": "APIGW.0303"}, signed=signed).advice


class TestRetryAfter:
    @pytest.mark.parametrize(("status", "kind"), [(429, KooDriveThrottledError), (503, KooDriveServerError)])
    def test_seconds(self, status, kind):
        error = refused(status, {"code": 1}, {"retry-after": "7"})
        assert isinstance(error, kind)
        assert error.retry_after == 7

    def test_gateways_page(self):
        assert refused(503, NOT_JSON, {"Retry-After": "7"}).retry_after == 7

    def test_absent(self):
        assert refused(429, {"code": 1}).retry_after is None


def json_values(text: st.SearchStrategy[str]) -> st.SearchStrategy[object]:
    return st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | text,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
        max_leaves=5,
    )


JSON_VALUES = json_values(st.text(st.characters(codec="utf-8", exclude_characters="\0")))


def every_text(value: object, change: Callable[[str], str]) -> object:
    """Change each text of a JSON value, keys included."""
    if isinstance(value, dict):
        return {change(key): every_text(inner, change) for key, inner in value.items()}
    if isinstance(value, list):
        return [every_text(inner, change) for inner in value]
    return change(value) if isinstance(value, str) else value


def without_unstorable(text: str) -> str:
    joined = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return joined.replace("\0", "\ufffd")


class TestStorable:
    @given(
        json_values(st.text(st.characters() | st.sampled_from('\0\ud83d\ude00\udfff\\"uUdD'), max_size=8)),
        st.booleans(),
    )
    def test_any_value(self, value, escaped):
        """In any field, nested or not, in keys, as an escape or as it is."""
        body = json.dumps({"a": value, "code": 0}, ensure_ascii=escaped).encode("utf-8", "surrogatepass")
        assert opened(body=body)["a"] == every_text(value, without_unstorable)

    @pytest.mark.parametrize(
        ("text", "stored"),
        [
            (b"a\\u0000b", "a\ufffdb"),
            (b"a\0b", "a\ufffdb"),
            (b"a\\\\u0000b", "a\\u0000b"),
            (b"a\\\\\\u0000b", "a\\\ufffdb"),
            (b"\\ud83d", "\ufffd"),
            (b"\\uDE00\\uD83D", "\ufffd\ufffd"),
            (b"\\uD83d\\ude00", "\U0001f600"),
            (b"\\\\ud83d", "\\ud83d"),
            (b"\xed\xa0\xbd", "\ufffd"),
            (b"\xed\xa0\xbd\xed\xb8\x80", "\U0001f600"),
            ("\ud55c\uad6d \u65e5\u672c".encode(), "\ud55c\uad6d \u65e5\u672c"),
        ],
    )
    @pytest.mark.parametrize(
        "form", [b'{"code":0,"a":"%s"}', b'{"code":0,"a":[{"b":["%s"]}]}', b'{"code":0,"%s":1}']
    )
    def test_spellings(self, text, stored, form):
        assert f"'{stored}'" in str(opened(body=form % text)).replace("\\\\", "\\")

    def test_other_invalid_bytes_are_an_error(self):
        """A name that cannot be read must not look like another's."""
        assert "not JSON" in str(refused(body=b'{"code":0,"a":"\xff"}'))


class TestAnyAnswer:
    @given(st.integers(100, 999), st.binary(), st.dictionaries(st.text(), st.text()))
    def test_bytes(self, status, body, headers):
        assert refused(status, body, headers).http_status == status

    @given(st.integers(100, 999), st.fixed_dictionaries({"code": JSON_VALUES, "msg": JSON_VALUES}))
    def test_json(self, status, body):
        content = json.dumps(body).encode()
        if str(body["code"]).strip() == "0" and status < 300:
            assert opened(status, content)["msg"] == body["msg"]
        else:
            assert str(refused(status, content)).isprintable()


class TestText:
    @given(
        st.text(st.characters()) | st.text(st.sampled_from("a\n\r\x1b\ud800\u2028\u202e\u3000"), max_size=500)
    )
    def test_one_line(self, text):
        line = one_line(text)
        assert line.isprintable()
        assert len(line) <= 200
        line.encode()

    class Raising:
        def __repr__(self):
            raise KeyError("a")

    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            (None, "None"),
            ("a\n", r"'a\n'"),
            (b"a", "b'a'"),
            ("\ud800", r"'\ud800'"),
            (10**5000, "a value of type int"),
            ({"a": 10**5000}, "a value of type dict"),
            (Raising(), "a value of type Raising"),
            ("x" * 500, "'" + "x" * 199),
        ],
        ids=["None", "line", "bytes", "surrogate", "huge", "huge inside", "raising", "long"],
    )
    def test_shown(self, value, expected):
        assert shown(value) == expected

    @given(JSON_VALUES | st.binary() | st.complex_numbers())
    def test_anything_is_shown(self, value):
        assert shown(value).isprintable()


class TestDepth:
    @given(JSON_VALUES, st.integers(0, 150))
    def test_counted_from_the_envelope(self, value, wrapped):
        """What is taken can be written again, by any reader's means."""
        for _ in range(wrapped):
            value = [value]
        body = json.dumps({"code": 0, "a": value}).encode()
        if wrapped <= 90:
            assert opened(body=body)["a"] == value
        elif wrapped >= 100:
            assert "deeper than 100 levels" in str(refused(body=body))
