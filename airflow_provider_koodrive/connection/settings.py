"""Checks an Airflow connection and completes it to settings."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from airflow_provider_koodrive.connection.endpoint import endpoint_from
from airflow_provider_koodrive.connection.fields import CONN_TYPE, EXTRA_FIELDS
from airflow_provider_koodrive.connection.parsing import LARGEST_EXACT_INTEGER
from airflow_provider_koodrive.exceptions import KooDriveConfigError
from airflow_provider_koodrive.formatting import MASK, Secret, shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from airflow_provider_koodrive.connection.fields import Field

log = logging.getLogger(__name__)

_TYPE_AGAIN = (
    "The form of Airflow 2.11 and 3.0 does not send a saved secret: type it again, or use "
    "`airflow connections test`"
)


class AirflowConnection(Protocol):
    """The fields of an Airflow connection that are read."""

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
        """Yield the texts that no log and no message may show."""
        from airflow_provider_koodrive.api.auth import bare
        from airflow_provider_koodrive.api.http.proxies import has_password, proxy_secrets

        yield self.password
        if not self.login:
            # Airflow masks the whole text, and a token may be shown without its scheme.
            yield bare(self.password)
        for proxy in (self.proxies or {}).values():
            if has_password(proxy):
                yield from proxy_secrets(proxy)


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
    extras = {entry.name: _extra_value(where, entry, given.get(entry.name)) for entry in EXTRA_FIELDS}
    extras["proxies"] = _complete_proxies(where, extras["proxies"], extras.pop("proxy_password"))
    if not connection.password:
        raise KooDriveConfigError(
            f"{where}: password is empty; set the AppSecret, or the access token. {_TYPE_AGAIN}"
        )
    _refuse_mask(f"{where}: password", connection.password)
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


def _extra_value(where: str, entry: Field, given: Any) -> Any:
    """Return an extra's value; empty text and null count as absent."""
    if given is None or (isinstance(given, str) and not given.strip()):
        return entry.default
    _refuse_mask(f"{where}: extra {entry.name}", given)
    if isinstance(given, int) and abs(given) > LARGEST_EXACT_INTEGER:
        log.warning(
            "%s: extra %s is a number that a browser cannot hold, so that saving Airflow's form would change "
            "it; write it as text, in quotes",
            where,
            entry.name,
        )
    try:
        value = entry.parser(given)
        if not entry.allows(value):
            raise ValueError(f"give {' or '.join(entry.enum) or entry.limits}")
    except ValueError as err:
        # A value with an @ may be an address with a password.
        bad = "" if entry.secret or "@" in str(given) else f" {shown(given)}"
        raise KooDriveConfigError(f"{where}: extra {entry.name}{bad} is wrong: {err}") from None
    return value


def _refuse_mask(name: str, value: object) -> None:
    """Refuse Airflow's mask: the form of 3.0 tests a saved connection with it in place of each secret."""
    if value == MASK:
        raise KooDriveConfigError(
            f"{name} is {MASK}, which Airflow shows in the place of a secret. {_TYPE_AGAIN}"
        )


def _complete_proxies(
    where: str, proxies: dict[str, str] | None, password: str | None
) -> dict[str, str] | None:
    """Add the password to the proxies that name only a user; Airflow masks it under its field's name."""
    if not proxies:
        return proxies
    from airflow_provider_koodrive.api.http.proxies import has_password, with_password

    if any(has_password(proxy) for proxy in proxies.values()):
        log.warning(
            "%s: extra proxies holds a password, which Airflow 3.0 shows to who may see connections; put it "
            "into extra proxy_password",
            where,
        )
    return (
        {scheme: with_password(proxy, password) for scheme, proxy in proxies.items()} if password else proxies
    )


def _check_headers(where: str, login: str | None, password: str, extras: Mapping[str, Any]) -> None:
    """Refuse a value that no header can carry, while its field is known."""
    from airflow_provider_koodrive.api.http.headers import header_value

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
        raise KooDriveConfigError(f"{where}: extra is not JSON; write a JSON object") from None
    if not isinstance(extra, dict):
        raise KooDriveConfigError(f"{where}: extra must be a JSON object, not {type(extra).__name__}")
    # The test button of Airflow 2.11 sends each field of the form twice, once with this prefix.
    prefix = f"extra__{CONN_TYPE}__"
    return {
        **{name.removeprefix(prefix): value for name, value in extra.items() if name.startswith(prefix)},
        **{name: value for name, value in extra.items() if not name.startswith(prefix)},
    }
