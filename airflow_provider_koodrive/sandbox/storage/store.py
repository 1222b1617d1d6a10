"""The sandbox's database: one SQLite file. Every change is committed before the response is sent."""

from __future__ import annotations

import hashlib
import json
import secrets
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

Row = dict[str, Any]
Parameters = Sequence[Any] | Mapping[str, Any]

_FIRST_SPACE_ID = 1_417_956_457_311_344_513

_SCHEMA = """
CREATE TABLE IF NOT EXISTS settings (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS departments (
    id TEXT PRIMARY KEY, parent_id TEXT NOT NULL, name TEXT NOT NULL, dept_id TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS users (
    id TEXT PRIMARY KEY, user_id TEXT NOT NULL, name TEXT NOT NULL, folded TEXT NOT NULL,
    mobile TEXT NOT NULL, role INTEGER NOT NULL, dept_id TEXT NOT NULL REFERENCES departments (id)
);
CREATE TABLE IF NOT EXISTS tokens (digest TEXT PRIMARY KEY, user_id TEXT NOT NULL, expires_at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS spaces (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT UNIQUE, container_id TEXT UNIQUE, name TEXT NOT NULL, folded TEXT NOT NULL,
    creator TEXT NOT NULL REFERENCES users (id), capacity INTEGER NOT NULL, icon_url TEXT NOT NULL,
    created_at REAL NOT NULL, visible_from REAL NOT NULL,
    UNIQUE (creator, name)
);
CREATE INDEX IF NOT EXISTS spaces_in_order ON spaces (created_at, number, visible_from, creator);
CREATE INDEX IF NOT EXISTS spaces_of_creator ON spaces (creator, created_at, number, visible_from);
CREATE TABLE IF NOT EXISTS totals (id INTEGER PRIMARY KEY, capacity INTEGER NOT NULL);
INSERT OR IGNORE INTO totals SELECT 1, coalesce(sum(capacity), 0) FROM spaces;
CREATE TRIGGER IF NOT EXISTS add_capacity AFTER INSERT ON spaces
BEGIN UPDATE totals SET capacity = capacity + NEW.capacity; END;
CREATE TRIGGER IF NOT EXISTS subtract_capacity AFTER DELETE ON spaces
BEGIN UPDATE totals SET capacity = capacity - OLD.capacity; END;
CREATE TABLE IF NOT EXISTS members (
    space_id TEXT NOT NULL REFERENCES spaces (id) ON DELETE CASCADE,
    user_id TEXT NOT NULL REFERENCES users (id),
    template TEXT, capabilities TEXT, added_at REAL NOT NULL,
    PRIMARY KEY (space_id, user_id)
);
CREATE INDEX IF NOT EXISTS members_of_user ON members (user_id);
"""

_SPACE = """
SELECT spaces.*, users.name AS owner_name,
       (SELECT count(*) FROM members WHERE members.space_id = spaces.id) AS user_num
FROM spaces JOIN users ON users.id = spaces.creator
"""

# Counting and skipping read an index alone; the records are read for one page.
_HITS = "FROM spaces{users} WHERE {conditions}"
_OWNERS = " JOIN users ON users.id = spaces.creator"
_ORDER = "ORDER BY spaces.created_at, spaces.number"
_CONDITIONS = {
    "now": "spaces.visible_from <= :now",
    "newest": "spaces.created_at <= :newest",
    "owner_id": "spaces.creator = :owner_id",
    "not_owner_id": "spaces.creator <> :not_owner_id",
    "member_id": "spaces.id IN (SELECT space_id FROM members WHERE members.user_id = :member_id)",
    "keyword": "(instr(spaces.folded, :keyword) OR instr(users.folded, :keyword))",
}

_INSERT_SPACE = """
INSERT INTO spaces (name, folded, creator, capacity, icon_url, created_at, visible_from)
VALUES (:name, :folded, :creator, :capacity, :icon_url, :created_at, :visible_from)
"""

_USER = """
SELECT users.*, departments.name AS dept_name FROM users JOIN departments ON departments.id = users.dept_id
"""

_BELOW = """
WITH RECURSIVE below (id) AS (
    SELECT ? UNION SELECT departments.id FROM departments JOIN below ON departments.parent_id = below.id
)
"""


class DuplicateNameError(Exception):
    """The creator already has a space of this name."""


class Store:
    """
    The sandbox's database; safe to use from several threads.

    :param path: SQLite file; created if absent
    """

    def __init__(self, path: Path) -> None:
        self._lock = threading.RLock()
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=30)
        self._db.row_factory = sqlite3.Row
        self._db.execute("PRAGMA journal_mode = WAL")
        # With a WAL this outlives the death of the process; only a power cut could lose the last commits.
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.execute("PRAGMA foreign_keys = ON")
        self._db.executescript(_SCHEMA)

    def close(self) -> None:
        with self._lock:
            self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Run the block as one transaction."""
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def _rows(self, sql: str, parameters: Parameters = ()) -> list[Row]:
        with self._lock:
            return [dict(row) for row in self._db.execute(sql, parameters)]

    def _row(self, sql: str, parameters: Parameters = ()) -> Row | None:
        return next(iter(self._rows(sql, parameters)), None)

    def _number(self, sql: str, parameters: Parameters = ()) -> int:
        with self._lock:
            return int(self._db.execute(sql, parameters).fetchone()[0])

    def _execute(self, sql: str, parameters: Parameters = ()) -> sqlite3.Cursor:
        with self._lock:
            return self._db.execute(sql, parameters)

    # Settings and tokens

    def setting(self, key: str) -> str | None:
        row = self._row("SELECT value FROM settings WHERE key = ?", [key])
        return None if row is None else str(row["value"])

    def set_setting(self, key: str, value: str) -> None:
        self._execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", [key, value])

    def add_token(self, user_id: str, *, expires_at: float) -> str:
        token = secrets.token_hex(32)
        self._execute("INSERT INTO tokens VALUES (?, ?, ?)", [_digest(token), user_id, expires_at])
        return token

    def use_token(self, token: str, *, now: float, lifetime: float) -> str | None:
        """Extend a token that has not expired; return the id of its user, or None."""
        found = self._row(
            "UPDATE tokens SET expires_at = max(expires_at, ?) WHERE digest = ? AND expires_at > ?"
            " RETURNING user_id",
            [now + lifetime, _digest(token), now],
        )
        return None if found is None else str(found["user_id"])

    # Departments and users

    def add_department(self, department: Mapping[str, str]) -> None:
        self._execute("INSERT INTO departments VALUES (:id, :parent_id, :name, :dept_id)", department)

    def add_user(self, user: Mapping[str, Any]) -> None:
        self._execute(
            "INSERT INTO users VALUES (:id, :user_id, :name, :folded, :mobile, :role, :dept_id)",
            {**user, "folded": user["name"].casefold()},
        )

    def departments(self, parent_id: str) -> list[Row]:
        return self._rows("SELECT * FROM departments WHERE parent_id = ? ORDER BY id", [parent_id])

    def all_departments(self) -> list[Row]:
        return self._rows("SELECT * FROM departments ORDER BY id")

    def user(self, user_id: str) -> Row | None:
        return self._row(f"{_USER} WHERE users.id = ?", [user_id])

    def users(self, *, department_id: str | None, direct: bool) -> list[Row]:
        """Return the users of a department, with those of the departments below it unless ``direct``."""
        if department_id is None:
            return self._rows(f"{_USER} ORDER BY users.id")
        if direct:
            return self._rows(f"{_USER} WHERE users.dept_id = ? ORDER BY users.id", [department_id])
        return self._rows(
            f"{_BELOW} {_USER} JOIN below ON below.id = users.dept_id ORDER BY users.id", [department_id]
        )

    def user_count(self) -> int:
        return self._number("SELECT count(*) FROM users")

    # Group spaces

    def add_space(self, space: Mapping[str, Any]) -> Row:
        """
        Add a group space with its creator as first member.

        :param space: name, creator, capacity (GB), icon_url, created_at, visible_from
        :raises DuplicateNameError: the creator has a space of this name
        """
        try:
            # SQLite's own lower() knows ASCII only.
            folded = {**space, "folded": space["name"].casefold()}
            number = self._execute(_INSERT_SPACE, folded).lastrowid or 0
        except sqlite3.IntegrityError as err:
            raise DuplicateNameError(space["name"]) from err
        space_id = str(_FIRST_SPACE_ID + number)
        container_id = f"IAAE{secrets.token_hex(6)}{space_id}"
        self._execute(
            "UPDATE spaces SET id = ?, container_id = ? WHERE number = ?", [space_id, container_id, number]
        )
        self.add_member(space_id, space["creator"], template=None, capabilities=None, now=space["created_at"])
        return {"id": space_id, "container_id": container_id}

    def remove_space(self, space_id: str) -> None:
        self._execute("DELETE FROM spaces WHERE id = ?", [space_id])

    def space(self, *, space_id: str | None = None, container_id: str | None = None) -> Row | None:
        return self._row(f"{_SPACE} WHERE spaces.id = ? OR spaces.container_id = ?", [space_id, container_id])

    def spaces(
        self,
        *,
        offset: int = 0,
        limit: int = -1,
        keyword: str = "",
        owner_id: str | None = None,
        member_id: str | None = None,
        not_owner_id: str | None = None,
        now: float = float("inf"),
        least_age: float = 0.0,
    ) -> tuple[int, list[Row]]:
        """
        List group spaces in the order of their creation.

        :param limit: most records to give, -1 for all
        :param keyword: part of the name or of the owner's name, in any case
        :param owner_id: only spaces of this owner
        :param member_id: only spaces of which this user is a member
        :param not_owner_id: only spaces of other owners
        :param now: leave out spaces that lists show only later than this time
        :param least_age: leave out spaces that are then younger than this, in seconds
        :return: number of hits, and the page of them
        """
        given = {
            "now": now,
            "newest": now - least_age if least_age else None,
            "owner_id": owner_id,
            "not_owner_id": not_owner_id,
            "member_id": member_id,
            "keyword": keyword.casefold() or None,
        }
        parameters = {name: value for name, value in given.items() if value is not None}
        conditions = " AND ".join(_CONDITIONS[name] for name in parameters)
        hits = _HITS.format(users=_OWNERS if keyword else "", conditions=conditions)
        page = f"WHERE spaces.number IN (SELECT spaces.number {hits} {_ORDER} LIMIT :limit OFFSET :offset)"
        with self._lock:
            total = self._number(f"SELECT count(*) {hits}", parameters)
            rows = self._rows(f"{_SPACE} {page} {_ORDER}", {**parameters, "limit": limit, "offset": offset})
            return total, rows

    def show_everything(self) -> None:
        self._execute("UPDATE spaces SET visible_from = 0")

    def age(self, seconds: float, *, name: str | None = None) -> None:
        """Move the time of creation back, of all spaces or of those with this name."""
        self._execute(
            "UPDATE spaces SET created_at = created_at - :seconds WHERE :name IS NULL OR name = :name",
            {"seconds": seconds, "name": name},
        )

    def space_count(self) -> int:
        return self._number("SELECT count(*) FROM spaces")

    def assigned_capacity(self) -> int:
        """Return the capacity of all group spaces together, in GB."""
        return self._number("SELECT capacity FROM totals")

    # Members

    def add_member(
        self,
        space_id: str,
        user_id: str,
        *,
        template: int | None,
        capabilities: Mapping[str, bool] | None,
        now: float,
    ) -> None:
        self._execute(
            "INSERT INTO members VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT DO UPDATE SET template = excluded.template, capabilities = excluded.capabilities",
            [
                space_id,
                user_id,
                None if template is None else str(template),
                None if capabilities is None else json.dumps(capabilities, sort_keys=True),
                now,
            ],
        )

    def remove_member(self, space_id: str, user_id: str) -> bool:
        """Remove a member; return False if the user is not one."""
        sql = "DELETE FROM members WHERE space_id = ? AND user_id = ?"
        return self._execute(sql, [space_id, user_id]).rowcount > 0

    def members(self, space_id: str) -> list[Row]:
        return self._rows(
            "SELECT members.*, users.name, users.mobile, users.dept_id, departments.name AS dept_name"
            " FROM members JOIN users ON users.id = members.user_id"
            " JOIN departments ON departments.id = users.dept_id"
            " WHERE space_id = ? ORDER BY added_at, members.rowid",
            [space_id],
        )


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
