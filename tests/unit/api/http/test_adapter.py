"""Responses that are too large, too slow, too deep or compressed."""

from __future__ import annotations

import gzip
import http.client
import io
import itertools
import json
import zlib
from types import SimpleNamespace

import pytest
from requests.adapters import HTTPAdapter
from support.clients import token_client
from support.raw_server import JSON, RawServer, always, reply
from urllib3.connection import HTTPConnection
from urllib3.connectionpool import HTTPConnectionPool

from airflow_provider_koodrive.api.http import adapter
from airflow_provider_koodrive.exceptions import (
    KooDriveConnectionError,
    KooDriveError,
    KooDriveResponseError,
)

PATH = "/koodrive/ose/v1/space/groupList"
BODY = json.dumps({"code": 0, "groups": ["ü" * 1000] * 100}, ensure_ascii=False).encode()
MIB = 1024 * 1024

# A server needs seconds for its whole response, which is a success; the client must not wait for it.
PIECES = 200
DEADLINE = {"deadline": 1.0, "read_timeout": 60.0}


def failing(answer, **options) -> KooDriveError:
    handle = answer if callable(answer) else always(answer)
    with RawServer(handle) as server, pytest.raises(KooDriveError) as caught:
        token_client(server.url, **options).request("GET", PATH)
    return caught.value


class TestEncodings:
    @pytest.mark.parametrize(
        ("encoding", "encode"),
        [
            ("gzip", gzip.compress),
            ("x-gzip", gzip.compress),
            ("GZIP", gzip.compress),
            ("deflate", zlib.compress),
            ("identity", bytes),
            ("", bytes),
        ],
    )
    def test_known(self, encoding, encode):
        answer = reply(encode(BODY), headers=[JSON, ("Content-Encoding", encoding)])
        with RawServer(always(answer)) as server:
            client = token_client(server.url)
            assert client.request("GET", PATH) == json.loads(BODY)
            client.request("GET", PATH)
            assert server.connections == 1
        assert server.requests[0].header("Accept-Encoding") == "gzip, deflate"

    def test_chunked(self):
        pieces = [BODY[start : start + 1000] for start in range(0, len(BODY), 1000)]
        chunks = b"".join(b"%x;a=b\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        with RawServer(always(head + chunks + b"0\r\nTrailer: x\r\n\r\n")) as server:
            client = token_client(server.url)
            assert client.request("GET", PATH) == json.loads(BODY)
            client.request("GET", PATH)
            assert server.connections == 1

    def test_no_length(self):
        with RawServer(
            lambda exchange: (exchange.send(b"HTTP/1.0 200 OK\r\n\r\n" + BODY), exchange.close())
        ) as server:
            assert token_client(server.url).request("GET", PATH) == json.loads(BODY)

    @pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "gzip, br", "compress", "\xe9" * 100])
    def test_not_asked_for(self, encoding):
        error = failing(reply(gzip.compress(BODY), headers=[("Content-Encoding", encoding)]))
        assert isinstance(error, KooDriveResponseError)
        assert "not asked for" in str(error)

    @pytest.mark.parametrize(
        "body",
        [b"junk", gzip.compress(BODY)[:200], gzip.compress(BODY)[:-9], b"\x1f\x8b"],
        # The bytes hold the time, and each of pytest's processes must find the same tests.
        ids=["no gzip", "a beginning", "without its end", "two bytes"],
    )
    def test_junk(self, body):
        error = failing(reply(body, headers=[("Content-Encoding", "gzip")]))
        assert isinstance(error, KooDriveResponseError)

    def test_chunk_of_a_negative_size(self):
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        assert failing(head + b"-5\r\n{}\r\n0\r\n\r\n", read_timeout=0.2, max_attempts=1)


class TestTooLarge:
    @pytest.fixture(autouse=True)
    def _smaller_limit(self, monkeypatch):
        """The real limit has a test below; these are about each way to exceed it."""
        assert adapter.LARGEST_BODY_BYTES == 64 * MIB
        monkeypatch.setattr(adapter, "LARGEST_BODY_BYTES", MIB)
        monkeypatch.setattr(adapter, "LARGEST_RESPONSE_BYTES", 2 * MIB)

    def test_just_allowed(self):
        body = b'{"code": 0}'.ljust(MIB)
        with RawServer(always(reply(body))) as server:
            assert token_client(server.url).request("GET", PATH) == {"code": 0}

    def test_one_byte_more(self):
        error = failing(reply(b'{"code": 0}'.ljust(MIB + 1)))
        assert isinstance(error, KooDriveResponseError)
        assert "larger than" in str(error)

    def test_bomb(self):
        bomb = zlib.compress(b" " * (50 * MIB), 9)
        error = failing(reply(bomb, headers=[("Content-Encoding", "deflate")]))
        assert "larger than" in str(error)

    @pytest.mark.parametrize(
        "start",
        [
            b"HTTP/1.1 200 OK\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        ],
        ids=["no length", "chunk's size", "chunk of -1", "trailer", "length", "length of -1"],
    )
    def test_without_end(self, start):
        def handle(exchange):
            exchange.send(start)
            for _ in range(PIECES):
                exchange.send(b"7" * MIB)

        assert failing(handle, max_attempts=1)

    def test_headers_without_end(self):
        def handle(exchange):
            exchange.send(b"HTTP/1.1 100 Continue\r\n\r\n" * 200_000)

        assert failing(handle, max_attempts=1)


def test_the_real_limit():
    def handle(exchange):
        exchange.send(reply(b"{", length=100 * MIB))
        for _ in range(100):
            exchange.send(b" " * MIB)

    error = failing(handle)
    assert isinstance(error, KooDriveResponseError)
    assert f"larger than {64 * MIB} bytes" in str(error)


class TestTooSlow:
    def pieces(self, answer: bytes):
        size = max(1, len(answer) // PIECES)
        return iter([answer[start : start + size] for start in range(0, len(answer), size)])

    @pytest.mark.parametrize(
        "answer",
        [
            reply(b'{"code": 0}'.ljust(PIECES)),
            reply({"code": 0}, headers=[("A", "b" * PIECES)]),
            b"HTTP/1.1 200 " + b"O" * PIECES + b'\r\nContent-Length: 11\r\n\r\n{"code": 0}',
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nb;"
            + b"x" * PIECES
            + b'\r\n{"code": 0}\r\n0\r\n\r\n',
        ],
        ids=["body", "headers", "status line", "chunk's size"],
    )
    def test_trickle(self, answer):
        pieces = self.pieces(answer)
        with (
            RawServer(lambda exchange: exchange.trickle(pieces, every=0.05)) as server,
            pytest.raises(KooDriveConnectionError) as caught,
        ):
            token_client(server.url, **DEADLINE).request("POST", PATH)
        assert len(list(pieces)) > PIECES / 2
        assert "deadline" in str(caught.value)
        assert caught.value.sent is True
        assert len(server.requests) == 1

    def test_trickle_through_a_proxys_tunnel(self):
        pieces = self.pieces(b"HTTP/1.1 200 " + b"O" * PIECES + b"\r\n\r\n")
        with RawServer(lambda exchange: exchange.trickle(pieces, every=0.05)) as proxy:
            client = token_client("https://koodrive.invalid", proxies={"https": proxy.url}, **DEADLINE)
            with pytest.raises(KooDriveConnectionError) as caught:
                client.request("GET", PATH)
        assert len(list(pieces)) > PIECES / 2
        assert "deadline" in str(caught.value)
        assert caught.value.sent is False

    def test_silence_is_cut_by_the_deadline(self):
        error = failing(lambda exchange: exchange.hang(), **DEADLINE)
        assert isinstance(error, KooDriveConnectionError)

    def test_informational_responses_without_end(self):
        def handle(exchange):
            exchange.trickle(itertools.repeat(b"HTTP/1.1 100 Continue\r\n\r\n", PIECES), every=0.05)
            exchange.send(reply({"code": 0}))

        assert isinstance(failing(handle, **DEADLINE), KooDriveConnectionError)

    def test_a_flood_does_not_outlast_the_deadline(self):
        def handle(exchange):
            exchange.send(reply(b"", length=10 * PIECES))
            exchange.trickle(itertools.repeat(b" ", 10 * PIECES), every=0.0005)

        error = failing(handle, deadline=0.5, read_timeout=60.0)
        assert "deadline" in str(error)

    def test_a_connection_is_not_used_again_after_that(self):
        answers = iter([reply(b'{"code": 1}', length=100), reply({"code": 0})])

        def handle(exchange):
            exchange.send(next(answers))

        with RawServer(handle) as server:
            client = token_client(server.url, read_timeout=0.2, max_attempts=2)
            assert client.request("GET", PATH) == {"code": 0}
            assert server.connections == 2


class TestTooDeep:
    @pytest.mark.parametrize("depth", [100, 101, 1_000, 20_000, 1_000_000])
    @pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}")])
    def test_json(self, depth, opening, closing):
        inner = depth - 1
        body = b'{"code": 0, "groups": ' + opening * inner + b"1" + closing * inner + b"}"
        if depth == 100:
            with RawServer(always(reply(body))) as server:
                assert json.dumps(token_client(server.url).request("GET", PATH))
        else:
            error = failing(reply(body))
            assert isinstance(error, KooDriveResponseError)
            assert "deeper than 100 levels" in str(error)

    @pytest.mark.parametrize(
        ("opening", "closing"),
        [
            (b'["]",', b"]"),
            (b'["]}",', b"]"),
            (b'{"}":', b"}"),
            (b'["\\"]\\"",', b"]"),
            (b'["]","[",', b"]"),
            (b'["\\\\","]",', b"]"),
        ],
    )
    @pytest.mark.parametrize("depth", [99, 600])
    def test_texts_that_close_nothing(self, opening, closing, depth):
        body = b'{"code": 0, "groups": ' + opening * depth + b"1" + closing * depth + b"}"
        with RawServer(always(reply(body))) as server:
            client = token_client(server.url)
            if depth < 100:
                assert json.dumps(client.request("GET", PATH))
            else:
                with pytest.raises(KooDriveResponseError, match="deeper than 100 levels"):
                    client.request("GET", PATH)


@pytest.mark.parametrize("value", [b"{},", b"[],", b"0,"])
def test_many_values_in_a_small_body(value):
    bomb = gzip.compress(b'{"code": 0, "groups": [' + value * (60 * MIB // len(value)) + b"0]}")
    assert len(bomb) < MIB
    error = failing(reply(bomb, headers=[("Content-Encoding", "gzip")]))
    assert isinstance(error, KooDriveResponseError)
    assert "brackets and commas" in str(error)


class TestUndocumentedNames:
    """The names that the adapter's docstring lists: if one is gone, this says so before anything else."""

    def test_pools_and_connections(self):
        manager = HTTPAdapter().poolmanager
        assert set(manager.pool_classes_by_scheme) == {"http", "https"}
        for scheme, pool in manager.pool_classes_by_scheme.items():
            assert issubclass(pool.ConnectionCls, HTTPConnection)
            ours = adapter.DeadlineAdapter().poolmanager.connection_from_url(f"{scheme}://koodrive.invalid")
            connection = ours.ConnectionCls("koodrive.invalid")
            assert isinstance(connection, pool.ConnectionCls)
            assert connection.response_class.__name__ == "_DeadlineResponse"

    def test_a_pool_of_another_kind_keeps_its_connections(self):
        """A SOCKS proxy has connections of its own, which connect in another way."""
        own = type("Own", (HTTPConnection,), {})
        pool = adapter._deadline_pool(type("Pool", (HTTPConnectionPool,), {"ConnectionCls": own}))
        assert issubclass(pool.ConnectionCls, own)

    def test_a_response_reads_from_its_makefile_and_begins(self):
        assert http.client.HTTPConnection.response_class is http.client.HTTPResponse
        file = io.BytesIO(b"HTTP/1.1 200 OK\r\nno header\r\n\r\n")
        response = http.client.HTTPResponse(
            SimpleNamespace(makefile=lambda mode: file if mode == "rb" else None)
        )
        response.begin()
        assert response.status == 200
        assert response.msg.defects
