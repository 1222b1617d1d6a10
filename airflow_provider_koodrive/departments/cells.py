"""
Rules for one cell: text that spreadsheets, exports and people have put there becomes a plain value.

The table of rules is in ``docs/departments.md``.
"""

from __future__ import annotations

import re
import unicodedata

# Zero-width and direction marks, soft hyphen, byte order mark. Joiners stay: Persian and emoji need them.
_MARKS = re.compile("[\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff]")
# What may also get lost without anybody seeing it: joiners, variation selectors, fillers.
_ALL_MARKS = re.compile("[\u034f\u200c\u200d\u3164\uffa0\ufe00-\ufe0f]")
_BLANKS = re.compile("[\u2800\u3164\uffa0]")

_FORMULA_TEXT = re.compile(r'="(.*)"', re.DOTALL)
_ELIDED = re.compile(r"'[a-z](?![a-z])")

_SPREADSHEET_ERROR = re.compile(
    r"#(n/a|(ref|value|div/0|null|num|spill|calc|field|blocked|connect|unknown|busy|error|data)!|name\?"
    r"|getting_data)|err:\d{3}"
)
_NULLS = frozenset(("nan", "null", "<na>", "\\n", "nat"))

_SCIENTIFIC = re.compile(r"[0-9]+([.,][0-9]+)?[eE]\+?[0-9]+")
_DECIMAL = re.compile(r"[0-9]+[.,]0+")
_ROUNDED = re.compile(r"[1-9][0-9]{14}0+")
_WHOLE = re.compile(r"0*([1-9][0-9]{0,8})(?:\.0+)?")

# U+3001 is the ideographic comma, U+FF0C and U+FF1B are the full-width comma and semicolon.
_SEPARATORS = re.compile("[\\s,;|\u3001\uff0c\uff1b]+")
_TO_ASCII = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}


def clean(text: str) -> str:
    """
    Return a cell's text without what protects it from spreadsheets, marks that nobody sees, and stray blanks.

    The text is composed (NFC), and a run of white space is one blank.
    """
    text = _tidy(text)
    formula = _FORMULA_TEXT.fullmatch(text)
    if formula:
        text = _tidy(formula[1])
    # Text such as 's-Hertogenbosch keeps its apostrophe, and so does text in quotes.
    if text[:1] == "'" and not _ELIDED.match(text) and "'" not in text[1:]:
        text = _tidy(text[1:])
    return text


def clean_id(text: str) -> str:
    """Return an id as :func:`clean` does, with full-width characters as ASCII and without apostrophes."""
    return clean(text).translate(_TO_ASCII).strip("'\" ")


def identity(name: str) -> str:
    """
    Return what identifies a name: two names that differ only in marks and blanks have the same.

    Case and width are kept, for KooDrive may tell them apart.
    """
    return _tidy(_ALL_MARKS.sub("", name))


def is_null(text: str) -> bool:
    """Return whether a program wrote "no value" into the cell: ``nan``, ``NULL`` and the like."""
    return text.lower() in _NULLS


def is_spreadsheet_error(text: str) -> bool:
    """Return whether the cell is a formula's error, such as ``#N/A`` or LibreOffice's ``Err:502``."""
    return _SPREADSHEET_ERROR.fullmatch(text.lower()) is not None


def id_damage(text: str) -> str | None:
    """
    Return how a spreadsheet has damaged an id, None if it has not.

    A spreadsheet keeps 15 digits of a number; the rest of an id cannot be restored.
    """
    if _SCIENTIFIC.fullmatch(text):
        return "is in scientific notation: a spreadsheet has rounded this"
    if _DECIMAL.fullmatch(text):
        return "ends with a decimal fraction: a spreadsheet has rounded this"
    if _ROUNDED.fullmatch(text):
        return "has 15 digits and then only zeros: a spreadsheet has rounded this"
    return None


def whole_number(text: str) -> int | None:
    """Return a whole number from 1 to 999,999,999, also from ``20.0`` or full-width digits, or None."""
    match = _WHOLE.fullmatch(text.translate(_TO_ASCII))
    return int(match[1]) if match else None


def ids_of(text: str) -> list[str]:
    """Return the ids in a cell, each once; blanks, commas, semicolons and bars part them, of any width."""
    formula = _FORMULA_TEXT.fullmatch(text.strip())
    pieces = _SEPARATORS.split(_MARKS.sub("", formula[1] if formula else text))
    return list(dict.fromkeys(piece for piece in map(clean_id, pieces) if piece and not is_null(piece)))


def is_unusable(text: str) -> str | None:
    """Return why a text cannot be stored: PostgreSQL refuses NUL, and UTF-8 has no half surrogates."""
    if "\x00" in text:
        return "holds a NUL character"
    if re.search("[\udc80-\udcff]", text):
        return "is not in the file's encoding; if all of the file has another, name it with encoding="
    if re.search("[\ud800-\udfff]", text):
        return "holds half a surrogate pair"
    return None


def _tidy(text: str) -> str:
    text = _BLANKS.sub(" ", _MARKS.sub("", text))
    return " ".join(unicodedata.normalize("NFC", text).split())
