"""Whether a client can work with KooDrive, in words that say what works or what to change."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import TYPE_CHECKING
from urllib.parse import quote

import pendulum

from airflow_provider_koodrive.api.auth import CLOCK_MARGIN_SECONDS, AppAuth
from airflow_provider_koodrive.exceptions import (
    KooDriveAuthenticationError,
    KooDriveConnectionError,
    KooDriveError,
    KooDrivePermissionError,
    KooDriveResponseError,
    KooDriveServerError,
    KooDriveThrottledError,
)

if TYPE_CHECKING:
    from airflow_provider_koodrive.api.client import Deadline, KooDriveClient

SECONDS = 9.0
LONGEST_MESSAGE = 1900

# A signature lives 15 minutes ("Authentication").
SIGNATURE_SECONDS = 15 * 60

_LIST = "/koodrive/ose/v1/space/groupList"
_LIST_FIELDS = ("groups", "total", "groupsTotal", "groupsMax")
_SESSION = "/koodrive/ose/v1/session/auth"
_USERS = "/koodrive/ose/v1/users/"

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


def diagnose(client: KooDriveClient) -> tuple[bool, str]:
    """
    Try a client with two calls that change nothing.

    Sources in KooDrive's documents: "Querying the List of Group Spaces in an Enterprise", which only
    tenant administrators may; "Querying a User"; "Verifying a Session".

    :param client: should make one attempt for a call and give up before :data:`SECONDS`, when the calls are
        left to themselves
    :return: whether it works, and what works or what to change, without secrets
    """
    result: Future[tuple[bool, str]] = Future()

    def run() -> None:
        try:
            result.set_result(_examine(client))
        except BaseException as err:
            result.set_exception(err)

    # Looking up a host's name knows no time-out, so the calls run where they can be left behind.
    threading.Thread(target=run, name="koodrive-diagnosis", daemon=True).start()
    try:
        works, message = result.result(SECONDS)
    except FutureTimeoutError:
        works, message = (
            False,
            f"no answer within {SECONDS:.0f} seconds; check the connection's host and port",
        )
    return works, f"{client.endpoint}: {message}"[:LONGEST_MESSAGE]


def _examine(client: KooDriveClient) -> tuple[bool, str]:
    deadline = client.deadline()
    try:
        administrator = _is_administrator(client, deadline)
        user = _user(client, deadline, certain=administrator)
    except KooDriveError as err:
        return False, ". ".join(part for part in (str(err), _advice(client, err)) if part)
    kind = "app authentication" if isinstance(client.auth, AppAuth) else "an access token"
    rights = (
        "a tenant administrator: creating and listing group spaces works"
        if administrator
        else "not a tenant administrator: creating group spaces works, GroupSpaceListOperator does not; "
        "to list, let an administrator make this user one, or connect as one"
    )
    return True, f"connected with {kind} as {user}, {rights}"


def _is_administrator(client: KooDriveClient, deadline: Deadline) -> bool:
    try:
        answer = client.call(
            "GET", _LIST, params={"offset": 0, "limit": 1}, expects=_LIST_FIELDS, deadline=deadline
        )
    except KooDrivePermissionError as err:
        if not _is_from_koodrive(err):
            raise
        return False
    if not any(field in answer for field in _LIST_FIELDS):
        raise KooDriveResponseError(
            "the answer is not KooDrive's: a list of group spaces has other fields",
            http_status=200,
            method="GET",
            path=_LIST,
        )
    return True


def _user(client: KooDriveClient, deadline: Deadline, *, certain: bool) -> str:
    """
    Name the calling user as far as KooDrive tells.

    :param certain: whether KooDrive has already answered this user, who is then known
    """
    user_id = client.auth.user_id if isinstance(client.auth, AppAuth) else None
    path = _SESSION if user_id is None else _USERS + quote(user_id, safe="")
    try:
        data = client.call("GET", path, expects=("data",), deadline=deadline).get("data")
    except (KooDrivePermissionError, KooDriveServerError):
        data = None
    except KooDriveError:
        if not certain:
            raise
        data = None
    data = data if isinstance(data, dict) else {}
    user_id = user_id or data.get("innerUserId")
    name = data.get("name") or data.get("userName")
    told = [f"user {user_id}" if user_id else "its user", f"({name})" if name else ""]
    text = client.auth.redact(" ".join(part for part in told if part))
    return text if text.isprintable() else ascii(text)


def _advice(client: KooDriveClient, err: KooDriveError) -> str:
    if isinstance(err, KooDriveThrottledError | KooDriveServerError):
        return "Try again in a minute; if that stays, check the connection's host"
    if isinstance(err, KooDriveConnectionError) and err.sent:
        return "If that stays, check the connection's host, port and proxies"
    if isinstance(err, KooDriveResponseError):
        return "Check the connection's host, port and proxies"
    if isinstance(err, KooDriveAuthenticationError | KooDrivePermissionError):
        return _credentials_advice(client, err)
    if isinstance(client.auth, AppAuth) and err.path and err.path.startswith(_USERS):
        return f"KooDrive does not know user {client.auth.user_id!r}. {_USER_ID}"
    return ""


def _credentials_advice(client: KooDriveClient, err: KooDriveError) -> str:
    if not _is_from_koodrive(err):
        return (
            "This comes from something before KooDrive, such as a gateway or a proxy: check the connection's "
            "host and proxies, then login and password"
        )
    if not isinstance(client.auth, AppAuth):
        return _SESSION_OVER
    ahead = (pendulum.now("UTC") - client.now()).total_seconds()
    if ahead > CLOCK_MARGIN_SECONDS + 1 or ahead < -SIGNATURE_SECONDS:
        side = "ahead of" if ahead > 0 else "behind"
        return (
            "The signature covers the time: set this machine's clock right, which is "
            f"{abs(ahead):.0f} seconds {side} KooDrive's by the answer's Date header"
        )
    # (inferred) The documents do not say how KooDrive words this.
    if "user" in (err.msg or "").lower():
        return f"KooDrive does not know user {client.auth.user_id!r}. {_USER_ID}"
    return _CREDENTIALS


def _is_from_koodrive(err: KooDriveError) -> bool:
    return err.code is not None
