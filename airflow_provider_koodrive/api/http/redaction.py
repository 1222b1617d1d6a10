"""Remove secrets from the texts of logs and errors, in whatever spelling a server returns them."""

from __future__ import annotations

import html
import json
import re
from base64 import b64encode, urlsafe_b64encode
from functools import cached_property, partial
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

from airflow_provider_koodrive.formatting import MASK, Secret

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

SHORTEST_SECRET = 5
"""Characters; a shorter secret occurs in texts by chance and is not searched for, as in Airflow."""

# Only the beginning of a text is shown, and no header is so long that a secret would fill this.
_SEARCHED_CHARACTERS = 1024 * 1024

# A server may also say which signature it has calculated itself.
_SIGNATURE = re.compile(r"(Signature=)[0-9a-fA-F]+")

_SPECIAL, _EVERY = re.compile(r"\W"), re.compile(r"(?s).")
_CHARACTER_CODES = ("&#{};", "&#x{:x};", "&#x{:X};", "\\u{:04x}", "\\u{:04X}", "\\x{:02x}", "\\x{:02X}")


class Redactor:
    """
    Removes secrets from the texts of logs and errors; never to be applied to data.

    :param secrets: secrets in plain text, such as the App secret, a token or a proxy's password; those of
        fewer than :data:`SHORTEST_SECRET` characters are left out
    :param base: a redactor whose secrets are removed as well
    """

    def __init__(self, secrets: Iterable[str], base: Redactor | None = None) -> None:
        self._secrets = [Secret(secret) for secret in secrets if len(secret) >= SHORTEST_SECRET]
        self._base = base

    def with_signature(self, authorization: str) -> Redactor:
        """
        Return a redactor that also removes the signature of a request.

        :param authorization: the request's ``Authorization`` header
        """
        _, signed, signature = authorization.rpartition("Signature=")
        return Redactor([signature], self) if signed else self

    def redact(self, text: str) -> str:
        """Return the beginning of a text, at most a million characters, with ``***`` for each secret."""
        text = text[:_SEARCHED_CHARACTERS]
        for spelling in self._spellings:
            text = text.replace(spelling, MASK)
        return _SIGNATURE.sub(rf"\1{MASK}", text)

    @cached_property
    def _spellings(self) -> list[Secret]:
        known = set(self._base._spellings if self._base else ())
        # The longest first: one spelling may be part of another.
        return sorted(known.union(*map(_all_spellings, self._secrets)), key=len, reverse=True)


def _all_spellings(secret: str) -> Iterator[Secret]:
    plain = str(secret)  # the representation of a Secret is its mask
    for spelling in set(_spellings(plain)):
        # Each of them may have been escaped once more, such as a URL on an HTML page.
        for escape in _ESCAPES:
            yield Secret(escape(spelling))


def _spellings(secret: str) -> Iterator[str]:
    data = secret.encode("utf-8", "surrogatepass")
    for escape in _ESCAPES:
        yield escape(secret)
    for percent in (
        quote(data),
        quote(data, safe=""),
        quote(data, safe="!'()*"),  # JavaScript's encodeURIComponent()
        quote_plus(data),
        "".join(f"%{byte:02X}" for byte in data),
    ):
        yield percent
        yield re.sub("%..", lambda escape: escape[0].lower(), percent)
    yield secret.replace("/", "&#x2F;")
    yield html.escape(secret).replace("/", "&#x2F;")
    yield html.escape(secret).replace("&#x27;", "&#39;")
    yield html.escape(secret, quote=False)
    yield repr(secret)[1:-1]
    for characters in (_SPECIAL, _EVERY):
        for code in _CHARACTER_CODES:
            yield characters.sub(partial(_coded, code), secret)
    for encode in (b64encode, urlsafe_b64encode):
        yield encode(data).decode()
        yield encode(data).decode().rstrip("=")
        yield from _inside_base64(data, encode)


def _coded(code: str, character: re.Match[str]) -> str:
    return code.format(ord(character[0]))


def _inside_base64(secret: bytes, encode: Callable[[bytes], bytes]) -> Iterator[str]:
    """Yield the Base64 characters that depend on the secret alone, such as in that of ``user:secret``."""
    for before in range(3):
        whole = encode(bytes(before) + secret).decode()
        first, end = -(-before * 8 // 6), (before + len(secret)) * 8 // 6
        yield whole[first:end]


def _in_json(text: str, *, ascii_only: bool, slash: str) -> str:
    return json.dumps(text, ensure_ascii=ascii_only)[1:-1].replace("/", slash)


_ESCAPES: tuple[Callable[[str], str], ...] = (
    str,
    html.escape,
    partial(quote, safe="", errors="replace"),
    *(partial(_in_json, ascii_only=only, slash=slash) for only in (True, False) for slash in ("/", "\\/")),
)
