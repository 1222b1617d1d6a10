"""Formats values for errors, logs and tracebacks: masked, on one line, and short."""

from __future__ import annotations

SHOWN_CHARACTERS = 200
MASK = "***"


class Secret(str):
    """Text that a traceback does not show where it shows each frame's variables."""

    __slots__ = ()

    def __repr__(self) -> str:
        return MASK


def one_line(text: str) -> str:
    """Return the beginning of a text, with control characters, line breaks and the like as escapes."""
    beginning = text[:SHOWN_CHARACTERS]
    if beginning.isprintable():
        return beginning
    escaped = "".join(
        character if character.isprintable() else ascii(character)[1:-1] for character in beginning
    )
    return escaped[:SHOWN_CHARACTERS]


def shown(value: object) -> str:
    """Return the ``repr`` of a value, or its type if ``repr`` fails, as it does for huge numbers."""
    try:
        return one_line(repr(value))
    except Exception:  # an object's repr may raise anything, and the error at hand matters more
        return f"a value of type {type(value).__name__}"
