"""
What an answer means: KooDrive's envelope, or the error that it stands for.

Sources in KooDrive's documents: "Response", "Status Codes", "Error Codes".
"""

from __future__ import annotations

import json
import math
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, cast

from airflow_provider_koodrive.api.http.headers import clock_skew_seconds, retry_after_seconds
from airflow_provider_koodrive.api.http.redaction import harmless
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

# Longer numbers are no codes.
LARGEST_CODE = 10**18

# A machine's clock that is off by less does not explain a refused signature.
NOTABLE_SKEW_SECONDS = 30

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


class _Answer(NamedTuple):
    """What an error is made of; the fields are those of :func:`open_envelope`."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    redact: Callable[[str], str]
    signed: bool


class _NotAnEnvelopeError(ValueError):
    """Why not; says nothing of the body's text."""


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
    Return KooDrive's envelope, or raise the error that the answer stands for.

    :param status: HTTP status
    :param headers: HTTP headers, looked up without regard to case
    :param body: the whole body
    :param expects: fields of which one must be there for a success without ``code`` (inferred)
    :param redact: takes secrets out of a text that came from the network
    :param signed: whether the request was signed, which depends on the clock
    :raises KooDriveError: of the kind that fits, without the call's details
    """
    answer = _Answer(status, headers, body, redact, signed)
    try:
        envelope = _json_object(body)
    except _NotAnEnvelopeError as err:
        raise _not_an_envelope(answer, str(err)) from None
    code = envelope.get("code")
    if code is None and status < 300 and any(field in envelope for field in expects):
        return _without_secrets(envelope, body, redact)
    if str(code).strip() == "0" and status < 300:
        return _without_secrets(envelope, body, redact)
    raise _refusal(answer, envelope)


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


def _without_secrets(envelope: dict[str, Any], body: bytes, redact: Callable[[str], str]) -> dict[str, Any]:
    """Take out what a server says back of our secrets, since answers go on into logs and XCom."""
    # A look at the whole is cheap, and nearly always enough.
    whole = body.decode("utf-8", "replace")
    if "\\" in whole:
        whole = json.dumps(envelope, ensure_ascii=False)
    return envelope if redact(whole) == whole else cast("dict[str, Any]", _redacted(envelope, redact))


def _redacted(value: object, redact: Callable[[str], str]) -> object:
    if isinstance(value, dict):
        return {redact(key): _redacted(inner, redact) for key, inner in value.items()}
    if isinstance(value, list):
        return [_redacted(inner, redact) for inner in value]
    return redact(value) if isinstance(value, str) else value


def _not_an_envelope(answer: _Answer, why: str) -> KooDriveError:
    shown = harmless(answer.body.decode("utf-8", "replace"), answer.redact)[:SHOWN_CHARACTERS]
    kind = KooDriveGatewayError if answer.status >= 500 else _kind_by_status(answer.status)
    if kind in (KooDriveError, KooDriveConflictError):
        kind = KooDriveResponseError
    if 300 <= answer.status < 400:
        message = "the HTTP response is a redirect, which is never followed"
    else:
        message = kind.meaning
    return _build(answer, kind, f"{message}; {why}; its body begins {shown!r}")


def _refusal(answer: _Answer, envelope: Mapping[str, Any]) -> KooDriveError:
    raw = envelope.get("code")
    code = raw if isinstance(raw, int) and abs(raw) < LARGEST_CODE else _shown(raw, answer.redact)
    key = str(code).strip()
    # A gateway's refusal for load, whatever code it was given: nothing was carried out.
    by_code = None if answer.status == TOO_MANY_REQUESTS else _BY_CODE.get(key)
    if answer.status == CONFLICT and by_code is KooDriveValidationError:
        by_code = None  # the status says which value is wrong
    kind = by_code or _kind_by_status(answer.status)
    if kind is KooDriveError and (code is None or key == "0"):
        kind = KooDriveResponseError
    return _build(answer, kind, kind.meaning, code, _shown(envelope.get("msg"), answer.redact))


def _kind_by_status(status: int) -> type[KooDriveError]:
    if status >= 500:
        return KooDriveServerError
    if 300 <= status < 400:
        return KooDriveResponseError
    return _BY_STATUS.get(status, KooDriveError)


def _shown(value: object, redact: Callable[[str], str]) -> str | None:
    """Text from the network that may stand in a log: without secrets."""
    if not isinstance(value, str | int | float):
        return None
    return one_line(harmless(str(value), redact))


def _build(
    answer: _Answer,
    kind: type[KooDriveError],
    message: str,
    code: int | str | None = None,
    msg: str | None = None,
) -> KooDriveError:
    extra: dict[str, Any] = {"advice": kind.advice}
    if issubclass(kind, KooDriveAuthenticationError):
        extra["advice"] = kind.advice_for_app if answer.signed else kind.advice_for_session
    if issubclass(kind, KooDriveThrottledError | KooDriveServerError):
        extra["retry_after"] = retry_after_seconds(answer.headers)
    if kind is KooDriveAuthenticationError and answer.signed:
        skew = clock_skew_seconds(answer.headers)
        if skew is not None and abs(skew) > NOTABLE_SKEW_SECONDS:
            extra["advice"] = KooDriveAuthenticationError.advice_for_clock(skew)
    return kind(message, http_status=answer.status, code=code, msg=msg, **extra)
