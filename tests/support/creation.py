"""What tests of creating share: who creates, what was sent, notes of earlier tries, and lists that differ."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from support.clients import sandbox_client
from support.spaces import Spaces

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_koodrive.sandbox.server import Sandbox
    from support.raw_server import RawRequest, RawServer


def spaces_of(
    sandbox: Sandbox, edition: str = "2025-03", user: int = 0, kind: str = "app", **options: Any
) -> Spaces:
    """
    Make a caller.

    :param user: number of the user; 0 is the administrator
    :param kind: ``app`` or ``token``
    """
    user_id = sandbox.user_ids[user]
    token = sandbox.issue_token(user_id) if kind == "token" else None
    return Spaces(sandbox_client(sandbox, user_id=user_id, token=token, **options), api_edition=edition)


def through(server: RawServer, sandbox: Sandbox, **options: Any) -> Spaces:
    """Make a caller who calls the sandbox through another server."""
    spaces = spaces_of(sandbox, **options)
    spaces.client.endpoint = server.url
    return spaces


def operations(sandbox: Sandbox) -> list[str]:
    """Return the operation of each call."""
    return [call.operation for call in sandbox.calls]


def creates(sandbox: Sandbox) -> list[bool]:
    """Return for each create whether it was carried out."""
    return [call.committed for call in sandbox.calls if call.operation == "create"]


def seconds_from_now(seconds: float) -> str:
    return (datetime.now(timezone.utc) + timedelta(seconds=seconds)).isoformat()


def intent(
    name: str = "Finance",
    *,
    sent: float = -5.0,
    until: float = 5.0,
    settled: float = 60.0,
    space_id: str | None = None,
    **changes: Any,
) -> dict[str, Any]:
    """Write the note of an earlier try; times are seconds from now."""
    noted = {
        "name": name,
        "sent_at": seconds_from_now(sent),
        "ours_until": seconds_from_now(min(until, settled)),
        "settled_by": seconds_from_now(settled),
        "trace_id": "0" * 58,
        "space_id": space_id,
    }
    return {**noted, **changes}


def own_spaces(
    change: Callable[[dict[str, Any], RawRequest], object],
) -> Callable[[RawRequest, bytes], bytes]:
    """Change the responses to the list of the calling user's own spaces."""

    def rewrite(request: RawRequest, body: bytes) -> bytes:
        if "/space/teamList" not in request.target:
            return body
        listing = json.loads(body)
        change(listing, request)
        return json.dumps(listing).encode()

    return rewrite


def created_at(time: Any) -> Callable[[RawRequest, bytes], bytes]:
    """Have all spaces created at a time; a function is asked for it."""

    def change(listing: dict[str, Any], _request: RawRequest) -> None:
        for team in listing["teams"]:
            team["createTime"] = time() if callable(time) else time

    return own_spaces(change)
