"""
What can be set about a fault, and which values make sense.

They are checked when the fault is set: one that fails only when it strikes, or never strikes, tests nothing.
"""

from __future__ import annotations

from contextlib import suppress
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

# Some 30 years, so that every time that comes of it is one.
MAX_SECONDS = 10**9


class Setting(NamedTuple):
    """
    Something that can be set about a fault.

    :param rule: what a value must be
    :param fits: whether a value is so
    :param read: reads a value from text, ValueError where it cannot
    """

    rule: str
    fits: Callable[[Any], bool]
    read: Callable[[str], Any] = str


def _is_number(value: Any, least: float, most: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and least <= value <= most


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _is_status(value: Any) -> bool:
    bodiless = (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED)
    return _is_integer(value) and value in list(HTTPStatus) and value >= 200 and value not in bodiless


def _is_body(value: Any) -> bool:
    # Half a surrogate pair cannot be sent.
    return isinstance(value, str) and value.encode("utf-8", "ignore").decode() == value


def _read_flag(text: str) -> bool:
    return {"true": True, "false": False}[text]


def _read_code(text: str) -> int | str:
    with suppress(ValueError):
        return int(text)
    return text


_SETTINGS = {
    "times": Setting("an integer of at least 1", lambda value: _is_integer(value) and value >= 1, int),
    "probability": Setting("a number from 0 to 1", lambda value: _is_number(value, 0, 1), float),
    "seed": Setting("an integer", _is_integer, int),
    "seconds": Setting(
        f"a number from 0 to {MAX_SECONDS}", lambda value: _is_number(value, 0, MAX_SECONDS), float
    ),
    "count": Setting("an integer of at least 0", lambda value: _is_integer(value) and value >= 0, int),
    "status": Setting("a final HTTP status that has a name and may have a body", _is_status, int),
    "code": Setting(
        "an integer, or text such as APIGW.0301",
        lambda value: _is_integer(value) or (isinstance(value, str) and value != "" and value.isprintable()),
        _read_code,
    ),
    "location": Setting(
        "printable ASCII",
        lambda value: isinstance(value, str) and value.isascii() and value.isprintable(),
    ),
    "body": Setting("text", _is_body),
    "date": Setting("true or false", _is_flag, _read_flag),
    "committed": Setting("true or false", _is_flag, _read_flag),
}
_SKEW = Setting(
    f"a number from -{MAX_SECONDS} to {MAX_SECONDS}",
    lambda value: _is_number(value, -MAX_SECONDS, MAX_SECONDS),
    float,
)


def _setting(kind: str, name: str) -> Setting:
    return _SKEW if (kind, name) == ("clock_skew", "seconds") else _SETTINGS[name]


def check(kind: str, name: str, value: Any) -> None:
    """
    Check a value.

    :raises ValueError: it makes no sense
    """
    setting = _setting(kind, name)
    if not setting.fits(value):
        raise ValueError(f"{name} must be {setting.rule}, not {value!r}")


def read(kind: str, name: str, text: str) -> Any:
    """
    Read a value from text.

    :raises ValueError: it makes no sense
    """
    setting = _setting(kind, name)
    try:
        return setting.read(text)
    except (KeyError, ValueError):
        raise ValueError(f"{name} must be {setting.rule}, not {text!r}") from None
