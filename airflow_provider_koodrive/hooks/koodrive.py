"""The hook: calls KooDrive with an Airflow connection."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, cast
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
    from airflow_provider_koodrive.api.resources.directory import Directory
    from airflow_provider_koodrive.api.resources.group_spaces import GroupSpaces
    from airflow_provider_koodrive.api.resources.own_spaces import OwnSpaces
    from airflow_provider_koodrive.types import CreatedGroupSpace, GroupSpace, GroupSpaceListing


class KooDriveHook(BaseHook):
    """
    Call KooDrive with an Airflow connection.

    The first call reads the connection and makes the client.

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
        """Return the fields of the connection's form, for Airflow below 3.2."""
        return form_widgets()

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """Return labels and hidden fields of the connection's form, for Airflow below 3.2."""
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
            # The frames below hold the connection: a traceback with variables would show its password.
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

        In a task, reading the connection is not limited and adds to that: a task asks its supervisor over a
        pipe, which a thread that is left behind would disturb.

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
    ) -> CreatedGroupSpace:
        """
        Create a group space exactly once.

        Source in KooDrive's documents: "Creating a Group Space".

        The calling user's own spaces are listed first. After a failure that leaves the outcome unknown they
        are listed again: a space of that name that has appeared is the one that was created, unless it has
        another size than was asked for, or is older and has members who were not asked for.

        :param name: name of the space, at most 30 characters
        :param user_ids: KooDrive user ids of the members, at most 200; they get the connection's
            permission template
        :param members: members with their own permissions, ``{"userId", "template", "capabilities"}``
            each; instead of ``user_ids``
        :param capacity: size in GB; None for KooDrive's default
        :param icon_url: picture of the space
        :param if_exists: if the calling user already owns a space of that name, ``fail`` raises an error,
            ``reuse`` reuses it and adds the members that it lacks
        :param journal: remembers across processes what was sent, so that a later one knows its own space
        :return: ``id`` (the group id), ``containerId``, ``name``, ``capacity`` (GB), ``created`` (False if an
            existing space was reused) and ``failedList`` (user ids that could not be added)
        :raises KooDriveConfigError: a field of the connection is wrong or missing
        :raises KooDriveValidationError: a value is not allowed; nothing was sent
        :raises KooDriveConflictError: the space exists and ``if_exists`` is ``fail``
        :raises KooDriveOutcomeUnknownError: it is not known whether the space was created
        :raises KooDriveMembersError: the space exists, but some members are missing
        :raises KooDriveError: any other error of the call
        """
        from airflow_provider_koodrive.api.create.runner import create_group_space
        from airflow_provider_koodrive.api.create.spec import GroupSpaceSpec

        edition = self.settings.api_edition
        spec = GroupSpaceSpec.checked(
            name,
            user_ids=user_ids,
            members=members,
            capacity=capacity,
            icon_url=icon_url,
            api_edition=edition,
            permission_template=self.settings.permission_template,
        )
        return create_group_space(
            self.client, spec, api_edition=edition, if_exists=if_exists, journal=journal
        )

    def list_group_spaces(
        self, *, keyword: str | None = None, page_size: int = 100, max_records: int | None = None
    ) -> GroupSpaceListing:
        """
        Return the enterprise's group spaces, all pages joined.

        Source in KooDrive's documents: "Listing Group Spaces in an Enterprise". The calling user must be a
        tenant administrator.

        :param keyword: part of the name or of the owner's name
        :param page_size: spaces for one call, 1 to 100
        :param max_records: largest number of spaces to return; None for all
        :return: ``total``, ``groupsTotal``, ``groupsMax``, ``assignedCapacity`` (GB), ``maxCapacity`` (GB),
            each a number or None, and ``groups``, whose elements keep KooDrive's field names and always
            have ``name``; ``spaceUsed`` is in KB (inferred)
        :raises KooDrivePermissionError: the calling user is not a tenant administrator
        :raises KooDriveError: any other error of the call
        """
        listing = self._group_spaces.list_all(keyword=keyword, page_size=page_size, max_records=max_records)
        return cast("GroupSpaceListing", listing)

    def iter_group_spaces(self, *, keyword: str | None = None, page_size: int = 100) -> Iterator[GroupSpace]:
        """
        Yield the enterprise's group spaces, with one page in memory at a time.

        :param keyword: part of the name or of the owner's name
        :param page_size: spaces for one call, 1 to 100
        :raises KooDriveError: see :meth:`list_group_spaces`
        """
        return cast("Iterator[GroupSpace]", self._group_spaces.iterate(keyword=keyword, page_size=page_size))

    def find_group_space(self, name: str) -> GroupSpace | None:
        """
        Return the calling user's own space of exactly this name, or None.

        Source in KooDrive's documents: "Querying Information About a Team Space".

        :param name: the whole name
        :raises KooDriveError: the calling user's own spaces cannot be listed
        """
        return cast("GroupSpace | None", self._own_spaces.find(name))

    def request(
        self, method: str, path: str, *, params: Mapping[str, Any] | None = None, json: Any = None
    ) -> dict[str, Any]:
        """
        Call any path of KooDrive, with the same authentication, envelope check, retries and errors.

        Reads are repeated; a write is repeated only if it certainly was not carried out.

        :param method: HTTP method
        :param path: path below ``/koodrive/``, without a query
        :param params: query parameters
        :param json: body
        :return: KooDrive's envelope
        :raises KooDriveValidationError: the path is an address or leaves ``/koodrive/``; nothing was sent
        :raises KooDriveError: any other error of the call
        """
        return self.client.request(method, path, params=params, json=json)

    def space_url(self, space: Mapping[str, Any]) -> str:
        """
        Return the address of a space in KooDrive's web front end, or of its front page.

        :param space: a space with ``id`` and ``containerId``, as the other methods return it
        """
        url = self.settings.space_url or self.settings.endpoint
        for key in ("id", "containerId"):
            url = url.replace(f"{{{key}}}", quote(str(space.get(key) or ""), safe="", errors="replace"))
        return url

    @cached_property
    def directory(self) -> Directory:
        """The enterprise's departments and users."""
        from airflow_provider_koodrive.api.resources.directory import Directory

        return Directory(self.client)

    @cached_property
    def _own_spaces(self) -> OwnSpaces:
        from airflow_provider_koodrive.api.resources.own_spaces import OwnSpaces

        return OwnSpaces(self.client)

    @cached_property
    def _group_spaces(self) -> GroupSpaces:
        from airflow_provider_koodrive.api.resources.group_spaces import GroupSpaces

        return GroupSpaces(self.client)


def _is_in_task() -> bool:
    from airflow.providers.common.compat.sdk import get_current_context

    try:
        get_current_context()
    except Exception:  # its class depends on Airflow's version
        return False
    return True


def _hide(secret: str) -> None:
    """Have Airflow mask a secret that it does not know by itself, such as a proxy's password."""
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
