"""
Map an HTTP response to KooDrive's envelope or to an error.

Sources in KooDrive's documents: "Response", "Status Codes", "Error Codes".
"""

from __future__ import annotations

import json
import math
import re
from itertools import chain
from typing import TYPE_CHECKING, Any, NoReturn

from airflow_provider_koodrive.api.http.headers import retry_after_seconds
from airflow_provider_koodrive.exceptions import (
    KooDriveAuthenticationError,
    KooDriveConflictError,
    KooDriveError,
    KooDriveGatewayError,
    KooDrivePermissionError,
    KooDriveQuotaError,
    KooDriveResponseError,
    KooDriveServerError,
    KooDriveThrottledError,
    KooDriveValidationError,
)
from airflow_provider_koodrive.formatting import SHOWN_CHARACTERS, one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

CONFLICT = 409
TOO_MANY_REQUESTS = 429

# Each of them may cost an object of Python's, and some kilobytes of gzip hold millions.
MOST_BRACKETS_AND_COMMAS = 2_000_000
DEEPEST_LEVEL = 100

_CONTAINERS = frozenset({dict, list})

# A longer number is not a code.
LARGEST_CODE = 10**18

# The documents list no codes for group spaces, so this table is open and the HTTP status comes second.
_BY_CODE: dict[str, type[KooDriveError]] = {
    "13000102": KooDriveValidationError,
    "13000201": KooDriveServerError,
    "13000301": KooDriveValidationError,
    "13000311": KooDriveQuotaError,
    "13000405": KooDriveConflictError,
    "13000410": KooDrivePermissionError,
    "APIGW.0301": KooDriveAuthenticationError,  # (inferred), like the two below
    "APIGW.0303": KooDriveAuthenticationError,
    "APIGW.0308": KooDriveThrottledError,
}
_BY_STATUS: dict[int, type[KooDriveError]] = {
    401: KooDriveAuthenticationError,
    403: KooDrivePermissionError,
    CONFLICT: KooDriveConflictError,
    TOO_MANY_REQUESTS: KooDriveThrottledError,
}

# A JSON escape: of a surrogate pair, of NUL or half a pair, or any other.
_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB]..\\u[dD][c-fC-F]..|(?P<unstorable>u0000|u[dD][89a-fA-F]..)|.)", re.DOTALL
)
# A surrogate in UTF-8, which UTF-8 does not allow.
_RAW_SURROGATES = re.compile(rb"(?:\xed[\xa0-\xbf][\x80-\xbf])+")
_REPLACEMENT = "\ufffd"


class _NotAnEnvelopeError(ValueError):
    """The body is not an envelope; the message gives the reason and none of the body's text."""


def _refuse_constant(_constant: str) -> NoReturn:
    raise _NotAnEnvelopeError("it is not JSON")


def _finite_float(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise _NotAnEnvelopeError("it has a number that is too large")
    return number


_decoder = json.JSONDecoder(parse_constant=_refuse_constant, parse_float=_finite_float)


def open_envelope(
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    *,
    expects: Sequence[str] = (),
    redact: Callable[[str], str] = str,
    signed: bool = True,
) -> dict[str, Any]:
    """
    Return KooDrive's envelope, or raise the error that the response means.

    The envelope is returned as it came, except for characters that Airflow cannot store, see
    :func:`storable`.

    :param status: HTTP status
    :param headers: HTTP headers, looked up without regard to case
    :param body: the whole body
    :param expects: a success without ``code`` must have one of these fields (inferred)
    :param redact: removes secrets from a text of an error
    :param signed: whether the request was signed, which the advice of an error depends on
    :raises KooDriveError: of the kind that fits, without the call's details
    """
    error: KooDriveError
    try:
        envelope = _json_object(storable(body))
    except _NotAnEnvelopeError as err:
        error = _not_an_envelope(status, body, str(err), redact)
    else:
        code = envelope.get("code")
        succeeded = any(field in envelope for field in expects) if code is None else str(code).strip() == "0"
        if succeeded and status < 300:
            return envelope
        error = _refusal(status, envelope, redact)
    if isinstance(error, KooDriveThrottledError | KooDriveServerError):
        error.retry_after = retry_after_seconds(headers)
    elif isinstance(error, KooDriveAuthenticationError):
        error.advice = error.advice_for_app if signed else error.advice_for_session
    raise error


def storable(body: bytes) -> bytes:
    """
    Return a JSON body whose texts, keys included, Airflow can store.

    A NUL and half of a surrogate pair become U+FFFD. PostgreSQL stores neither, so a single name of somebody
    else's space would fail each task that lists spaces.
    """
    # Searching for one byte is many times as fast as for several, and few bodies have a backslash.
    if b"\\" in body and (b"\\u0000" in body or b"\\ud" in body or b"\\uD" in body):
        body = _ESCAPE.sub(lambda escape: b"\\ufffd" if escape["unstorable"] else escape[0], body)
    if b"\0" in body:
        body = body.replace(b"\0", _REPLACEMENT.encode())
    if b"\xed" in body:
        body = _RAW_SURROGATES.sub(lambda surrogates: _joined(surrogates[0]), body)
    return body


def _joined(surrogates: bytes) -> bytes:
    text = surrogates.decode("utf-8", "surrogatepass")
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()


def _json_object(body: bytes) -> dict[str, Any]:
    # A shorter body cannot hold so many.
    is_long = len(body) > MOST_BRACKETS_AND_COMMAS
    if is_long and sum(map(body.count, (b"{", b"[", b","))) > MOST_BRACKETS_AND_COMMAS:
        raise _NotAnEnvelopeError(f"it has more than {MOST_BRACKETS_AND_COMMAS} brackets and commas")
    too_deep = f"it is nested deeper than {DEEPEST_LEVEL} levels"
    try:
        value = _decoder.decode(body.decode("utf-8-sig"))
    except _NotAnEnvelopeError:
        raise
    except RecursionError:
        raise _NotAnEnvelopeError(too_deep) from None
    except ValueError:
        raise _NotAnEnvelopeError("it is not JSON") from None
    if not isinstance(value, dict):
        raise _NotAnEnvelopeError("it is not a JSON object")
    if _is_deeper(value, DEEPEST_LEVEL):
        raise _NotAnEnvelopeError(too_deep)
    return value


def _is_deeper(value: object, levels: int) -> bool:
    # Not recursive, since it protects the recursion depth of those that store the result.
    level: list[Any] = [value]
    for _ in range(levels):
        values = chain.from_iterable(outer.values() if type(outer) is dict else outer for outer in level)
        level = [inner for inner in values if type(inner) in _CONTAINERS]
        if not level:
            return False
    return True


def _not_an_envelope(status: int, body: bytes, reason: str, redact: Callable[[str], str]) -> KooDriveError:
    shown = redact(body.decode("utf-8", "replace"))[:SHOWN_CHARACTERS]
    kind = KooDriveGatewayError if status >= 500 else _kind_by_status(status)
    if kind in (KooDriveError, KooDriveConflictError):
        kind = KooDriveResponseError
    if 300 <= status < 400:
        message = "the HTTP response is a redirect, which is never followed"
    else:
        message = kind.meaning
    message = f"{message}; {reason}; its body begins {shown!r}"
    return kind(message, advice=kind.advice, http_status=status)


def _refusal(status: int, envelope: Mapping[str, Any], redact: Callable[[str], str]) -> KooDriveError:
    raw = envelope.get("code")
    code = raw if isinstance(raw, int) and abs(raw) < LARGEST_CODE else _shown(raw, redact)
    key = str(code).strip()
    # With HTTP status 429, nothing was carried out, whatever code a gateway gave it.
    by_code = None if status == TOO_MANY_REQUESTS else _BY_CODE.get(key)
    if status == CONFLICT and by_code is KooDriveValidationError:
        by_code = None  # the status names the wrong value
    kind = by_code or _kind_by_status(status)
    if kind is KooDriveError and (code is None or key == "0"):
        kind = KooDriveResponseError
    msg = _shown(envelope.get("msg"), redact)
    return kind(kind.meaning, advice=kind.advice, http_status=status, code=code, msg=msg)


def _kind_by_status(status: int) -> type[KooDriveError]:
    if status >= 500:
        return KooDriveServerError
    if 300 <= status < 400:
        return KooDriveResponseError
    return _BY_STATUS.get(status, KooDriveError)


def _shown(value: object, redact: Callable[[str], str]) -> str | None:
    return one_line(redact(str(value))) if isinstance(value, str | int | float) else None
