"""Any bytes for an answer to any call: only KooDriveErrors come out, and the call ends."""

from __future__ import annotations

import gzip
import json
import re
import time
import zlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.clients import app_client, token_client
from support.raw_server import Exchange, RawServer
from support.spaces import Spaces

from airflow_provider_koodrive.api.create.journal import read_intent
from airflow_provider_koodrive.connection.check import check_client
from airflow_provider_koodrive.exceptions import KooDriveError, KooDriveOutcomeUnknownError

SHORT_TIMEOUTS = {"connect_timeout": 1.0, "read_timeout": 0.05, "deadline": 0.3, "max_attempts": 2}

# Detects a hang, not a slow machine.
HANG_SECONDS = 20


class Journal:
    """What a task remembers: what its first try noted as it sent the create, for then it died."""

    def __init__(self) -> None:
        self.noted: dict[str, Any] | None = None

    def read(self):
        return self.noted

    def note(self, intent):
        json.dumps(intent, allow_nan=False)
        self.noted = self.noted or intent

    def forget(self):
        """It never is: the first try is still open."""


OVER, OPEN = Journal(), Journal()
# When these first tries were, by the server's clock: as RECORD was created, and so late that a create from
# then may still arrive.
FIRST_TRIES = [(OVER, "Sun, 22 Nov 2026 01:00:00 GMT"), (OPEN, "Wed, 01 Jan 2098 00:00:00 GMT")]

LATER = "Sun, 22 Nov 2026 01:00:30 GMT"

CALLS = {
    "create": lambda spaces: spaces.create("Finance", user_ids=["7", "8"], capacity=1),
    "reuse": lambda spaces: spaces.create("Finance", user_ids=["7", "8"], if_exists="reuse"),
    "retry": lambda spaces: spaces.create("Finance", user_ids=["7", "8"], journal=OVER),
    "early retry": lambda spaces: spaces.create("Finance", user_ids=["7", "8"], journal=OPEN),
    "list": lambda spaces: spaces.list_all(),
    "iterate": lambda spaces: list(spaces.iterate(page_size=2)),
    "find": lambda spaces: spaces.find("Finance"),
    "dismiss": lambda spaces: spaces.dismiss("17"),
    "get": lambda spaces: spaces.client.request("GET", "/koodrive/ose/v1/service"),
    "post": lambda spaces: spaces.client.request("POST", "/koodrive/ose/v1/users", json={"a": 1}),
    "check_client": lambda spaces: check_client(spaces.client, seconds=9)[1],
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


@pytest.fixture(scope="module", autouse=True)
def first_tries(url, answers):
    """Let a real create fill the journals: its look finds nothing, and then the server hangs up."""
    for journal, date in FIRST_TRIES:
        answers.queue, answers.ends = [a_list_of(date=date)] * 2, True
        client = token_client(url)
        with pytest.raises(KooDriveOutcomeUnknownError):
            Spaces(client).create("Finance", journal=journal)
        client.close()
        assert read_intent(journal, "Finance") is not None


def told_by(url: str, answers: Answers, call, queue: list[bytes], ends: bool, make=token_client) -> str:
    """What a call says of a server that gives these answers; any other exception is the test's failure."""
    answers.queue, answers.ends = list(queue), ends
    client = make(url, **SHORT_TIMEOUTS)
    started = time.monotonic()
    try:
        result = CALLS[call](Spaces(client))
        return result if isinstance(result, str) else ""
    except KooDriveError as error:
        return str(error)
    finally:
        client.close()
        assert time.monotonic() - started < HANG_SECONDS


def http(status: int | str, headers: list[tuple[str, str]], body: bytes) -> bytes:
    lines = [f"HTTP/1.1 {status} Whatever", *(f"{name}: {value}" for name, value in headers)]
    return "\r\n".join(lines).encode("latin-1", "replace") + b"\r\n\r\n" + body


def with_length(body: bytes, status: int = 200, headers: tuple[tuple[str, str], ...] = ()) -> bytes:
    return http(status, [*headers, ("Content-Length", str(len(body)))], body)


def a_list_of(*records: object, date: str | None = None) -> bytes:
    """Answer any list, with the time where one is given."""
    lists = dict.fromkeys(("groups", "teams", "userGroupMemberInfos"), records)
    body = {"code": 0, "total": len(records), **lists, "failedList": [], "status": 0}
    return with_length(as_json(body), headers=(("Date", date),) if date else ())


NESTS = {"lists": ("[", "]"), "objects": ('{"a":', "}")}


def as_json(value: object) -> bytes:
    """Write JSON; numbers between << and >> as they are, and so many lists or objects within each other."""

    def nest(found):
        (opening, closing), levels = NESTS[found[1]], int(found[2])
        return f"{opening * levels}0{closing * levels}"

    text = re.sub(r'"<<(-?[0-9e]+)>>"', r"\1", json.dumps(value))
    return re.sub(r'"<<(lists|objects) ([0-9]+)>>"', nest, text).encode()


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
RAW = ["1e999", "-1e999", "0" * 400 + "1", "9" * 400, "9" * 4000, "9" * 5000]
raw = st.sampled_from(RAW) | st.builds("{} {}".format, st.sampled_from(list(NESTS)), st.integers(101, 5000))
raw_values = raw.map("<<{}>>".format)
text = st.text(st.characters(), max_size=20)
json_values = st.recursive(
    st.none() | st.booleans() | numbers_of_all_kinds | raw_values | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=6,
)
UNPRINTABLE = ["\x1b[31m17", "17\u2028x", "\u00a017", "17\n18", "1\x007", "\u202e17", "\ud800"]
TIMES = [
    "2026-11-22T01:00:00",
    "0001-01-01",
    "0001-01-01T00:00:00+23:59",
    "9999-12-31T23:59:59-23:59",
    "2026-W99-9",
    "P1Y",
    f"P{'9' * 400}Y",
    f"P{'9' * 5000}D",
    f"2026-11-22/P{'9' * 400}Y",
    "9" * 400,
]
FIELDS = {
    "id": st.sampled_from(["17", 17, "../17", "1/7?", "%2e%2e", "", None, *UNPRINTABLE]),
    "name": st.sampled_from(["Finance", None, "Other"]),
    "groupName": st.sampled_from(["Finance", None]),
    "ownerId": st.sampled_from(["1505084218764547200", 42, None, *UNPRINTABLE]),
    "createTime": st.sampled_from(["2026-11-22T01:00:00.000Z", "now", 0, *TIMES]),
    "capacity": st.integers(),
    "userId": st.sampled_from(["7", 7, None, *UNPRINTABLE]),
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

STRANGE = [
    *UNPRINTABLE,
    *TIMES,
    *map("<<{}>>".format, [*RAW, "lists 101", "lists 5000", "objects 101", "objects 5000"]),
]
RECORD = {
    "id": "17",
    "name": "Finance",
    "ownerId": "1505084218764547200",
    "createTime": "2026-11-22T01:00:00.000Z",
    "capacity": 10,
    "userId": "7",
    "containerId": "c17",
}

calls = pytest.mark.parametrize("call", CALLS)
quick = settings(max_examples=max(1, settings.default.max_examples // 5))


def test_a_retry_knows_its_own_space(url, answers):
    """Else the calls of a retry would test nothing of one."""
    answers.queue, answers.ends = [a_list_of(RECORD, date=LATER)] * 20, False
    client = app_client(url)
    assert CALLS["retry"](Spaces(client))["created"] is True
    with pytest.raises(KooDriveOutcomeUnknownError, match="comes from this create"):
        CALLS["early retry"](Spaces(client))
    client.close()


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
    body=st.binary(max_size=200) | envelopes.map(as_json),
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
    queue = [with_length(as_json(body), status, headers) for body in bodies]
    assert told_by(url, answers, call, queue * 3, ends=False, make=app_client).isprintable()


ENVELOPE = ("id", "total", "failedList", "status", "code", "msg")
WITHOUT_RECORDS = ("dismiss", "get", "post")


@pytest.mark.parametrize(
    ("call", "field"),
    [
        (call, field)
        for call in CALLS
        for field in dict.fromkeys([*RECORD, *ENVELOPE])
        if field in ENVELOPE or call not in WITHOUT_RECORDS
    ],
)
def test_one_strange_field(url, answers, call, field):
    for strange in STRANGE:
        record = {**RECORD, field: strange}
        lists = {name: [record] for name in ("groups", "teams", "userGroupMemberInfos")}
        body = {"code": 0, "id": "17", "total": 1, "data": record, **lists, "failedList": []}
        body[field] = [strange] if field == "failedList" else strange
        queue = [with_length(as_json(body), headers=(("Date", LATER),))] * 8
        assert told_by(url, answers, call, queue, ends=False, make=app_client).isprintable(), strange[:40]


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
