"""Advice after a failed test of a connection: first what to do, then what happened."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from airflow_provider_koodrive.api.auth import AppAuth
from airflow_provider_koodrive.api.http.signing import CLOCK_MARGIN_SECONDS
from airflow_provider_koodrive.exceptions import (
    KooDriveAuthenticationError,
    KooDriveConfigError,
    KooDriveConnectionError,
    KooDriveError,
    KooDrivePermissionError,
    KooDriveResponseError,
    KooDriveServerError,
    KooDriveThrottledError,
)
from airflow_provider_koodrive.formatting import one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_koodrive.api.client import KooDriveClient

# A signature lives 15 minutes ("Authentication").
SIGNATURE_SECONDS = 15 * 60

_BAD_REQUEST = 400
_UNAUTHORIZED = 401
_PROXY_AUTHENTICATION_REQUIRED = 407

# With these, credentials may not be accepted: 400 means "authentication not passed", and errors may come
# with 200 ("Status Codes"). The documents give no code for a token or a signature.
_MAY_BE_AUTHENTICATION = (200, _BAD_REQUEST, 403)

# Those that the documents give for something else than authentication ("Error Codes").
_KNOWN_CODE = re.compile(r"13000(?:102|201|3(?:0[1-9]|1[0-2])|4(?:0[1-9]|1[0-4]))")
# "a number with 8 digits", of KooDrive's own ("Response"); gateways and other services have other codes.
_KOODRIVES_CODE = re.compile(r"[0-9]{8}")

_PROXY = "check extra proxies and extra proxy_password"
_TLS = "if that port speaks TLS, write https:// before the host"


def explain(client: KooDriveClient, err: KooDriveError, hints: Sequence[str] = ()) -> str:
    """
    Return what to do, what happened, and the trace id.

    :param client: the client that made the call
    :param err: the error of the call
    :param hints: what else to check if the credentials may be wrong
    """
    happened = KooDriveError(str(err.args[0]), **{**err.details(), "method": None})
    return advise(_advice(client, err, hints), f"{one_line(client.endpoint)}: {happened}")


def advise(advice: Sequence[str], happened: str) -> str:
    """Join what to do, as sentences, and what happened."""
    sentences = [part[0].upper() + part[1:] for part in advice if part]
    return ". ".join([*sentences, happened])


def _advice(client: KooDriveClient, err: KooDriveError, hints: Sequence[str]) -> list[str]:
    if err.http_status == _PROXY_AUTHENTICATION_REQUIRED:
        return [_PROXY]
    if isinstance(err, KooDriveConfigError):
        return [vars(err).get("advice", "")]  # else its message says what to do
    if isinstance(err, KooDriveThrottledError | KooDriveServerError | KooDriveConnectionError):
        return [err.advice, _tls(client, err)]
    clock = _clock(client) if _may_be_the_signature(err) else ""
    if clock:
        # A request that was signed once more with KooDrive's time, and refused again, has another reason too.
        other = f"if that does not help, {_credentials(client)}" if vars(err).get("retryable") else ""
        return [clock, *hints, other]
    advice = [_about_refusal(err), _tls(client, err)]
    if _may_be_the_credentials(err):
        advice += [*hints, _credentials(client)]
    return advice


def _may_be_the_signature(err: KooDriveError) -> bool:
    refused = err.code is not None or (err.http_status or 0) >= _BAD_REQUEST
    return refused and (_is_of_authentication(err) or not _KNOWN_CODE.fullmatch(str(err.code).strip()))


def _may_be_the_credentials(err: KooDriveError) -> bool:
    return _is_of_authentication(err) or (
        _may_be_the_signature(err) and err.http_status in _MAY_BE_AUTHENTICATION
    )


def _is_of_authentication(err: KooDriveError) -> bool:
    return isinstance(err, KooDriveAuthenticationError) or err.http_status == _UNAUTHORIZED


def _about_refusal(err: KooDriveError) -> str:
    if isinstance(err, KooDriveAuthenticationError) and err.code is not None:
        return ""
    # Whatever the code is about, KooDrive has refused this user everything.
    koodrives = _KOODRIVES_CODE.fullmatch(str(err.code).strip())
    return KooDrivePermissionError.advice if koodrives else KooDriveResponseError.advice


def _tls(client: KooDriveClient, err: KooDriveError) -> str:
    plain = client.endpoint.startswith("http:")
    lost = isinstance(err, KooDriveConnectionError) and err.sent
    return _TLS if plain and (lost or (err.http_status == _BAD_REQUEST and err.code is None)) else ""


def _clock(client: KooDriveClient) -> str:
    date = client.clock.last_date
    if date is None or not isinstance(client.auth, AppAuth):
        return ""
    ahead = (datetime.now(timezone.utc) - date).total_seconds()
    if -SIGNATURE_SECONDS <= ahead <= CLOCK_MARGIN_SECONDS + 1:
        return ""
    return KooDriveAuthenticationError.advice_for_clock(ahead)


def _credentials(client: KooDriveClient) -> str:
    if not isinstance(client.auth, AppAuth):
        return KooDriveAuthenticationError.advice_for_session
    advice = KooDriveAuthenticationError.advice_for_app
    return advice if client.clock.last_date else f"{advice}, and this machine's clock"
