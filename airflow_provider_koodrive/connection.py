"""
The connection: one table of its fields, from which its form, parsing, defaults and checks come.

Imports nothing heavy: provider discovery reads the table, parsing happens in tasks.
"""

from __future__ import annotations

import ipaddress
import json
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

from airflow_provider_koodrive.exceptions import KooDriveConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

log = logging.getLogger(__name__)

CONN_TYPE = "koodrive"
DEFAULT_CONN_ID = "koodrive_default"
DEFAULT_HOST = "intl.myhuaweicloud-koodrive.com"


@dataclass(frozen=True)
class Field:
    """
    A field of the connection.

    :param name: name of Airflow's own field, or key in the extra
    :param label: label in the form
    :param description: help in the form, with an example
    :param type: JSON type of an extra: string, integer, number, boolean or object
    :param default: value where the field is absent or empty
    :param enum: the allowed values, empty for any
    :param minimum: smallest allowed number
    :param maximum: largest allowed number
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
    Field("port", "Port", "Port of the endpoint; empty for the scheme's own", type="integer", standard=True),
    Field("login", "App ID", "AppId for app authentication; empty for an access token", standard=True),
    Field(
        "password",
        "App secret or access token",
        "AppSecret where an App ID is given, else the access token, which lives 20 minutes",
        standard=True,
    ),
    Field(
        "user_id",
        "User ID",
        "KooDrive's internal id of the user on whose behalf calls run, needed with an App ID, "
        "e.g. 1505084218764547200",
    ),
    Field(
        "language", "Language", "Language of KooDrive's messages, e.g. en-US or zh-CN; empty for its default"
    ),
    Field(
        "token_prefix",
        "Token prefix",
        "Put before an access token that brings no scheme of its own (inferred), e.g. 'Bearer '",
        default="Bearer+",
    ),
    Field(
        "sign_host",
        "Sign host",
        "Whether the signature covers the Host header (inferred); switch off behind a proxy that rewrites it",
        type="boolean",
        default=True,
    ),
    Field(
        "api_edition",
        "API edition",
        "2025-03 sends members as addGroupUsers, 2024-07 as userIds",
        default="2025-03",
        enum=("2025-03", "2024-07"),
    ),
    Field(
        "permission_template",
        "Permission template",
        "Permission template of new members, e.g. 1590626552448551681; empty for everything but delete",
        type="integer",
        minimum=-1,
    ),
    Field(
        "connect_timeout",
        "Connect timeout",
        "Seconds to wait for a connection",
        type="number",
        default=10,
        minimum=0,
    ),
    Field(
        "read_timeout",
        "Read timeout",
        "Seconds to wait between two packets of an answer",
        type="number",
        default=60,
        minimum=0,
    ),
    Field(
        "max_attempts",
        "Attempts",
        "Attempts for one call",
        type="integer",
        default=5,
        minimum=1,
        maximum=100,
    ),
    Field(
        "deadline",
        "Deadline",
        "Seconds for one call with all its attempts",
        type="number",
        default=300,
        minimum=0,
    ),
    Field(
        "verify",
        "Verify TLS",
        "true, false (unsafe), or the path of a CA bundle on the workers",
        default=True,
    ),
    Field(
        "proxies",
        "Proxies",
        'Proxy for each scheme as JSON, e.g. {"https": "http://proxy.example.com:3128"}',
        type="object",
    ),
    Field(
        "allow_http",
        "Allow plain HTTP",
        "Whether an endpoint other than this machine may be reached without TLS (unsafe)",
        type="boolean",
        default=False,
    ),
    Field(
        "space_url",
        "Space address",
        "Address of a space in KooDrive's web front end, with {id} or {containerId}, for the link of the "
        "create task; empty for the endpoint's front page",
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
    extras = {entry.name: _value(where, entry, given.get(entry.name)) for entry in EXTRA_FIELDS}
    if not connection.password:
        raise KooDriveConfigError(f"{where}: password is empty; set the AppSecret, or the access token")
    if connection.login and not extras["user_id"]:
        raise KooDriveConfigError(
            f"{where}: extra user_id is missing; app authentication needs the id of the user to act for"
        )
    return KooDriveSettings(
        endpoint=_endpoint(where, connection, allow_http=extras["allow_http"]),
        login=connection.login or None,
        password=connection.password,
        **extras,
    )


def conn_fields() -> dict[str, Any]:
    """Return ``conn-fields`` of the provider info: the extras in the form of Airflow 3.2 and later."""
    return {entry.name: _conn_field(entry) for entry in EXTRA_FIELDS}


def ui_field_behaviour() -> dict[str, Any]:
    """Return ``ui-field-behaviour`` of the provider info: labels and hidden fields."""
    standard = [entry for entry in FIELDS if entry.standard]
    return {
        "hidden-fields": ["schema"],
        "relabeling": {entry.name: entry.label for entry in standard},
        "placeholders": {"host": DEFAULT_HOST},
    }


def _conn_field(entry: Field) -> dict[str, Any]:
    kind = "string" if entry.type == "object" else entry.type
    schema: dict[str, Any] = {"type": [kind, "null"]}
    if entry.enum:
        schema["enum"] = list(entry.enum)
    if entry.minimum is not None:
        schema["minimum"] = entry.minimum
    if entry.maximum is not None:
        schema["maximum"] = entry.maximum
    if entry.default is not None:
        schema["default"] = entry.default
    return {"label": entry.label, "description": entry.description, "schema": schema}


def _extra(where: str, text: str | None) -> dict[str, Any]:
    if not text or not text.strip():
        return {}
    try:
        extra = json.loads(text)
    except (ValueError, RecursionError):
        raise KooDriveConfigError(f"{where}: extra is not JSON") from None
    if not isinstance(extra, dict):
        raise KooDriveConfigError(f"{where}: extra must be a JSON object, not {type(extra).__name__}")
    return extra


def _value(where: str, entry: Field, given: object) -> Any:
    """Coerce an extra, which a URI connection gives as text; empty text and null count as absent."""
    if given is None or (isinstance(given, str) and not given.strip()):
        return entry.default
    from pydantic import ValidationError

    try:
        return _adapter(entry).validate_python(given)
    except ValidationError as err:
        reason = err.errors(include_input=False, include_url=False, include_context=False)[0]["msg"]
        shown = "" if entry.name == "proxies" else f" {given!r}"
        raise KooDriveConfigError(f"{where}: extra {entry.name}{shown} is wrong: {reason}") from None


def _adapter(entry: Field) -> Any:
    from typing import Annotated, Literal

    from pydantic import BeforeValidator, ConfigDict, Json, TypeAdapter
    from pydantic import Field as Limits

    kinds: dict[str, Any] = {
        "string": str,
        "integer": int,
        "number": float,
        "boolean": bool,
        "object": dict[str, str] | Json[dict[str, str]],
    }
    kind: Any = Literal[entry.enum] if entry.enum else kinds[entry.type]
    if entry.name == "verify":
        kind = Annotated[bool | str, BeforeValidator(_verify)]
    elif entry.type == "number":
        kind = Annotated[float, Limits(gt=entry.minimum, allow_inf_nan=False)]
    elif entry.type == "integer":
        kind = Annotated[int, Limits(ge=entry.minimum, le=entry.maximum)]
    elif entry.name == "space_url":
        kind = Annotated[str, Limits(pattern=r"^https?://\S+$")]
    return TypeAdapter(kind, config=ConfigDict(coerce_numbers_to_str=True))


def _verify(value: object) -> object:
    """``verify`` is a switch or a path, and a URI connection gives the switch as text."""
    switches = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
    return switches.get(value.strip().lower(), value) if isinstance(value, str) else value


def _endpoint(where: str, connection: AirflowConnection, *, allow_http: bool) -> str:
    host = (connection.host or "").strip() or DEFAULT_HOST
    problem = f"{where}: host {host!r}"
    try:
        parts = urlsplit(host if "://" in host else f"https://{host}")
        name, port = parts.hostname, parts.port
    except ValueError as err:
        raise KooDriveConfigError(f"{problem} is not an endpoint: {err}") from None
    if parts.username is not None or parts.password is not None:
        raise KooDriveConfigError(f"{where}: host must not hold credentials; use login and password")
    if parts.path.strip("/") or parts.query or parts.fragment or connection.schema:
        raise KooDriveConfigError(f"{problem} has a path; give scheme, host and port alone, and no schema")
    if parts.scheme not in ("http", "https") or not name or not name.isprintable() or " " in name:
        raise KooDriveConfigError(f"{problem} is not an endpoint; give e.g. {DEFAULT_HOST}")
    if port is not None and connection.port and port != connection.port:
        raise KooDriveConfigError(f"{problem} and port {connection.port} contradict each other")
    if parts.scheme == "http" and not allow_http and not _is_loopback(name):
        raise KooDriveConfigError(
            f"{problem} is reached without TLS; use https, or set extra allow_http in a trusted network"
        )
    port = port or connection.port
    netloc = f"[{name}]" if ":" in name else name
    return f"{parts.scheme}://{netloc}:{port}" if port else f"{parts.scheme}://{netloc}"


def _is_loopback(name: str) -> bool:
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost" or name.endswith(".localhost")
