"""The test button of a connection: what works, or what to do."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_provider_koodrive.api.auth import AppAuth
from airflow_provider_koodrive.api.endpoints import (
    CHECK_SESSION,
    LIST_GROUP_SPACES,
    LIST_OWN_SPACES,
    QUERY_USER,
    Endpoint,
)
from airflow_provider_koodrive.api.http.timeouts import Deadline, TimeoutExpiredError, run_with_timeout
from airflow_provider_koodrive.connection.troubleshooting import advise, explain
from airflow_provider_koodrive.exceptions import (
    KooDriveAuthenticationError,
    KooDriveConnectionError,
    KooDriveError,
    KooDrivePermissionError,
    KooDriveResponseError,
)
from airflow_provider_koodrive.formatting import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from airflow_provider_koodrive.api.client import KooDriveClient
    from airflow_provider_koodrive.api.http.request import CallContext
    from airflow_provider_koodrive.connection.settings import KooDriveSettings

SECONDS = 9.0
LONGEST_MESSAGE = 1900
LONGEST_NAME = 100

# The part of the time that reading the connection may use, so that some is left to try it.
READING_SHARE = 0.8
# The part of the time left that the calls may use: their own errors say more than the end of the test.
CALLS_SHARE = 0.9

_COUNTS = ("groupsTotal", "groupsMax")
_SESSION_FIELDS = ("innerUserId", "userId", "userName", "role")

_TAG = re.compile(r"\[(?=[a-z#/@])")
_BLANKS = "remove the blank or line break at the start or end of the {}, unless it belongs to it"


def check_connection(
    read: Callable[[], KooDriveSettings],
    connect: Callable[[KooDriveSettings], KooDriveClient],
    *,
    conn_id: str,
    read_in_thread: bool,
) -> tuple[bool, str]:
    """
    Test a connection with two calls that change nothing, in ten seconds at most; never raises.

    :param read: reads the connection
    :param connect: makes a client
    :param conn_id: id of the connection
    :param read_in_thread: read in a thread that is left behind if it takes too long; else reading the
        connection has no end of its own and adds to the time
    :return: whether it works, and what works or what to do, without secrets
    """
    works, message = _check(read, connect, conn_id, read_in_thread)
    # Airflow's command line prints it as rich's markup, which fails at some brackets and swallows others.
    return works, _TAG.sub("[ ", message[:LONGEST_MESSAGE])


def _check(
    read: Callable[[], KooDriveSettings],
    connect: Callable[[KooDriveSettings], KooDriveClient],
    conn_id: str,
    read_in_thread: bool,
) -> tuple[bool, str]:
    # The button gives the connection an id of its own, which the user has never seen.
    conn = f"connection {conn_id!r}: "
    time = Deadline(SECONDS)
    reading = READING_SHARE * SECONDS
    try:
        settings = run_with_timeout(reading, read) if read_in_thread else read()
        if time.left() < SECONDS - reading:
            raise TimeoutExpiredError  # else the way to KooDrive would be blamed
    except TimeoutExpiredError:
        advice = "check Airflow's secrets backends and its database"
        return False, advise([advice], f"The connection could not be read in {reading:.0f} seconds")
    except KooDriveError as err:
        return False, str(err).removeprefix(conn)
    except Exception as err:
        # Whatever a secrets backend raises: its text may show the secrets of a malformed connection.
        kind = type(err).__name__
        return False, f"there is no connection {conn_id!r}, or it cannot be read ({kind})"
    try:
        deadline = min(settings.deadline, CALLS_SHARE * time.left())
        client = connect(replace(settings, max_attempts=1, deadline=deadline))
        return check_client(client, seconds=time.left(), hints=_hints(settings))
    except KooDriveError as err:
        return False, str(err).removeprefix(conn)
    except Exception as err:
        return False, f"the test itself failed ({type(err).__name__}); report this fault of the provider"


def _hints(settings: KooDriveSettings) -> list[str]:
    entered = {"login": settings.login or "", "password": settings.password}
    return [_BLANKS.format(name) for name, value in entered.items() if value != value.strip()]


def check_client(client: KooDriveClient, *, seconds: float, hints: Sequence[str] = ()) -> tuple[bool, str]:
    """
    Test a client with two calls that change nothing.

    Sources in KooDrive's documents: "Listing Group Spaces in an Enterprise", which only tenant
    administrators may; "Querying User Information"; "Querying Information About a Team Space"; "Checking
    Whether a User Session Is Invalid Based on Token Information".

    :param client: makes one attempt for a call, and gives up before ``seconds``
    :param seconds: seconds after which the test ends
    :param hints: what else to check if the credentials may be wrong
    :return: whether it works, and what works or what to do, without secrets
    """
    try:
        works, message = run_with_timeout(seconds, lambda: _examine(client, hints))
    except TimeoutExpiredError:
        happened = f"{one_line(client.endpoint)}: no answer in {seconds:.0f} seconds"
        works, message = False, advise([KooDriveConnectionError.advice], happened)
    return works, message[:LONGEST_MESSAGE]


def _examine(client: KooDriveClient, hints: Sequence[str]) -> tuple[bool, str]:
    context = client.new_context()
    try:
        administrator = _is_administrator(client, context)
        user = _user(client, context, administrator=administrator)
    except KooDriveError as err:
        return False, explain(client, err, hints)
    kind = "app authentication" if isinstance(client.auth, AppAuth) else "an access token"
    rights = (
        "a tenant administrator: creating and listing group spaces works"
        if administrator
        else "not a tenant administrator: creating group spaces works, GroupSpaceListOperator does not; "
        "to list, let an administrator make this user one, or connect as one"
    )
    text = f"{one_line(client.endpoint)}: connected with {kind} as {user}, {rights}"
    if isinstance(client.auth, AppAuth) and client.auth.clock_offset:
        text += f"; {KooDriveAuthenticationError.advice_for_clock(-client.auth.clock_offset)}"
    return True, text


def _is_administrator(client: KooDriveClient, context: CallContext) -> bool:
    try:
        endpoint = _unparsed(LIST_GROUP_SPACES, "groups", *_COUNTS)
        answer = client.call(endpoint, params={"offset": 0, "limit": 1}, context=context)
    except KooDrivePermissionError as err:
        # A refusal without a code does not come from KooDrive. Other codes may come from any service, so the
        # second call decides: the documents do not say which code KooDrive gives here.
        if err.code is None:
            raise
        return False
    counted = any(re.fullmatch("[0-9]+", str(answer.get(count))) for count in _COUNTS)
    if not isinstance(answer.get("groups"), list) and not counted:
        raise _not_koodrives(LIST_GROUP_SPACES.path, "a list of group spaces")
    return True


def _user(client: KooDriveClient, context: CallContext, *, administrator: bool) -> str:
    """
    Return the calling user's id and name, as far as KooDrive says them.

    :param administrator: whether KooDrive has answered this user already; if not, it must do so now
    """
    user_id = client.auth.user_id if isinstance(client.auth, AppAuth) else None
    if user_id is None:
        data = _details(client, CHECK_SESSION, context, tolerant=administrator)
        if not administrator and not any(field in data for field in _SESSION_FIELDS):
            raise _not_koodrives(CHECK_SESSION.path, "a session")
        user_id = data.get("innerUserId")
    elif administrator:
        data = _details(client, QUERY_USER, context, tolerant=True, user_id=user_id)
    else:
        _list_own_spaces(client, context)
        data = {}
    name = client.redact(str(data.get("name") or data.get("userName") or ""))
    user = one_line(client.redact(f"user {user_id}")) if user_id else "its user"
    return f"{user} ({one_line(name[:LONGEST_NAME])})" if name else user


def _unparsed(endpoint: Endpoint[Any], *success_fields: str) -> Endpoint[dict[str, Any]]:
    return Endpoint(endpoint.method, endpoint.path, success_fields, dict, endpoint.page_title)


def _details(
    client: KooDriveClient,
    endpoint: Endpoint[dict[str, Any]],
    context: CallContext,
    *,
    tolerant: bool,
    **ids: str,
) -> dict[str, Any]:
    try:
        return client.call(endpoint, ids=ids, context=context)
    except KooDriveError as err:
        # A name is not worth a failure, but a response that is not KooDrive's is one.
        if not tolerant or type(err) is KooDriveResponseError:
            raise
        return {}


def _list_own_spaces(client: KooDriveClient, context: CallContext) -> None:
    """
    Make the call that every user may make, and with which each create begins.

    "Querying User Information" would return the name, but also a mobile number: no document says that
    common users may query users, whereas "Querying Information About a Team Space" is about the caller's own.
    """
    endpoint = _unparsed(LIST_OWN_SPACES, "teams")
    answer = client.call(endpoint, params={"offset": 0, "limit": 1, "teamType": 1}, context=context)
    if not isinstance(answer.get("teams", ""), list | None):
        raise _not_koodrives(LIST_OWN_SPACES.path, "a list of team spaces")


def _not_koodrives(path: str, what: str) -> KooDriveResponseError:
    return KooDriveResponseError(
        f"{KooDriveResponseError.meaning}: {what} has other fields", http_status=200, method="GET", path=path
    )
