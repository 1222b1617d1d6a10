"""What to change in a connection after a call has failed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pendulum

from airflow_provider_koodrive.api.auth import CLOCK_MARGIN_SECONDS, AppAuth
from airflow_provider_koodrive.exceptions import (
    KooDriveAuthenticationError,
    KooDriveConfigError,
    KooDriveConnectionError,
    KooDriveError,
    KooDriveResponseError,
    KooDriveServerError,
    KooDriveThrottledError,
)
from airflow_provider_koodrive.formatting import shown

if TYPE_CHECKING:
    from airflow_provider_koodrive.api.client import KooDriveClient

# A signature lives 15 minutes ("Authentication").
SIGNATURE_SECONDS = 15 * 60

_UNAUTHORIZED = 401
_PROXY_AUTHENTICATION_REQUIRED = 407
_NOT_FOUND = "13000309"

# Those that the documents give for something else than authentication ("Error Codes").
_KNOWN_CODE = re.compile(r"13000(?:102|201|3(?:0[1-9]|1[0-2])|4(?:0[1-9]|1[0-4]))")
# "a number with 8 digits", of KooDrive's own ("Response"); gateways and other services have other codes.
_KOODRIVES_CODE = re.compile(r"[0-9]{8}")

# With these, credentials may not be accepted: 400 means "authentication not passed", and errors may come
# with 200 ("Status Codes"). The documents give no code for a token or a signature.
_OF_AUTHENTICATION = (200, 400, 403)

# (inferred) The documents do not say how KooDrive words this.
_USER_UNKNOWN = re.compile(
    r"\b(?:no|such|unknown|invalid) user\b(?! signature| auth)"
    r"|\buser(?:[ -]?id)?(?: \S*\d\S*)? (?:is |was |does )?"
    r"(?:not (?:exist|found|known)|unknown|invalid|inactive)",
    re.IGNORECASE,
)
_CLOCK_TOLD = re.compile(r"; this machine's clock is [^;(]*, set it right")

_SESSION_OVER = (
    "An access token ends 20 minutes after its last call: put a new one, the cookie Authorization of "
    "KooDrive's front end, into password; or use app authentication (App ID, App secret, User ID), which "
    "schedules need"
)
_CREDENTIALS = (
    "Check login (App ID), password (App secret) and extra user_id, which is KooDrive's internal id of an "
    "active user; behind a proxy that rewrites the Host header, set extra sign_host to false"
)
_USER_ID = "Set extra user_id to KooDrive's internal id of an active user, such as 1505084218764547200"
_NO_DATE = "The answer tells no time: check that this machine's clock is right, which the signature covers"
_ELSEWHERE = (
    "This may come from something before KooDrive, such as a gateway or a proxy: check the connection's "
    "host and proxies"
)
_REFUSED = (
    "KooDrive refuses this user: let KooDrive's administrator check that it is active and has the rights"
)


def explain(client: KooDriveClient, err: KooDriveError, hint: str = "") -> str:
    """
    Return what went wrong and what to change.

    :param client: made the call
    :param err: what came out
    :param hint: what else to look at where the credentials are not accepted
    """
    text = str(err)
    if isinstance(err, KooDriveThrottledError | KooDriveServerError):
        advice = ["Try again in a minute; if that stays, check the connection's host"]
    elif err.http_status == _PROXY_AUTHENTICATION_REQUIRED:
        advice = ["The proxy refuses: check extra proxies and extra proxy_password"]
    elif isinstance(err, KooDriveConfigError):
        advice = []  # it says itself what is wrong
    elif isinstance(err, KooDriveConnectionError):
        advice = [_way(client, err)]
    else:
        clock = _clock(client) if _may_be_the_signature(err) else ""
        text = _CLOCK_TOLD.sub("", text) if clock else text
        advice = [clock, _who_refuses(client, err)]
        if _may_be_the_credentials(err):
            advice += [_credentials(client, err), hint]
    return ". ".join(part for part in (text, *advice) if part)


def _may_be_the_signature(err: KooDriveError) -> bool:
    refused = err.code is not None or (err.http_status or 0) >= 400
    return refused and (_is_of_authentication(err) or not _KNOWN_CODE.fullmatch(str(err.code).strip()))


def _may_be_the_credentials(err: KooDriveError) -> bool:
    return _is_of_authentication(err) or (
        _may_be_the_signature(err) and err.http_status in _OF_AUTHENTICATION
    )


def _is_of_authentication(err: KooDriveError) -> bool:
    return isinstance(err, KooDriveAuthenticationError) or err.http_status == _UNAUTHORIZED


def _who_refuses(client: KooDriveClient, err: KooDriveError) -> str:
    if isinstance(err, KooDriveResponseError):
        return _way(client, err)
    if isinstance(err, KooDriveAuthenticationError) and err.code is not None:
        return ""
    return _refused(client, err) if _KOODRIVES_CODE.fullmatch(str(err.code).strip()) else _ELSEWHERE


def _way(client: KooDriveClient, err: KooDriveConnectionError | KooDriveResponseError) -> str:
    deadline = "deadline" in str(err)
    lost = isinstance(err, KooDriveConnectionError)
    if isinstance(err, KooDriveConnectionError) and not err.sent and not deadline:
        return ""  # it says itself what to check
    advice = "If that stays, check" if lost else "Check"
    advice += " the connection's host, port and proxies"
    if deadline:
        advice += ", and its deadline"
    if client.endpoint.startswith("http:") and (lost or err.http_status == 400):
        advice += "; if that port speaks TLS, write https:// before the host"
    return advice


def _clock(client: KooDriveClient) -> str:
    ahead = (pendulum.now("UTC") - client.clock.now()).total_seconds()
    right = -SIGNATURE_SECONDS <= ahead <= CLOCK_MARGIN_SECONDS + 1
    if right or not isinstance(client.auth, AppAuth):
        return ""
    side = "ahead of" if ahead > 0 else "behind"
    return (
        f"The signature covers the time: set this machine's clock right, which is {_duration(abs(ahead))} "
        f"{side} KooDrive's by the answer's Date header"
    )


def _duration(seconds: float) -> str:
    """Say it in the largest unit of which there are two at least."""
    units = {"days": 86400, "hours": 3600, "minutes": 60}
    unit, length = next(
        ((unit, length) for unit, length in units.items() if seconds >= 2 * length), ("seconds", 1)
    )
    return f"{seconds / length:.0f} {unit}"


def _credentials(client: KooDriveClient, err: KooDriveError) -> str:
    if not isinstance(client.auth, AppAuth):
        return _SESSION_OVER
    advice = [
        _unknown(client.auth) if _USER_UNKNOWN.search(err.msg or "") else "",
        _CREDENTIALS,
        "" if client.clock.was_told else _NO_DATE,
    ]
    return ". ".join(part for part in advice if part)


def _refused(client: KooDriveClient, err: KooDriveError) -> str:
    if not isinstance(client.auth, AppAuth):
        return _REFUSED
    if str(err.code) == _NOT_FOUND:
        return _unknown(client.auth)
    return f"{_REFUSED}, or set extra user_id to the id of another"


def _unknown(auth: AppAuth) -> str:
    return f"KooDrive does not know user {shown(auth.user_id)}. {_USER_ID}"
