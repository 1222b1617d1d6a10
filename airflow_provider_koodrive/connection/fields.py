"""
The table of the connection's fields: its form, parsers, defaults, checks and documentation derive from it.

Imports nothing heavy, since Airflow's discovery of providers reads it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_koodrive.connection import parsing
from airflow_provider_koodrive.connection.endpoint import DEFAULT_HOST

if TYPE_CHECKING:
    from collections.abc import Callable

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
    :param parser: returns the value, or raises a ValueError that says what to give; of an extra only
    :param default: value if the field is absent or empty
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
    parser: Callable[[object], Any] = parsing.text
    default: Any = None
    enum: tuple[str, ...] = ()
    minimum: int | None = None
    maximum: int | None = None
    secret: bool = False
    standard: bool = False

    @property
    def limits(self) -> str:
        """The limits in words, empty if there are none."""
        if self.minimum is None:
            return ""
        if self.type == "number":
            return f"more than {self.minimum}, at most {self.maximum}"
        return f"at least {self.minimum}" if self.maximum is None else f"{self.minimum} to {self.maximum}"

    def allows(self, value: Any) -> bool:
        """Return whether a parsed value is one of the enum's, and within the limits."""
        if self.enum:
            return value in self.enum
        if self.minimum is None:
            return True
        above = value > self.minimum if self.type == "number" else value >= self.minimum
        return above and (self.maximum is None or value <= self.maximum)


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
        parser=parsing.identifier,
    ),
    Field("language", "Language", "Language of messages, e.g. zh-CN; empty for KooDrive's default"),
    Field(
        "token_prefix",
        "Token prefix",
        "Put before an access token that brings no scheme of its own (inferred), e.g. Bearer; none to send "
        "the token alone",
        parser=parsing.token_prefix,
        default="Bearer+",
    ),
    Field(
        "sign_host",
        "Sign host",
        "Whether the signature covers the Host header (inferred); e.g. false behind a proxy that rewrites it",
        type="boolean",
        parser=parsing.boolean,
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
        parser=parsing.integer,
        minimum=-1,
    ),
    Field(
        "connect_timeout",
        "Connect timeout",
        "Seconds to wait for a connection, e.g. 3.5",
        type="number",
        parser=parsing.number,
        default=10,
        minimum=0,
        maximum=LONGEST_SECONDS,
    ),
    Field(
        "read_timeout",
        "Read timeout",
        "Seconds to wait between two packets of an answer, e.g. 30",
        type="number",
        parser=parsing.number,
        default=60,
        minimum=0,
        maximum=LONGEST_SECONDS,
    ),
    Field(
        "max_attempts",
        "Attempts",
        "Attempts for one call, e.g. 3",
        "integer",
        parsing.integer,
        5,
        minimum=1,
        maximum=100,
    ),
    Field(
        "deadline",
        "Deadline",
        "Seconds for all attempts of a call, e.g. 120; each page of a list is a call",
        type="number",
        parser=parsing.number,
        default=300,
        minimum=0,
        maximum=LONGEST_SECONDS,
    ),
    Field(
        "verify",
        "Verify TLS",
        "true, false (unsafe), or the path of a CA bundle on the workers, e.g. /etc/ssl/private-ca.pem",
        parser=parsing.verify,
        default=True,
    ),
    Field(
        "proxies",
        "Proxies",
        'Proxy for each scheme, as JSON, e.g. {"https": "http://user@proxy.example.com:3128"}; put its '
        "password into proxy_password, since Airflow 3.0 shows this field",
        type="object",
        parser=parsing.proxies,
        secret=True,
    ),
    Field(
        "proxy_password",
        "Proxy password",
        "Password of the user whom the proxies name, e.g. of user in http://user@proxy.example.com:3128",
        parser=parsing.secret,
        secret=True,
    ),
    Field(
        "allow_http",
        "Allow plain HTTP",
        "Whether an endpoint other than this machine may be reached without TLS (unsafe), e.g. true",
        type="boolean",
        parser=parsing.boolean,
        default=False,
    ),
    Field(
        "space_url",
        "Space address",
        "Address of a space in KooDrive's web front end, for the link of the create task, e.g. "
        "https://drive.example.com/spaces/{id} or .../{containerId}; empty for the endpoint's front page",
        parser=parsing.space_url,
    ),
)
EXTRA_FIELDS = tuple(entry for entry in FIELDS if not entry.standard)
