"""What an extra of the connection may be: the text of a form or of a URI, or JSON, becomes a value."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow_provider_koodrive.exceptions import KooDriveConfigError
from airflow_provider_koodrive.formatting import MASK, shown

if TYPE_CHECKING:
    from airflow_provider_koodrive.connection.fields import Field

log = logging.getLogger(__name__)

TYPE_AGAIN = (
    "The form of Airflow 2.11 and 3.0 does not send a saved secret: type it again, or use "
    "`airflow connections test`"
)

# Browsers hold numbers as doubles, so Airflow's form would save a larger one rounded.
_LARGEST_BROWSER_INTEGER = 2**53


def extra_value(where: str, entry: Field, given: object) -> Any:
    """
    Coerce an extra, which a URI connection gives as text; empty text and null count as absent.

    :param where: names the connection in errors
    :param entry: its field
    :param given: what the connection has
    :raises KooDriveConfigError: it is wrong; a secret is not shown
    """
    if given is None or (isinstance(given, str) and not given.strip()):
        return entry.default
    refuse_mask(f"{where}: extra {entry.name}", given)
    if isinstance(given, int) and abs(given) > _LARGEST_BROWSER_INTEGER:
        log.warning(
            "%s: extra %s is a number that a browser cannot hold, so that saving Airflow's form would change "
            "it; write it as text, in quotes",
            where,
            entry.name,
        )
    # Blanks belong to a secret, and a token's prefix may end with one.
    if isinstance(given, str) and not entry.secret and entry.name != "token_prefix":
        given = given.strip()
    from pydantic import ValidationError

    try:
        return _adapter(entry).validate_python(given)
    except ValidationError as err:
        reason = err.errors(include_input=False, include_url=False, include_context=False)[0]["msg"]
        reason = reason.removeprefix("Value error, ")
        # What holds an @ may be an address with a password.
        value = "" if entry.secret or "@" in str(given) else f" {shown(given)}"
        raise KooDriveConfigError(f"{where}: extra {entry.name}{value} is wrong: {reason}") from None


def refuse_mask(what: str, value: object) -> None:
    """
    Refuse Airflow's mask: the form of 3.0 tests a saved connection with it in the place of each secret.

    :param what: names the connection and the field
    :raises KooDriveConfigError: the value is the mask
    """
    if value == MASK:
        raise KooDriveConfigError(
            f"{what} is {MASK}, which Airflow shows in the place of a secret. {TYPE_AGAIN}"
        )


def _adapter(entry: Field) -> Any:
    from typing import Annotated, Literal

    from pydantic import AfterValidator, BeforeValidator, ConfigDict, Json, TypeAdapter
    from pydantic import Field as Limits

    integer = Annotated[int, Limits(ge=entry.minimum, le=entry.maximum)]
    kinds: dict[str, Any] = {
        "string": str,
        "integer": integer,
        "id": integer,
        "number": Annotated[float, Limits(gt=entry.minimum, le=entry.maximum, allow_inf_nan=False)],
        "boolean": bool,
        "object": dict[str, str] | Json[dict[str, str]],
    }
    particular: dict[str, Any] = {
        "proxies": Annotated[kinds["object"], AfterValidator(_proxies)],
        "space_url": Annotated[str, AfterValidator(_space_url)],
        "token_prefix": Annotated[str, AfterValidator(_token_prefix)],
        "user_id": Annotated[str, BeforeValidator(_no_float)],
        "verify": Annotated[bool | str, BeforeValidator(_verify)],
    }
    kind: Any = Literal[entry.enum] if entry.enum else particular.get(entry.name, kinds[entry.type])
    return TypeAdapter(kind, config=ConfigDict(coerce_numbers_to_str=True))


def _proxies(value: dict[str, str]) -> dict[str, str]:
    """Refuse here what ``requests`` would refuse later, in an error that shows the proxy's password."""
    from airflow_provider_koodrive.api.http.proxies import PROXY_SCHEMES, is_valid_proxy

    for scheme, proxy in value.items():
        if not is_valid_proxy(proxy):
            raise ValueError(
                f"the proxy for {scheme!r} must look like http://proxy.example.com:3128, its scheme one of "
                f"{', '.join(PROXY_SCHEMES)}, its user name and password percent-encoded"
            )
    return value


def _space_url(value: str) -> str:
    """Refuse what is no address, and what the link's readers must not see."""
    if re.search(r"[{}]", re.sub(r"\{(?:id|containerId)\}", "", value)):
        raise ValueError("{id} and {containerId} are the only ones that are replaced")
    try:
        # `port` raises an error where a colon is followed by something else, such as a password.
        parts = urlsplit(value)
        readable = parts.scheme in ("http", "https") and parts.hostname and (parts.port or True)
    except ValueError:
        readable = False
    if not readable or re.search(r"\s", value) or "@" in parts.netloc:
        raise ValueError("it must look like https://drive.example.com/spaces/{id}, without credentials")
    return value


def _no_float(value: object) -> object:
    """JSON readers round a long number with a fraction or an exponent."""
    if isinstance(value, float):
        raise ValueError("write it as text, in quotes")
    return value


def _token_prefix(value: str) -> str:
    """Part a scheme from the token: Airflow 2.11's form cuts the blank off that ends ``Bearer ``."""
    if value.strip().lower() == "none":
        return ""
    return f"{value} " if value[-1].isalnum() else value


def _verify(value: object) -> object:
    """``verify`` is a switch or a path, and a URI connection gives the switch as text."""
    switches = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
    return switches.get(value.strip().lower(), value) if isinstance(value, str) else value
