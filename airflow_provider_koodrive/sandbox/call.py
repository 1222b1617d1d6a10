"""One call as a handler sees it, and what is remembered of it afterwards."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_koodrive.sandbox.envelope import Dialect, bad_parameters, no_permission
from airflow_provider_koodrive.sandbox.seed import ROLE_ADMINISTRATOR

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_koodrive.sandbox.store import Row, Store

MAX_PAGE = 100


@dataclass(frozen=True)
class Limits:
    """
    What the enterprise has bought.

    :param groups_max: most group spaces
    :param max_capacity: what all group spaces together may hold, in GB
    :param default_capacity: size of a group space that is created without one, in GB
    """

    groups_max: int = 500
    max_capacity: int = 2048
    default_capacity: int = 10


@dataclass(frozen=True)
class CallRecord:
    """
    A call that the sandbox has taken; holds no secrets.

    :param operation: name of the operation, such as ``create`` or ``groupList``
    :param method: HTTP method
    :param path: path without the query
    :param query: parameters of the query
    :param status: HTTP status of the answer, None where none was sent
    :param trace_id: ``X-Traceid`` of the request
    :param user_id: the user on whose behalf the call ran, None where authentication failed
    :param committed: whether the call has changed what is stored
    :param faults: kinds of the faults that struck it
    """

    operation: str
    method: str
    path: str
    query: Mapping[str, str]
    status: int | None
    trace_id: str | None
    user_id: str | None
    committed: bool
    faults: tuple[str, ...]


@dataclass
class Call:
    """
    A call on its way through a handler.

    :param now: the server's time for this call, in seconds since 1970
    :param user: row of the calling user
    :param failing_members: how many members this call shall fail to change
    :param stale_seconds: after how long a space that this call creates shall show in lists, in seconds
    :param committed: set by the handler once it has changed what is stored
    """

    store: Store
    dialect: Dialect
    limits: Limits
    path: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes
    now: float
    user: Row = field(default_factory=dict)
    failing_members: int = 0
    stale_seconds: float = 0.0
    committed: bool = False

    @property
    def user_id(self) -> str:
        return str(self.user["id"])

    @property
    def is_administrator(self) -> bool:
        return bool(self.user["role"] == ROLE_ADMINISTRATOR)

    def json(self) -> dict[str, Any]:
        """Read the body, which must be a JSON object."""
        try:
            parsed = json.loads(self.body)
            # Half a surrogate pair is JSON, but no text that could be stored.
            json.dumps(parsed, ensure_ascii=False).encode()
        except (ValueError, RecursionError) as err:
            raise bad_parameters("The body is not JSON.") from err
        if not isinstance(parsed, dict):
            raise bad_parameters("The body is not a JSON object.")
        return parsed

    def integer(self, name: str, *, least: int, most: int | None = None) -> int:
        """Read a mandatory integer of the query."""
        text = self.query.get(name, "")
        value = int(text) if text.isascii() and text.isdigit() and len(text) < 19 else -1
        if value < least or (most is not None and value > most):
            bounds = f"at least {least}" if most is None else f"from {least} to {most}"
            raise bad_parameters(f"{name} must be an integer {bounds}.")
        return value

    def page(self) -> tuple[int, int]:
        """Read the mandatory ``offset`` and ``limit``."""
        return self.integer("offset", least=0), self.integer("limit", least=1, most=MAX_PAGE)

    def cut(self, rows: list[Row]) -> list[Row]:
        """Take this call's page out of the rows."""
        offset, limit = self.page()
        return rows[offset : offset + limit]

    def must_manage(self, space: Row) -> None:
        """Refuse whoever is neither the space's owner nor an administrator."""
        if not self.is_administrator and space["creator"] != self.user_id:
            raise no_permission("Only the owner or a tenant administrator may do this.")
