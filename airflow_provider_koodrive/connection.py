"""
The connection: one table of its fields, from which its form, parsing, defaults and checks come.

Imports nothing heavy: provider discovery reads the table, parsing happens in tasks.
"""

from __future__ import annotations

import json
import logging
from base64 import b64encode
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import unquote

from airflow_provider_koodrive.endpoint import DEFAULT_HOST, endpoint_from
from airflow_provider_koodrive.exceptions import KooDriveConfigError
from airflow_provider_koodrive.extras import extra_value, has_password, refuse_mask, with_password
from airflow_provider_koodrive.text import Secret

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

log = logging.getLogger(__name__)

CONN_TYPE = "koodrive"
DEFAULT_CONN_ID = "koodrive_default"

LONGEST_SECONDS = 24 * 60 * 60


@dataclass(frozen=True)
class Field:
    """
    A field of the connection.

    :param name: name of Airflow's own field, or key in the extra
    :param label: label in the form
    :param description: help in the form, with an example
    :param type: string, integer, number, boolean, object, or id: an integer that may be too large for a
        browser and is therefore text in the form
    :param default: value where the field is absent or empty
    :param enum: the allowed values, empty for any
    :param minimum: smallest allowed integer; a number must be larger than it
    :param maximum: largest allowed number
    :param secret: whether it may hold a secret
    :param standard: whether it is one of Airflow's own fields rather than an extra
    """

    name: str
    label: str
    description: str
    type: str = "string"
    default: Any = None
    enum: tuple[str, ...] = ()
    minimum: int | None = None
    maximum: int | None = None
    secret: bool = False
    standard: bool = False


FIELDS = (
    Field(
        "host",
        "Endpoint",
        "KooDrive's endpoint, with a scheme and a port where needed, without a path, e.g. "
        "cn.myhuaweicloud-koodrive.com",
        default=DEFAULT_HOST,
        standard=True,
    ),
    Field("port", "Port", "Port, e.g. 8443; empty for the scheme's own", type="integer", standard=True),
    Field(
        "login",
        "App ID",
        "AppId for app authentication, e.g. 64 hexadecimal characters; empty for an access token",
        standard=True,
    ),
    Field(
        "password",
        "App secret or access token",
        "AppSecret where an App ID is given, else the access token, e.g. Bearer+10f88..., which ends 20 "
        "minutes after its last call",
        secret=True,
        standard=True,
    ),
    Field(
        "user_id",
        "User ID",
        "KooDrive's internal id of the user on whose behalf calls run, needed with an App ID, "
        "e.g. 1505084218764547200",
    ),
    Field("language", "Language", "Language of messages, e.g. zh-CN; empty for KooDrive's default"),
    Field(
        "token_prefix",
        "Token prefix",
        "Put before an access token that brings no scheme of its own (inferred), e.g. Bearer; none to send "
        "the token alone",
        default="Bearer+",
    ),
    Field(
        "sign_host",
        "Sign host",
        "Whether the signature covers the Host header (inferred); e.g. false behind a proxy that rewrites it",
        type="boolean",
        default=True,
    ),
    Field(
        "api_edition",
        "API edition",
        "How members are sent, e.g. 2024-07 as userIds; 2025-03 sends them as addGroupUsers",
        default="2025-03",
        enum=("2025-03", "2024-07"),
    ),
    Field(
        "permission_template",
        "Permission template",
        "Permission template of new members, e.g. 1590626552448551681; empty for everything but delete",
        type="id",
        minimum=-1,
    ),
    Field(
        "connect_timeout",
        "Connect timeout",
        "Seconds to wait for a connection, e.g. 3.5",
        type="number",
        default=10,
        minimum=0,
        maximum=LONGEST_SECONDS,
    ),
    Field(
        "read_timeout",
        "Read timeout",
        "Seconds to wait between two packets of an answer, e.g. 30",
        type="number",
        default=60,
        minimum=0,
        maximum=LONGEST_SECONDS,
    ),
    Field("max_attempts", "Attempts", "Attempts for one call, e.g. 3", "integer", 5, minimum=1, maximum=100),
    Field(
        "deadline",
        "Deadline",
        "Seconds for all attempts of a call, e.g. 120; each page of a list is a call",
        type="number",
        default=300,
        minimum=0,
        maximum=LONGEST_SECONDS,
    ),
    Field(
        "verify",
        "Verify TLS",
        "true, false (unsafe), or the path of a CA bundle on the workers, e.g. /etc/ssl/private-ca.pem",
        default=True,
    ),
    Field(
        "proxies",
        "Proxies",
        'Proxy for each scheme, as JSON, e.g. {"https": "http://user@proxy.example.com:3128"}; put its '
        "password into proxy_password, since Airflow 3.0 shows this field",
        type="object",
        secret=True,
    ),
    Field(
        "proxy_password",
        "Proxy password",
        "Password of the user whom the proxies name, e.g. of user in http://user@proxy.example.com:3128",
        secret=True,
    ),
    Field(
        "allow_http",
        "Allow plain HTTP",
        "Whether an endpoint other than this machine may be reached without TLS (unsafe), e.g. true",
        type="boolean",
        default=False,
    ),
    Field(
        "space_url",
        "Space address",
        "Address of a space in KooDrive's web front end, for the link of the create task, e.g. "
        "https://drive.example.com/spaces/{id} or .../{containerId}; empty for the endpoint's front page",
    ),
)
EXTRA_FIELDS = tuple(entry for entry in FIELDS if not entry.standard)


class AirflowConnection(Protocol):
    """What is read of an Airflow connection."""

    conn_id: str
    host: str | None
    port: int | None
    schema: str | None
    login: str | None
    password: str | None

    @property
    def extra(self) -> str | None:
        """The extra, as JSON text."""


@dataclass(frozen=True)
class KooDriveSettings:
    """A connection, checked and complete; durations are in seconds."""

    endpoint: str
    login: str | None
    password: str = field(repr=False)
    user_id: str | None
    language: str | None
    token_prefix: str
    sign_host: bool
    api_edition: str
    permission_template: int | None
    connect_timeout: float
    read_timeout: float
    max_attempts: int
    deadline: float
    verify: bool | str
    proxies: Mapping[str, str] | None = field(repr=False)
    allow_http: bool
    space_url: str | None

    def secrets(self) -> Iterator[str]:
        """Yield what no log and no message may show."""
        from airflow_provider_koodrive.api.auth import bare

        yield self.password
        if not self.login:
            # Airflow masks what it is told as a whole, and a token may be said without its scheme.
            yield bare(self.password)
        from urllib3.util import parse_url

        for proxy in (self.proxies or {}).values():
            user, _, password = (parse_url(proxy).auth or "").partition(":")
            if password:
                yield password
                yield unquote(password)
                yield b64encode(f"{unquote(user)}:{unquote(password)}".encode("latin-1", "replace")).decode()


def settings_from(connection: AirflowConnection) -> KooDriveSettings:
    """
    Check a connection and fill in the defaults.

    :raises KooDriveConfigError: names the connection, the field and what is wrong, never a secret
    """
    where = f"connection {connection.conn_id!r}"
    given = _extra(where, connection.extra)
    unknown = sorted(set(given) - {entry.name for entry in EXTRA_FIELDS})
    if unknown:
        log.warning("%s has unknown extras, which are ignored: %s", where, ", ".join(unknown))
    extras = {entry.name: extra_value(where, entry, given.get(entry.name)) for entry in EXTRA_FIELDS}
    if has_password(extras["proxies"]):
        log.warning(
            "%s: extra proxies holds a password, which Airflow 3.0 shows to who may see connections; put it "
            "into extra proxy_password",
            where,
        )
    extras["proxies"] = with_password(extras["proxies"], extras.pop("proxy_password"))
    if not connection.password:
        raise KooDriveConfigError(f"{where}: password is empty; set the AppSecret, or the access token")
    refuse_mask(f"{where}: password", connection.password)
    login = connection.login if (connection.login or "").strip() else None
    if login and not extras["user_id"]:
        raise KooDriveConfigError(
            f"{where}: extra user_id is missing; app authentication needs the id of the user to act for"
        )
    _check_headers(where, login, connection.password, extras)
    return KooDriveSettings(
        endpoint=endpoint_from(
            where, connection.host, connection.port, connection.schema, allow_http=extras["allow_http"]
        ),
        login=login,
        password=Secret(connection.password),
        **extras,
    )


def _check_headers(where: str, login: str | None, password: str, extras: Mapping[str, Any]) -> None:
    """Refuse what no header can carry, while it is known which field it comes from."""
    from airflow_provider_koodrive.api.auth import header_value

    token = {"password": password, "extra token_prefix": extras["token_prefix"]}
    sent = {
        "extra user_id": extras["user_id"],
        "extra language": extras["language"],
        **({"login": login} if login else token),
    }
    for name, value in sent.items():
        if value:
            header_value(f"{where}: {name}", value)


def _extra(where: str, text: str | None) -> dict[str, Any]:
    if not text or not text.strip():
        return {}
    try:
        extra = json.loads(text)
    except (ValueError, RecursionError):
        raise KooDriveConfigError(f"{where}: extra is not JSON") from None
    if not isinstance(extra, dict):
        raise KooDriveConfigError(f"{where}: extra must be a JSON object, not {type(extra).__name__}")
    # The test button of Airflow 2.11 sends each field of the form twice, once with this prefix.
    prefix = f"extra__{CONN_TYPE}__"
    return {
        **{name.removeprefix(prefix): value for name, value in extra.items() if name.startswith(prefix)},
        **{name: value for name, value in extra.items() if not name.startswith(prefix)},
    }
