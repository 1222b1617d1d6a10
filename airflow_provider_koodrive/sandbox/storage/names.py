"""The rules for a group space's name, KooDrive user guide "Group Space"."""

from __future__ import annotations

FORBIDDEN = frozenset('<>|:"*?/\\')
MAX_CHARACTERS = 30


def broken_rule(name: str) -> str | None:
    """
    Return the rule that a name breaks.

    :param name: name to check
    :return: the rule in words, or None for a legal name
    """
    import regex

    if not name.strip():
        return "A name must not be blank."
    if name in (".", ".."):
        return 'A name must not be "." or "..".'
    if FORBIDDEN & set(name):
        return f"A name must not contain any of {' '.join(sorted(FORBIDDEN))}"
    if len(regex.findall(r"\X", name)) > MAX_CHARACTERS:
        return f"A name has at most {MAX_CHARACTERS} characters."
    return None
