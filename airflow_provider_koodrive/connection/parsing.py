"""
Parsers of the connection's extras: text from a form or a URI, or JSON, becomes a value.

Each raises a ValueError that says what to give instead. It does not show the value, which may be a secret.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any
from urllib.parse import urlsplit

# Browsers hold numbers as doubles, as JSON readers do with a fraction or an exponent: exact up to here.
LARGEST_EXACT_INTEGER = 2**53

_WHOLE_NUMBER = re.compile(r"[+-]?[0-9]{1,30}(?:\.0*)?")
_TRUE = frozenset({"true", "1", "yes", "y", "on", "t"})
_FALSE = frozenset({"false", "0", "no", "n", "off", "f"})
_PLACEHOLDER = re.compile(r"\{(?:id|containerId)\}")


def text(value: object) -> str:
    """Return text without outer blanks; a number is written as text."""
    return secret(value).strip()


def secret(value: object) -> str:
    """Return text as it is: blanks may belong to a secret."""
    if isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    raise ValueError("give text")


def identifier(value: object) -> str:
    """Return an id as text; a number with a fraction or an exponent may have been rounded."""
    if isinstance(value, float):
        raise ValueError("write it as text, in quotes")
    return text(value)


def integer(value: object) -> int:
    """Return a whole number."""
    if isinstance(value, float) and value.is_integer() and abs(value) <= LARGEST_EXACT_INTEGER:
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and _WHOLE_NUMBER.fullmatch(value.strip()):
        return int(value.strip().partition(".")[0])
    raise ValueError("give a whole number")


def number(value: object) -> float:
    """Return a finite number."""
    try:
        given = float(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else None
    except (ValueError, OverflowError):
        given = None
    if given is None or not math.isfinite(given):
        raise ValueError("give a number")
    return given


def boolean(value: object) -> bool:
    """Return a switch, which a URI gives as text."""
    if isinstance(value, int | float) and value in (0, 1):
        return bool(value)
    word = value.strip().lower() if isinstance(value, str) else ""
    if word not in _TRUE | _FALSE:
        raise ValueError("give true or false")
    return word in _TRUE


def verify(value: object) -> bool | str:
    """Return whether TLS is verified, or the path of a CA bundle."""
    try:
        return boolean(value)
    except ValueError:
        if isinstance(value, str):
            return value.strip()
        raise ValueError("give true, false or the path of a CA bundle") from None


def token_prefix(value: object) -> str:
    """Return what stands before a token, with a blank after a scheme: Airflow 2.11's form removes that."""
    prefix = secret(value)
    if prefix.strip().lower() == "none":
        return ""
    return f"{prefix} " if prefix[-1].isalnum() else prefix


def proxies(value: object) -> dict[str, str]:
    """Return the proxy for each scheme; later ``requests`` would refuse a wrong one with its password."""
    from airflow_provider_koodrive.api.http.proxies import PROXY_SCHEMES, is_valid_proxy

    addresses = _json_object(value)
    for scheme, address in addresses.items():
        if not isinstance(address, str) or not is_valid_proxy(address):
            raise ValueError(
                f"the proxy for {scheme!r} must look like http://proxy.example.com:3128, its scheme one of "
                f"{', '.join(PROXY_SCHEMES)}, its user name and password percent-encoded"
            )
    return addresses


def space_url(value: object) -> str:
    """Return the address of a space, without credentials, which all who see the link would read."""
    address = text(value)
    if re.search(r"[{}]", _PLACEHOLDER.sub("", address)):
        raise ValueError("{id} and {containerId} are the only placeholders that are replaced")
    try:
        # `port` raises an error if a colon is followed by something else, such as a password.
        parts = urlsplit(address)
        valid = parts.scheme in ("http", "https") and parts.hostname and (parts.port or True)
    except ValueError:
        valid = False
    if not valid or re.search(r"\s", address) or "@" in parts.netloc:
        raise ValueError("it must look like https://drive.example.com/spaces/{id}, without credentials")
    return address


def _json_object(value: object) -> dict[str, Any]:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            value = None
    if not isinstance(value, dict):
        raise ValueError("give a JSON object")
    return value
