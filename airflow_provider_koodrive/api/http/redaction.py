"""Secrets said back in another spelling: escaped for HTML or JSON, percent-encoded, or in Base64."""

from __future__ import annotations

import binascii
import html
import re
from typing import TYPE_CHECKING
from urllib.parse import unquote, unquote_plus

from airflow_provider_koodrive.formatting import MASK

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# Only the beginning of a text is shown, and no secret is longer than this with each character escaped.
SEARCHED_CHARACTERS = 64 * 1024

# One spelling in another, such as a percent-encoded secret on an HTML page.
_LAYERS = 2

_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|(.))", re.DOTALL)
_CONTROLS = dict(zip("bfnrt", "\b\f\n\r\t", strict=True))
_BASE64 = re.compile(r"[A-Za-z0-9+/]{4,}")
_TO_BASE64 = str.maketrans("-_", "+/", " \t\r\n")


def harmless(text: str, redact: Callable[[str], str]) -> str:
    """
    Return the beginning of a text without secrets, or none of it where it holds one in another spelling.

    Takes its time, so it is for the texts of errors alone.

    :param redact: takes secrets out of a text that has them as they are
    """
    text = redact(text)[:SEARCHED_CHARACTERS]
    texts = {text}
    try:
        for _ in range(_LAYERS):
            texts |= {decoded for spelled in texts for decoded in _decoded(spelled)}
    except ValueError:  # html.unescape() reads no number of more than some thousand digits
        return MASK
    return text if all(redact(decoded) == decoded for decoded in texts) else MASK


def _decoded(text: str) -> Iterator[str]:
    yield html.unescape(text)
    yield _ESCAPE.sub(_character, text).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    yield unquote(text)
    yield unquote_plus(text)
    # Base64 may be broken into lines, and a letter may stand before it.
    digits = "\n".join(_BASE64.findall(text.translate(_TO_BASE64)))
    yield "\n".join(_from_base64(run[start:]) for run in digits.split("\n") for start in range(4))


def _character(escape: re.Match[str]) -> str:
    number = escape[1] or escape[2]
    return chr(int(number, 16)) if number else _CONTROLS.get(escape[3], escape[3])


def _from_base64(digits: str) -> str:
    whole = digits[:-1] if len(digits) % 4 == 1 else digits
    return binascii.a2b_base64(whole + "=" * (-len(whole) % 4)).decode("utf-8", "replace")
