"""The call that a handler gets."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_koodrive.sandbox.service.envelope import ResponseFormat, bad_parameters, no_permission
from airflow_provider_koodrive.sandbox.storage.seed import ROLE_ADMINISTRATOR

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_koodrive.sandbox.storage.store import Row, Store

MAX_PAGE = 100


@dataclass(frozen=True)
class Limits:
    """
    The limits of the enterprise.

    :param groups_max: most group spaces
    :param max_capacity: capacity of all group spaces together, in GB
    """

    groups_max: int = 500
    max_capacity: int = 2048


@dataclass
class Call:
    """
    A call on its way through a handler.

    :param now: time at which the call came, in seconds since 1970
    :param skew: seconds by which the server's clock is ahead for this call
    :param user: row of the calling user
    :param failing_members: number of members that this call fails to change
    :param stale_seconds: age in seconds from which on lists show a space: the one that this call creates,
        or any in the list that this call asks for
    :param expired: whether to treat the token or the signature as expired
    :param committed: set by the handler once it has changed the stored data
    """

    store: Store
    response_format: ResponseFormat
    limits: Limits
    path: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes
    now: float
    skew: float = 0.0
    user: Row = field(default_factory=dict)
    failing_members: int = 0
    stale_seconds: float = 0.0
    expired: bool = False
    committed: bool = False

    @property
    def server_time(self) -> float:
        """The server's time for this call, in seconds since 1970."""
        return self.now + self.skew

    @property
    def user_id(self) -> str:
        return str(self.user["id"])

    @property
    def is_administrator(self) -> bool:
        return bool(self.user["role"] == ROLE_ADMINISTRATOR)

    def json(self) -> dict[str, Any]:
        """Return the body, which must be a JSON object."""
        try:
            return read_object(self.body)
        except ValueError as err:
            raise bad_parameters(str(err)) from err

    def integer(self, name: str, *, least: int, most: int | None = None) -> int:
        """Return a mandatory integer of the query."""
        text = self.query.get(name, "")
        value = int(text) if text.isascii() and text.isdigit() and len(text) < 19 else -1
        if value < least or (most is not None and value > most):
            bounds = f"at least {least}" if most is None else f"from {least} to {most}"
            raise bad_parameters(f"{name} must be an integer {bounds}.")
        return value

    def page(self) -> tuple[int, int]:
        """Return the mandatory ``offset`` and ``limit``."""
        return self.integer("offset", least=0), self.integer("limit", least=1, most=MAX_PAGE)

    def page_of(self, rows: list[Row]) -> list[Row]:
        """Return this call's page of the rows."""
        offset, limit = self.page()
        return rows[offset : offset + limit]

    def must_manage(self, space: Row) -> None:
        """Refuse a user who is neither the space's owner nor an administrator."""
        if not self.is_administrator and space["creator"] != self.user_id:
            raise no_permission("Only the owner or a tenant administrator may do this.")


def read_object(body: bytes) -> dict[str, Any]:
    """
    Read a body as JSON.

    :raises ValueError: it is not a JSON object
    """
    try:
        parsed = json.loads(body)
        # Half a surrogate pair is JSON, but no text that could be stored.
        json.dumps(parsed, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as err:
        raise ValueError("The body is not JSON.") from err
    if not isinstance(parsed, dict):
        raise ValueError("The body is not a JSON object.")
    return parsed
