"""
Group-space names: KooDrive's rules, and a valid, stable, unique name for any department.

The rules are those of KooDrive's user guide, page "Group Space". That the service enforces them for API calls
too is inferred.
"""

from __future__ import annotations

import base64
import hashlib
import re
import unicodedata

from airflow_provider_koodrive.exceptions import KooDriveValidationError
from airflow_provider_koodrive.formatting import shown

NAME_MAX_CHARACTERS = 30
"""Longest name of a group space, in characters as a reader counts them (Unicode's grapheme clusters)."""

_HASH_MARK = "~"
_HASH_CHARACTERS = 9
# Leaves room for a hash and one readable character, so that a suffix fits every department or none.
_SUFFIX_MAX_CHARACTERS = NAME_MAX_CHARACTERS - len(_HASH_MARK) - _HASH_CHARACTERS - 1

_FORBIDDEN = re.compile(r'[<>|:"*?/\\]')
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
# Zero-width and direction marks. Joiners and tags stay: emoji, Persian and Indic text are spelt with them.
_MARKS = r"\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff"
_INVISIBLE = re.compile(f"[{_MARKS}]")
_INVISIBLE_END = re.compile(rf"\A[\s{_MARKS}]|[\s{_MARKS}]\Z")
_HASHED = re.compile(rf"{_HASH_MARK}[a-z2-7]{{{_HASH_CHARACTERS}}}\Z")
_STAND_INS = {"<": "(", ">": ")", '"': "'"}
_LOOSE_ENDS = frozenset(" -\u2013\u2014,;.&+(")


def check_group_space_name(name: str) -> None:
    r"""
    Check that KooDrive allows a name for a group space.

    At most 30 characters, none of ``< > | : " * ? / \``, no control character or line break, not ``.`` or
    ``..``, not blank, no white space, zero-width or direction mark at either end. Characters are counted as a
    reader counts them: an emoji family is one.

    :param name: the name to check
    :raises KooDriveValidationError: the name breaks a rule; the message has the rule and the name
    """
    rule = _broken_rule(name)
    if rule:
        raise KooDriveValidationError(f"A group space's name {rule}: {shown(name)}")


def group_space_name(department: str, *, suffix: str = "") -> str:
    """
    Return a valid name for a department's group space, the same one every time.

    The name is the department's own text if possible, with Unicode's composition (NFC) and white space
    normalized: departments that differ in nothing else are the same. If characters must be replaced or cut,
    ``~`` and nine characters of a hash of the whole text follow (45 bits), so that different departments keep
    different names. A text that already ends like that gets a hash as well.

    :param department: name of the department, any text that is not blank
    :param suffix: text to end every name with, separator included, e.g. ``" (files)"``; kept whole, at most
        19 characters
    :return: the name; :func:`check_group_space_name` accepts it
    :raises KooDriveValidationError: the department is blank or not text, or the suffix cannot end every name
    """
    if not isinstance(department, str) or _is_blank(department):
        raise KooDriveValidationError(
            f"A department's name must be text that is not blank: {shown(department)}"
        )
    _check_suffix(suffix)
    text = _fold(department)
    readable = _replace(text)
    if readable == text and not _HASHED.search(text) and _is_name(text, suffix):
        return text + suffix
    tail = _HASH_MARK + _hash(text) + suffix
    return _cut(readable, NAME_MAX_CHARACTERS - len(_characters(tail))) + tail


def _broken_rule(name: object) -> str | None:
    if not isinstance(name, str):
        return f"must be a string, not {type(name).__name__}"
    if _is_blank(name):
        return "must not be blank"
    if _INVISIBLE_END.search(name):
        return "must not begin or end with white space or an invisible mark"
    if name in {".", ".."}:
        return "must not be '.' or '..'"
    if _FORBIDDEN.search(name):
        return 'must not contain any of < > | : " * ? / \\'
    if _CONTROL.search(name):
        return "must not contain control characters, line breaks or half surrogate pairs"
    count = len(_characters(name))
    if count > NAME_MAX_CHARACTERS:
        return f"must have at most {NAME_MAX_CHARACTERS} characters, not {count}"
    return None


def _check_suffix(suffix: object) -> None:
    rule = None
    if not isinstance(suffix, str):
        rule = f"must be a string, not {type(suffix).__name__}"
    elif suffix != suffix.rstrip():
        rule = "must not end with white space"
    elif _characters("x" + suffix)[0] != "x":
        rule = "must not begin with a character that joins the one before it"
    elif len(_characters(suffix)) > _SUFFIX_MAX_CHARACTERS:
        rule = f"must have at most {_SUFFIX_MAX_CHARACTERS} characters, which leaves room for a department"
    else:
        rule = _broken_rule("x" + suffix)
    if rule:
        raise KooDriveValidationError(f"The suffix of a group space's name {rule}: {shown(suffix)}")


def _is_name(text: str, suffix: str) -> bool:
    whole = text + suffix
    # Flags and Hangul: the suffix's first character must not join the last one of the text.
    return _broken_rule(whole) is None and _characters(whole) == _characters(text) + _characters(suffix)


def folded_name(name: str) -> str:
    """
    Return a name without its differences in case, width and composition, to compare it with others.

    KooDrive may take two names that differ only so for one (inferred).

    :param name: name of a group space
    """
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())


def _fold(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).split())


def _replace(text: str) -> str:
    text = _FORBIDDEN.sub(lambda match: _STAND_INS.get(match[0], "-"), _INVISIBLE.sub("", text))
    return _fold(_CONTROL.sub("-", text))


def _cut(text: str, room: int) -> str:
    characters = _characters(text)
    if len(characters) <= room:
        return text
    kept = characters[:room]
    # The end of a word, unless more than half of what fits would go.
    if characters[room] != " " and " " in kept[room // 2 :]:
        kept = kept[: room - kept[::-1].index(" ") - 1]
    while len(kept) > 1 and kept[-1] in _LOOSE_ENDS:
        kept.pop()
    return "".join(kept)


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
    return base64.b32encode(digest).decode("ascii").lower()[:_HASH_CHARACTERS]


def _characters(text: str) -> list[str]:
    import regex

    return regex.findall(r"\X", text)


def _is_blank(text: str) -> bool:
    import regex

    return not regex.sub(r"\p{Default_Ignorable_Code_Point}+", "", text).strip()
