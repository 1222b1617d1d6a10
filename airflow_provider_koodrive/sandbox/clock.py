"""Times as KooDrive writes them; inside the sandbox a time is seconds since 1970 in UTC."""

from __future__ import annotations

import time
from datetime import datetime, timezone
from email.utils import formatdate


def now() -> float:
    return time.time()


def iso_milliseconds(seconds: float) -> str:
    """Write a time as ``2024-05-10T01:46:22.000Z``."""
    text = datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def parse_x_date(text: str) -> float | None:
    """Read an ``X-Date`` such as ``20240831T143829Z``; return None if it has another form."""
    try:
        return datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=timezone.utc).timestamp()
    except ValueError:
        return None


def http_date(seconds: float) -> str:
    """Write a time as HTTP's ``Date`` header does."""
    return formatdate(seconds, usegmt=True)
