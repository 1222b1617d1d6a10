"""Whether a client can work with KooDrive, in words that say what works or what to change."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from airflow_provider_koodrive.api.auth import AppAuth
from airflow_provider_koodrive.api.endpoints import (
    CHECK_SESSION,
    LIST_GROUP_SPACES,
    LIST_OWN_SPACES,
    QUERY_USER,
    Endpoint,
)
from airflow_provider_koodrive.api.http.timeouts import TooLateError, within
from airflow_provider_koodrive.connection.troubleshooting import explain
from airflow_provider_koodrive.exceptions import KooDriveError, KooDrivePermissionError, KooDriveResponseError
from airflow_provider_koodrive.formatting import one_line

if TYPE_CHECKING:
    from airflow_provider_koodrive.api.client import KooDriveClient
    from airflow_provider_koodrive.api.http.request import CallContext

SECONDS = 9.0
LONGEST_MESSAGE = 1900
LONGEST_NAME = 100

_COUNTS = ("groupsTotal", "groupsMax")
_SESSION_FIELDS = ("innerUserId", "userId", "userName", "role")


def diagnose(client: KooDriveClient, *, seconds: float = SECONDS, hint: str = "") -> tuple[bool, str]:
    """
    Try a client with two calls that change nothing.

    Sources in KooDrive's documents: "Querying the List of Group Spaces in an Enterprise", which only
    tenant administrators may; "Querying a User"; "Querying the List of Team Spaces"; "Verifying a Session".

    :param client: should make one attempt for a call and give up before ``seconds``, when the calls are
        left to themselves
    :param seconds: seconds after which there is an answer
    :param hint: what else to look at where the credentials are not accepted
    :return: whether it works, and what works or what to change, without secrets
    """
    try:
        works, message = within(seconds, lambda: _examine(client, hint))
    except TooLateError:
        works, message = (
            False,
            f"no answer within {seconds:.0f} seconds; check the connection's host and port",
        )
    return works, f"{one_line(client.endpoint)}: {message}"[:LONGEST_MESSAGE]


def _examine(client: KooDriveClient, hint: str) -> tuple[bool, str]:
    context = client.new_context()
    try:
        administrator = _is_administrator(client, context)
        user = _user(client, context, administrator=administrator)
    except KooDriveError as err:
        return False, explain(client, err, hint)
    kind = "app authentication" if isinstance(client.auth, AppAuth) else "an access token"
    rights = (
        "a tenant administrator: creating and listing group spaces works"
        if administrator
        else "not a tenant administrator: creating group spaces works, GroupSpaceListOperator does not; "
        "to list, let an administrator make this user one, or connect as one"
    )
    return True, f"connected with {kind} as {user}, {rights}"


def _is_administrator(client: KooDriveClient, context: CallContext) -> bool:
    try:
        endpoint = _unparsed(LIST_GROUP_SPACES, "groups", *_COUNTS)
        answer = client.call(endpoint, params={"offset": 0, "limit": 1}, context=context)
    except KooDrivePermissionError as err:
        # A refusal without a code is a page. Other codes may be anybody's, so the second call has to tell:
        # the documents do not say which one KooDrive gives here.
        if err.code is None:
            raise
        return False
    counted = any(re.fullmatch("[0-9]+", str(answer.get(count))) for count in _COUNTS)
    if not isinstance(answer.get("groups"), list) and not counted:
        raise _not_koodrives(LIST_GROUP_SPACES.path, "a list of group spaces")
    return True


def _user(client: KooDriveClient, context: CallContext, *, administrator: bool) -> str:
    """
    Name the calling user as far as KooDrive tells.

    :param administrator: whether KooDrive has already answered this user; else it has to do so now
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
        _look_at_own_spaces(client, context)
        data = {}
    name = client.auth.redact(str(data.get("name") or data.get("userName") or ""))
    user = one_line(client.auth.redact(f"user {user_id}")) if user_id else "its user"
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
        # A name is worth no failure, but who answers with a page is not KooDrive.
        if not tolerant or type(err) is KooDriveResponseError:
            raise
        return {}


def _look_at_own_spaces(client: KooDriveClient, context: CallContext) -> None:
    """
    Make the call that each user may and each create begins with.

    "Querying a User" would tell the name, but also a mobile number: nothing says that common users may
    query users, whereas "Querying the List of Team Spaces" is about the caller's own.
    """
    endpoint = _unparsed(LIST_OWN_SPACES, "teams")
    answer = client.call(endpoint, params={"offset": 0, "limit": 1, "teamType": 1}, context=context)
    if not isinstance(answer.get("teams", ""), list | None):
        raise _not_koodrives(LIST_OWN_SPACES.path, "a list of team spaces")


def _not_koodrives(path: str, what: str) -> KooDriveResponseError:
    return KooDriveResponseError(
        f"the answer is not KooDrive's: {what} has other fields", http_status=200, method="GET", path=path
    )
