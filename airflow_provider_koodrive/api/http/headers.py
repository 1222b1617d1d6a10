"""Values of HTTP headers: check those to send, read ``Date`` and ``Retry-After`` of a response."""

from __future__ import annotations

from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from airflow_provider_koodrive.exceptions import KooDriveConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping


def header_value(name: str, value: str) -> str:
    """
    Return a value, after checking that a header can carry it.

    :param name: name of the value, for the error
    :raises KooDriveConfigError: it is empty, or holds control or non-ASCII characters; the error does not
        show the value, since it may be a secret
    """
    if not value or not value.strip():
        raise KooDriveConfigError(f"{name} is empty")
    if not value.isascii() or not value.isprintable():
        raise KooDriveConfigError(
            f"{name} holds a line break, a control or a non-ASCII character, which no header can carry; "
            "enter it without"
        )
    return value


def retry_after_seconds(headers: Mapping[str, str]) -> float | None:
    """Return the seconds of ``Retry-After``, a number or a date; None if it has none that can be read."""
    value = headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdigit():
        return float(value[:9])
    moment = _http_date(value)
    if moment is None:
        return None
    # Measured by the server's own clock if it has a Date: this machine's may be wrong.
    now = _http_date(headers.get("Date", "")) or datetime.now(timezone.utc)
    return max(0.0, (moment - now).total_seconds())


def server_date(headers: Mapping[str, str]) -> datetime | None:
    """Return the time of the ``Date`` header, in whole seconds; None if it has none that can be read."""
    return _http_date(headers.get("Date", ""))


def _http_date(value: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    # Dates near the ends of the calendar cannot be calculated with.
    plausible = 1970 <= moment.year < 9000
    return moment.replace(tzinfo=moment.tzinfo or timezone.utc) if plausible else None
