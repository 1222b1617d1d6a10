"""Any bytes for an answer to any call: only KooDriveErrors come out, and the call ends."""

from __future__ import annotations

import gzip
import json
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.clients import app_client, token_client
from support.raw_server import Exchange, RawServer

from airflow_provider_koodrive.api.group_spaces import GroupSpaces
from airflow_provider_koodrive.exceptions import KooDriveError

PATIENCE = {"connect_timeout": 1.0, "read_timeout": 0.05, "deadline": 0.3, "max_attempts": 2}

CALLS = {
    "create": lambda spaces: spaces.create("Finance", user_ids=["7", "8"], capacity=1),
    "reuse": lambda spaces: spaces.create("Finance", user_ids=["7", "8"], if_exists="reuse"),
    "list": lambda spaces: spaces.list_all(),
    "iterate": lambda spaces: list(spaces.iterate(page_size=2)),
    "find": lambda spaces: spaces.find("Finance"),
    "dismiss": lambda spaces: spaces.dismiss("17"),
    "get": lambda spaces: spaces.client.call("GET", "/koodrive/ose/v1/service"),
    "post": lambda spaces: spaces.client.call("POST", "/koodrive/ose/v1/users", json={"a": 1}),
}


class Answers:
    """A server whose answers a test sets; after the last one it says no more."""

    def __init__(self) -> None:
        self.queue: list[bytes] = []
        self.ends = False

    def handle(self, exchange: Exchange) -> None:
        exchange.send(self.queue.pop(0) if self.queue else b"")
        if self.ends:
            exchange.close()


@pytest.fixture(scope="module")
def answers():
    return Answers()


@pytest.fixture(scope="module")
def url(answers):
    with RawServer(answers.handle) as server:
        yield server.url


def told_by(url: str, answers: Answers, call, queue: list[bytes], ends: bool, make=token_client) -> str:
    """The error of a call to a server that gives these answers; any other exception is the test's failure."""
    answers.queue, answers.ends = list(queue), ends
    client = make(url, **PATIENCE)
    try:
        CALLS[call](GroupSpaces(client))
    except KooDriveError as error:
        return str(error)
    finally:
        client.close()
    return ""


def http(status: int | str, headers: list[tuple[str, str]], body: bytes) -> bytes:
    lines = [f"HTTP/1.1 {status} Whatever", *(f"{name}: {value}" for name, value in headers)]
    return "\r\n".join(lines).encode("latin-1", "replace") + b"\r\n\r\n" + body


def with_length(body: bytes, status: int = 200, headers: tuple[tuple[str, str], ...] = ()) -> bytes:
    return http(status, [*headers, ("Content-Length", str(len(body)))], body)


field_text = st.text(
    st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=30
)
header_names = st.sampled_from(
    [
        "Content-Length",
        "Transfer-Encoding",
        "Content-Encoding",
        "Content-Type",
        "Location",
        "Set-Cookie",
        "Retry-After",
        "Date",
        "Connection",
        "Trailer",
        "WWW-Authenticate",
        "Link",
        "Upgrade",
    ]
) | field_text.map(lambda text: text.replace(":", ""))
header_values = (
    st.sampled_from(
        [
            "-1",
            "1, 2",
            "9" * 40,
            "0x10",
            "chunked",
            "chunked, gzip",
            "identity",
            "gzip",
            "deflate",
            "br",
            "close",
            "keep-alive",
            "http://[",
            "//",
            "\xff",
            "a=b; Expires=Thu, 99 Foo 99999 99:99:99 GMT; Max-Age=1e999",
            "a=b; Domain=.; Path=\\",
            "Fri, 31 Dec 9999 23:59:59 GMT",
            "Mon, 01 Jan 0001 00:00:00 +2359",
            "text/html; charset=unknown-8bit",
            'application/json; charset="\\',
            "multipart/mixed; boundary=",
        ]
    )
    | field_text
)
statuses = st.integers(100, 999) | st.sampled_from([200, 204, 301, 302, 304, 400, 401, 403, 429, 500, 503])
encodings = st.sampled_from([bytes, gzip.compress, zlib.compress, lambda body: gzip.compress(body)[:-4]])
numbers_of_all_kinds = st.integers() | st.integers(10**15, 10**40) | st.floats(allow_nan=True)
text = st.text(st.characters(), max_size=20)
json_values = st.recursive(
    st.none() | st.booleans() | numbers_of_all_kinds | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=6,
)
FIELDS = {
    "id": st.sampled_from(["17", 17, "../17", "1/7?", "%2e%2e", "", None]),
    "name": st.sampled_from(["Finance", None, "Other"]),
    "groupName": st.sampled_from(["Finance", None]),
    "ownerId": st.sampled_from(["1505084218764547200", 42, None]),
    "createTime": st.sampled_from(["2026-11-22T01:00:00.000Z", "0001-01-01", "P1Y", "now", 0]),
    "capacity": st.integers(),
    "userId": st.sampled_from(["7", 7, "\ud800", None]),
    "containerId": text,
}
records = st.fixed_dictionaries({}, optional={name: values | json_values for name, values in FIELDS.items()})
envelopes = st.fixed_dictionaries(
    {"code": st.sampled_from([0, "0", 0, "0", 13000201, 13000405, 13009999, None, {}]) | json_values},
    optional={
        "msg": json_values,
        "id": FIELDS["id"] | json_values,
        "total": st.integers(-2, 5) | json_values,
        "groups": st.lists(records, max_size=4) | json_values,
        "teams": st.lists(records, max_size=4) | json_values,
        "userGroupMemberInfos": st.lists(records, max_size=4) | json_values,
        "failedList": st.lists(text, max_size=3) | json_values,
        "status": st.integers(-1, 3) | json_values,
        "data": records | st.lists(records, max_size=2) | json_values,
    },
)

sizes = st.sampled_from(["{:x}", "{:X};a=b", "0{:x}", " {:x} ", "-{:x}", "{:x}g", "-1", ""]).map(
    lambda form: form.format
)

calls = pytest.mark.parametrize("call", CALLS)
quick = settings(max_examples=max(1, settings.default.max_examples // 5))


@calls
@quick
@given(raw=st.lists(st.binary(max_size=200), max_size=3))
def test_bytes(url, answers, call, raw):
    assert told_by(url, answers, call, raw, ends=True).isprintable()


@calls
@quick
@given(
    status=statuses | st.sampled_from(["", "abc", "-1", "99999999999", "2"]),
    headers=st.lists(st.tuples(header_names, header_values), max_size=6),
    body=st.binary(max_size=200) | envelopes.map(lambda body: json.dumps(body).encode()),
    encode=encodings,
)
def test_headers(url, answers, call, status, headers, body, encode):
    assert told_by(url, answers, call, [http(status, headers, encode(body))] * 8, ends=True).isprintable()


@calls
@quick
@given(
    bodies=st.lists(envelopes, min_size=1, max_size=8),
    status=st.sampled_from([200, 200, 200, 400, 401, 429, 500]),
    cookie=header_values,
)
def test_envelopes(url, answers, call, bodies, status, cookie):
    headers = (("Content-Type", "application/json"), ("Set-Cookie", cookie), ("Retry-After", "0"))
    queue = [with_length(json.dumps(body).encode(), status, headers) for body in bodies]
    assert told_by(url, answers, call, queue * 3, ends=False, make=app_client).isprintable()


@calls
@quick
@given(
    chunks=st.lists(
        st.tuples(st.sampled_from(["%x", "%X;a=b", "0%x", " %x ", "-%x", "%xg", ""]), st.binary(max_size=20))
    ),
    trailer=st.binary(max_size=30),
)
def test_chunks(url, answers, call, chunks, trailer):
    body = b"".join(
        (size % len(data) if size else "").encode() + b"\r\n" + data + b"\r\n" for size, data in chunks
    )
    answer = http(200, [("Transfer-Encoding", "chunked")], body + b"0\r\n" + trailer + b"\r\n")
    assert told_by(url, answers, call, [answer] * 4, ends=True).isprintable()
