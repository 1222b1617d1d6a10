"""KooDriveHook: an Airflow connection becomes a client of KooDrive."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote

from airflow.providers.common.compat.sdk import BaseHook

from airflow_provider_koodrive import __version__
from airflow_provider_koodrive.connection.fields import CONN_TYPE, DEFAULT_CONN_ID
from airflow_provider_koodrive.connection.form import form_widgets, ui_field_behaviour
from airflow_provider_koodrive.connection.settings import KooDriveSettings, settings_from
from airflow_provider_koodrive.exceptions import KooDriveConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from airflow_provider_koodrive.api.client import KooDriveClient
    from airflow_provider_koodrive.api.create.journal import CreateJournal
    from airflow_provider_koodrive.api.resources.group_spaces import GroupSpaces


class KooDriveHook(BaseHook):
    """
    Talk to KooDrive with an Airflow connection.

    The connection is read and the client built when the first call needs them.

    :param koodrive_conn_id: id of the connection, of type ``koodrive``
    """

    conn_name_attr = "koodrive_conn_id"
    default_conn_name = DEFAULT_CONN_ID
    conn_type = CONN_TYPE
    hook_name = "Huawei Cloud KooDrive"

    def __init__(self, koodrive_conn_id: str = default_conn_name, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.koodrive_conn_id = koodrive_conn_id

    @classmethod
    def get_connection_form_widgets(cls) -> dict[str, Any]:
        """Return the fields of the connection's form; Airflow 3.2 and later read the provider info."""
        return form_widgets()

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """Return labels and hidden fields of the form; Airflow 3.2 and later read the provider info."""
        return {key.replace("-", "_"): value for key, value in ui_field_behaviour().items()}

    @cached_property
    def settings(self) -> KooDriveSettings:
        """
        The connection, checked and complete.

        :raises KooDriveConfigError: a field is wrong or missing
        """
        try:
            settings = settings_from(self.get_connection(self.koodrive_conn_id))
        except KooDriveConfigError as err:
            # The frames below hold the connection, and a traceback with variables would show its password.
            err.__context__ = None
            raise err.with_traceback(None) from None
        for secret in settings.secrets():
            _hide(secret)
        if settings.verify is False:
            self.log.warning("TLS certificates are not verified: connection %r", self.koodrive_conn_id)
        return settings

    @cached_property
    def client(self) -> KooDriveClient:
        """
        The client, with one pooled session.

        :raises KooDriveConfigError: a field of the connection is wrong or missing
        """
        return _client(self.settings)

    def get_conn(self) -> KooDriveClient:
        """Return :attr:`client`."""
        return self.client

    def test_connection(self) -> tuple[bool, str]:
        """
        Try the connection with two calls that change nothing, in ten seconds at most; never raises.

        Within a task, reading the connection has no end of its own and adds to that: a task asks its
        supervisor over a pipe, which a thread that is left behind would disturb.

        :return: whether it works, and a text without secrets: who is connected and what that user may do,
            or what to do and what went wrong
        """
        from airflow_provider_koodrive.connection.check import check_connection

        return check_connection(
            lambda: self.settings, _client, conn_id=self.koodrive_conn_id, read_in_thread=not _is_in_task()
        )

    def create_group_space(
        self,
        name: str,
        *,
        user_ids: Sequence[str] | None = None,
        members: Sequence[Mapping[str, Any]] | None = None,
        capacity: int | None = None,
        icon_url: str | None = None,
        if_exists: Literal["fail", "reuse"] = "fail",
        journal: CreateJournal | None = None,
    ) -> dict[str, Any]:
        """
        Create a group space exactly once ("Creating a Group Space").

        The calling user's own spaces are looked at first. After a failure that leaves the outcome
        unknown they are looked at again, and a space of that name that has appeared is ours, unless it has
        another size than was asked for, or is older and has members who were not.

        :param name: name of the space, at most 30 characters
        :param user_ids: KooDrive user ids of the members, at most 200; they get the connection's
            permission template
        :param members: members with their own permissions, ``{"userId", "template", "capabilities"}``
            each; instead of ``user_ids``
        :param capacity: size in GB; None for KooDrive's default
        :param icon_url: picture of the space
        :param if_exists: ``fail`` raises where the calling user already owns a space of that name,
            ``reuse`` takes it and adds the members that it lacks
        :param journal: remembers across processes what was sent, so that a later one knows its own
        :return: ``id`` (the group id), ``containerId``, ``name``, ``capacity`` (GB), ``created`` (False
            where an existing space was taken) and ``failedList`` (user ids that could not be added)
        :raises KooDriveConfigError: a field of the connection is wrong or missing
        :raises KooDriveValidationError: a value is not allowed; nothing was sent
        :raises KooDriveConflictError: the space exists and ``if_exists`` is ``fail``
        :raises KooDriveOutcomeUnknownError: nothing tells whether the space was created
        :raises KooDriveError: of the kind that fits
        """
        return self._group_spaces.create(
            name,
            user_ids=user_ids,
            members=members,
            capacity=capacity,
            icon_url=icon_url,
            if_exists=if_exists,
            journal=journal,
        )

    def list_group_spaces(
        self, *, keyword: str | None = None, page_size: int = 100, max_records: int | None = None
    ) -> dict[str, Any]:
        """
        Return the enterprise's group spaces, all pages joined.

        Source: "Querying the List of Group Spaces in an Enterprise". The calling user
        must be a tenant administrator.

        :param keyword: part of the name or of the owner's name
        :param page_size: spaces for one call, 1 to 100
        :param max_records: return at most so many spaces; None for all
        :return: ``total``, ``groupsTotal``, ``groupsMax``, ``assignedCapacity`` (GB), ``maxCapacity`` (GB),
            each a number or None, and ``groups``, whose elements keep KooDrive's field names and always
            have ``name``; ``spaceUsed`` is in KB (inferred)
        :raises KooDrivePermissionError: the calling user is no tenant administrator
        :raises KooDriveError: of the kind that fits
        """
        return self._group_spaces.list_all(keyword=keyword, page_size=page_size, max_records=max_records)

    def iter_group_spaces(
        self, *, keyword: str | None = None, page_size: int = 100
    ) -> Iterator[dict[str, Any]]:
        """
        Yield the enterprise's group spaces, one page in memory at a time.

        :param keyword: part of the name or of the owner's name
        :param page_size: spaces for one call, 1 to 100
        :raises KooDriveError: of the kind that fits, see :meth:`list_group_spaces`
        """
        return self._group_spaces.iterate(keyword=keyword, page_size=page_size)

    def find_group_space(self, name: str) -> dict[str, Any] | None:
        """
        Return the calling user's own space of exactly this name, or None.

        Source: "Querying the List of Team Spaces".

        :param name: the whole name
        :raises KooDriveError: of the kind that fits
        """
        return self._group_spaces.find(name)

    def request(
        self, method: str, path: str, *, params: Mapping[str, Any] | None = None, json: Any = None
    ) -> dict[str, Any]:
        """
        Call any path of KooDrive, with the same authentication, envelope check, retries and errors.

        Reads are repeated; a write is repeated only where it certainly was not carried out.

        :param method: HTTP method
        :param path: path below ``/koodrive/``, without a query
        :param params: query parameters
        :param json: body
        :return: KooDrive's envelope
        :raises KooDriveValidationError: the path is an address or leaves ``/koodrive/``; nothing was sent
        :raises KooDriveError: of the kind that fits
        """
        return self.client.request(method, path, params=params, json=json)

    def space_url(self, space: Mapping[str, Any]) -> str:
        """
        Return the address of a space in KooDrive's web front end, else of its front page.

        :param space: a space with ``id`` and ``containerId``, as the other methods return it
        """
        url = self.settings.space_url or self.settings.endpoint
        for key in ("id", "containerId"):
            url = url.replace(f"{{{key}}}", quote(str(space.get(key) or ""), safe="", errors="replace"))
        return url

    @cached_property
    def _group_spaces(self) -> GroupSpaces:
        from airflow_provider_koodrive.api.resources.group_spaces import GroupSpaces

        return GroupSpaces(
            self.client,
            api_edition=self.settings.api_edition,
            permission_template=self.settings.permission_template,
        )


def _is_in_task() -> bool:
    from airflow.providers.common.compat.sdk import get_current_context

    try:
        get_current_context()
    except Exception:  # which one depends on Airflow's version
        return False
    return True


def _hide(secret: str) -> None:
    """Have Airflow hide what it does not know by itself to be secret, such as a proxy's password."""
    try:
        from airflow.sdk.log import mask_secret
    except ImportError:  # Airflow 2.11
        from airflow.utils.log.secrets_masker import mask_secret  # type: ignore[import-not-found,no-redef]
    mask_secret(secret)


def _client(settings: KooDriveSettings) -> KooDriveClient:
    from airflow import __version__ as airflow_version

    from airflow_provider_koodrive.api.auth import AppAuth, TokenAuth
    from airflow_provider_koodrive.api.client import KooDriveClient

    auth = (
        AppAuth(settings.login, settings.password, settings.user_id, sign_host=settings.sign_host)
        if settings.login
        else TokenAuth(settings.password, settings.token_prefix)
    )
    return KooDriveClient(
        settings.endpoint,
        auth,
        language=settings.language,
        connect_timeout=settings.connect_timeout,
        read_timeout=settings.read_timeout,
        max_attempts=settings.max_attempts,
        deadline=settings.deadline,
        verify=settings.verify,
        proxies=settings.proxies,
        user_agent=f"airflow-provider-koodrive/{__version__} apache-airflow/{airflow_version}",
    )
