"""The sandbox's server: :class:`Sandbox` runs an embedded KooDrive in a thread of its own."""

from __future__ import annotations

import asyncio
import json
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_koodrive.sandbox import clock
from airflow_provider_koodrive.sandbox.clock import iso_milliseconds
from airflow_provider_koodrive.sandbox.http.auth import TOKEN_SECONDS
from airflow_provider_koodrive.sandbox.http.records import Records
from airflow_provider_koodrive.sandbox.service.call import Limits
from airflow_provider_koodrive.sandbox.service.envelope import CreateId, Edition, ResponseFormat
from airflow_provider_koodrive.sandbox.storage.seed import DepartmentSeed, fill, read_departments
from airflow_provider_koodrive.sandbox.storage.store import Store

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from airflow_provider_koodrive.sandbox.http.records import CallRecord

try:
    from airflow_provider_koodrive.sandbox.faults.plan import FaultPlan
    from airflow_provider_koodrive.sandbox.http.app import Service, build_app
    from airflow_provider_koodrive.sandbox.http.listener import Listener
except ModuleNotFoundError as err:
    raise ModuleNotFoundError(
        f'The sandbox needs {err.name}: install "airflow-provider-koodrive[sandbox]"', name=err.name
    ) from err


class Sandbox:
    """
    An embedded KooDrive: an HTTP server on a SQLite file, for trials and tests. Not for production.

    It runs in a thread of its own between :meth:`start` and :meth:`stop`, or in a ``with`` block::

        with Sandbox() as sandbox:
            os.environ["AIRFLOW_CONN_KOODRIVE_DEFAULT"] = sandbox.connection_json()

    :param database: SQLite file, created if absent; None for one that :meth:`stop` deletes
    :param host: address to listen on
    :param port: port to listen on, 0 for a free one
    :param users: number of users in a new database, the first of them the tenant administrator
    :param departments: departments of a new database: names, or a CSV, TSV or JSON file with a column
        ``name``, and perhaps ``id`` and ``parent``
    :param edition: form of the responses: ``2025-03`` as the examples of KooDrive's documents print (numbers,
        ``groupName``), ``2024-07`` with ``code``, totals and amounts as strings, and ``name``
    :param team_list_names: whether teamList names its spaces; the documents of 2025-03 do not say
    :param create_id: what ``id`` of a create is: the ``group``'s, the ``container``'s, or ``none``
    :param groups_max: most group spaces
    :param max_capacity: capacity of all group spaces together, in GB
    :param app_id: AppId, None for the database's own
    :param app_secret: AppSecret, None for the database's own
    :param seed: makes the choice of calls that faults apply to repeatable
    """

    def __init__(
        self,
        database: str | Path | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        users: int = 20,
        departments: str | Path | Sequence[str] | None = None,
        edition: Edition = "2025-03",
        team_list_names: bool = True,
        create_id: CreateId = "group",
        groups_max: int = Limits.groups_max,
        max_capacity: int = Limits.max_capacity,
        app_id: str | None = None,
        app_secret: str | None = None,
        seed: int | None = None,
    ) -> None:
        self._database = None if database is None else Path(database)
        self._host = host
        self._port = port
        self._users = users
        self._departments: Sequence[str | DepartmentSeed] | None = (
            read_departments(Path(departments)) if isinstance(departments, str | Path) else departments
        )
        self._response_format = ResponseFormat(edition, team_list_names, create_id)
        self._limits = Limits(groups_max, max_capacity)
        self.faults = FaultPlan(seed)
        """The fault plan; may be changed at any time."""
        self._records = Records()
        self._credentials = {"app_id": app_id, "app_secret": app_secret}
        self._directory: tempfile.TemporaryDirectory[str] | None = None
        self._store: Store | None = None
        self._running: _Running | None = None

    def start(self) -> Sandbox:
        """
        Open the database and start to listen.

        :return: this sandbox
        :raises OSError: the port is in use
        :raises RuntimeError: it is running
        """
        if self._running is not None:
            raise RuntimeError("this sandbox is running")
        self._store = Store(self._database or self._new_database())
        try:
            departments = None if self._departments is None else list(self._departments)
            fill(self._store, users=self._users, departments=departments, **self._credentials)
            service = Service(
                self._store,
                app_id=self.app_id,
                app_secret=self.app_secret,
                response_format=self._response_format,
                limits=self._limits,
                faults=self.faults,
                records=self._records,
            )
            self._running = _Running(service, self._host, self._port)
        except BaseException:
            self._close()
            raise
        return self

    def stop(self) -> None:
        """Cut every connection, end the thread and close the database; calls that hang are not waited for."""
        if self._running is not None:
            self._running.stop()
            self._running = None
            self._close()

    def _new_database(self) -> Path:
        self._directory = tempfile.TemporaryDirectory(prefix="koodrive-sandbox-")
        return Path(self._directory.name) / "koodrive.db"

    def _close(self) -> None:
        if self._store is not None:
            self._store.close()
            self._store = None
        if self._directory is not None:
            self._directory.cleanup()
            self._directory = None

    def __enter__(self) -> Sandbox:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self._require_running().port

    @property
    def url(self) -> str:
        """The address to call it at, such as ``http://127.0.0.1:8089``."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self._host, self._host)  # noqa: S104 - compared, not bound
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    @property
    def app_id(self) -> str:
        """The AppId of the application that may sign calls."""
        return self._setting("app_id")

    @property
    def app_secret(self) -> str:
        """The AppSecret of the application that may sign calls."""
        return self._setting("app_secret")

    @property
    def admin_user_id(self) -> str:
        """KooDrive's id of the tenant administrator, for ``X-User-Id``."""
        return self._setting("admin_user_id")

    @property
    def user_ids(self) -> list[str]:
        """KooDrive's ids of all users, the tenant administrator first."""
        return [row["id"] for row in self._require_store().users(department_id=None, direct=False)]

    @property
    def calls(self) -> list[CallRecord]:
        """The last 100,000 calls, in the order of their responses."""
        return self._records.all()

    @property
    def authorizations(self) -> list[str]:
        """The ``Authorization`` headers of these calls: secrets, for tests that search for leaks."""
        return self._records.authorizations()

    def refuse_connections(self, seconds: float) -> None:
        """
        Close the port now, and the connections on which no request is in progress.

        :param seconds: seconds after which to open it again
        """
        self._require_running().refuse(seconds)

    def issue_token(self, user_id: str | None = None, *, lifetime: float = TOKEN_SECONDS) -> str:
        """
        Issue an access token, as KooDrive's front end does in a cookie.

        :param user_id: KooDrive's id of its user, None for the tenant administrator
        :param lifetime: seconds until it expires; each call extends that to 20 minutes
        :return: the token, as the ``Authorization`` header takes it
        """
        return self._require_store().add_token(
            user_id or self.admin_user_id, expires_at=clock.now() + lifetime
        )

    def spaces(self) -> list[dict[str, Any]]:
        """
        Return all group spaces.

        :return: for each its ``id``, ``containerId``, ``name``, ``ownerId``, ``capacity`` in GB, ``iconUrl``,
            ``createTime``, and ``members``: the ids of its users, owner included
        """
        store = self._require_store()
        return [
            {
                "id": row["id"],
                "containerId": row["container_id"],
                "name": row["name"],
                "ownerId": row["creator"],
                "capacity": row["capacity"],
                "iconUrl": row["icon_url"],
                "createTime": iso_milliseconds(row["created_at"]),
                "members": [member["user_id"] for member in store.members(row["id"])],
            }
            for row in store.spaces()[1]
        ]

    def show_everything(self) -> None:
        """Let all lists show every space from now on, also those that ``stale_list`` still hides."""
        self._require_store().show_everything()

    def age(self, seconds: float, *, name: str | None = None) -> None:
        """
        Make spaces older: move the time of their creation back.

        :param seconds: by how many seconds; a negative number makes them younger
        :param name: only spaces of this name, of any owner; None for all spaces
        """
        self._require_store().age(seconds, name=name)

    def connection_json(self, *, user_id: str | None = None, token: str | None = None) -> str:
        """
        Return the Airflow connection to this sandbox as JSON, for ``AIRFLOW_CONN_KOODRIVE_DEFAULT``.

        :param user_id: KooDrive's id of the user to sign for, None for the tenant administrator
        :param token: access token to use instead of app authentication
        :return: JSON that holds the credentials
        """
        connection: dict[str, Any] = {"conn_type": "koodrive", "host": self.url}
        if token is not None:
            return json.dumps({**connection, "password": token})
        extra = {"user_id": user_id or self.admin_user_id}
        return json.dumps({**connection, "login": self.app_id, "password": self.app_secret, "extra": extra})

    def _require_running(self) -> _Running:
        if self._running is None:
            raise RuntimeError("this sandbox is not running")
        return self._running

    def _require_store(self) -> Store:
        if self._store is None:
            raise RuntimeError("this sandbox is not running")
        return self._store

    def _setting(self, key: str) -> str:
        return self._require_store().setting(key) or ""


class _Running:
    """The thread with the event loop, and the listener in it."""

    def __init__(self, service: Service, host: str, port: int) -> None:
        self._listener = Listener(build_app(service), host, port)
        self.port = self._listener.port
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"koodrive-sandbox-{self.port}", daemon=True)
        self._thread.start()
        self._ready.wait()

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._end = asyncio.Event()
        await self._listener.open()
        self._ready.set()
        await self._end.wait()
        await self._listener.shut_down()

    def refuse(self, seconds: float) -> None:
        closed = threading.Event()

        def close() -> None:
            self._listener.refuse(seconds)
            closed.set()

        self._loop.call_soon_threadsafe(close)
        closed.wait()

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join()
