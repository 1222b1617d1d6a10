"""Known secrets in a text, as they are and in the spellings that servers return them in."""

from __future__ import annotations

import base64
import html
import json
import logging
import re
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.pretty import pretty_repr
from support.clients import TOKEN, token_client

from airflow_provider_koodrive.api.auth import AppAuth, TokenAuth
from airflow_provider_koodrive.api.client import KooDriveClient
from airflow_provider_koodrive.api.http.redaction import Redactor

SPECIAL = "s3\\cr\"3t'/+ &=<ü>"


def percent(text: str) -> str:
    return "".join(f"%{byte:02x}" for byte in text.encode())


SPELLINGS = {
    "plain": str,
    "URL path": quote,
    "URL": lambda text: quote(text, safe=""),
    "URL, lower case": lambda text: re.sub("%..", lambda code: code[0].lower(), quote(text, safe="")),
    "URL, all": percent,
    "form": quote_plus,
    "HTML": html.escape,
    "HTML text": lambda text: html.escape(text, quote=False),
    "JSON": lambda text: json.dumps(text)[1:-1],
    "JSON, not ASCII": lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
    "Python": lambda text: repr(text)[1:-1],
    "HTML in JSON": lambda text: json.dumps(html.escape(text))[1:-1],
    "JSON in HTML": lambda text: html.escape(json.dumps(text)[1:-1]),
    "JSON in JSON": lambda text: json.dumps(json.dumps(text)[1:-1])[1:-1],
    "Base64": lambda text: base64.b64encode(text.encode()).decode(),
    "Base64 for a URL": lambda text: base64.urlsafe_b64encode(text.encode()).decode(),
    "Base64 without padding": lambda text: base64.b64encode(text.encode()).decode().rstrip("="),
}


@pytest.mark.parametrize("spell", SPELLINGS.values(), ids=SPELLINGS)
@pytest.mark.parametrize("secret", ["s3cr3t", "s3cr3t+/==", SPECIAL, "\U0001f600 smile", "x" * 1000])
def test_spellings(secret, spell):
    redactor = Redactor([secret])
    assert redactor.redact(f"you sent {spell(secret)}, {spell(secret)}!") == "you sent ***, ***!"


@given(
    st.text(st.characters(codec="utf-8"), min_size=5, max_size=30), st.sampled_from(list(SPELLINGS.values()))
)
def test_any_secret(secret, spell):
    # The words around it may be part of a secret such as "sent ".
    assert spell(secret) not in Redactor([secret]).redact(f"<{spell(secret)}>").replace("***", "")


@given(
    st.binary(max_size=4),
    st.text(st.characters(codec="ascii"), min_size=5, max_size=30),
    st.binary(max_size=4),
)
def test_base64_of_more(before, secret, after):
    """At most the bits remain that share a character of Base64 with what stands beside the secret."""
    text = base64.b64encode(before + secret.encode() + after).decode()
    redacted = Redactor([secret]).redact(text)
    kept = len(redacted.replace("***", ""))
    assert "***" in redacted
    assert kept <= len(base64.b64encode(before)) + len(base64.b64encode(after)) + 4


def test_the_longest_spelling_first():
    assert Redactor(["s3cr3t", "s3cr3t-of-mine"]).redact("it was s3cr3t-of-mine") == "it was ***"


@pytest.mark.parametrize("secret", ["", "1", "1417"])
def test_a_short_secret_is_not_searched_for(secret):
    text = f"14171417 {secret} 1"
    assert Redactor([secret]).redact(text) == text


@pytest.mark.parametrize("secret", ["\udcfcn\udcfc-undecodable", "\ud800-half"])
def test_a_secret_that_is_not_unicode(secret):
    """The environment may hold such a password."""
    assert Redactor([secret]).redact(f"a {secret} b") == "a *** b"


def test_signatures():
    signature, other = "0a" * 32, "1b" * 32
    redactor = Redactor(["s3cr3t"]).with_signature(
        f"HMAC-SHA256 AppId=a,SignedHeaders=b,Signature={signature}"
    )
    text = f"s3cr3t: got {signature}, expected Signature={other}"
    assert redactor.redact(text) == "***: got ***, expected Signature=***"
    assert Redactor(["s3cr3t"]).with_signature("Bearer+x").redact(signature) == signature


def test_other_text_stays():
    text = "Bearer at HMAC-SHA256: nothing to hide &amp; %20 \\u0041 czNjcjN0"
    assert Redactor(["t0ken", "another"]).redact(text) == text


def test_a_traceback_shows_none():
    redactor = Redactor(["s3cr3t"])
    redactor.redact("text")
    assert "s3cr3t" not in pretty_repr(vars(redactor))


class TestSecretsOfAuthentication:
    @pytest.mark.parametrize("token", ["s3cr3t+/==", "Bearer+s3cr3t+/==", "AT s3cr3t+/=="])
    def test_token(self, token):
        redactor = Redactor(TokenAuth(token).secrets())
        assert redactor.redact("with s3cr3t+/==, with Bearer+s3cr3t+/==") == "with ***, with Bearer+***"

    def test_app_secret(self):
        assert Redactor(AppAuth("a", SPECIAL, "1").secrets()).redact(f"a {SPECIAL}") == "a ***"

    @pytest.mark.parametrize("auth", [AppAuth("a", "s3cr3t", "1"), TokenAuth("s3cr3t")], ids=["app", "token"])
    def test_a_traceback_shows_none(self, auth):
        assert "s3cr3t" not in pretty_repr(auth.secrets())


class TestWarning:
    """Of a secret that is too short to be searched for, once for a client."""

    @pytest.fixture(autouse=True)
    def _no_proxy_of_the_machine(self, monkeypatch):
        for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
            monkeypatch.delenv(name.upper(), raising=False)

    @pytest.mark.parametrize(
        "auth", [AppAuth("a", "1417", "1"), TokenAuth("Bearer+1417")], ids=["app", "token"]
    )
    def test_the_clients_own(self, auth, caplog):
        KooDriveClient("http://127.0.0.1:9", auth)
        assert caplog.messages == [
            "The App secret or access token has fewer than 5 characters, so it is not removed from errors "
            "and logs: choose a longer one"
        ]

    @pytest.mark.parametrize("where", ["environment", "proxies"])
    def test_a_proxys(self, where, monkeypatch, caplog):
        address = "http://user:1417@127.0.0.1:9"
        if where == "environment":
            monkeypatch.setenv("https_proxy", address)
        token_client("http://127.0.0.1:9", proxies={"https": address} if where == "proxies" else None)
        (message,) = caplog.messages
        assert message.startswith("The password of a proxy has fewer than 5 characters")
        assert "1417" not in message

    @pytest.mark.parametrize(
        "address", ["http://127.0.0.1:9", "http://bob@127.0.0.1:9", "http://bob:secret@a:9"]
    )
    def test_nothing_to_warn_of(self, address, monkeypatch, caplog):
        caplog.set_level(logging.DEBUG)
        monkeypatch.setenv("https_proxy", address)
        monkeypatch.setenv("no_proxy", "a:b@c")
        token_client("http://127.0.0.1:9")
        assert TOKEN not in caplog.text
        assert caplog.messages == []
