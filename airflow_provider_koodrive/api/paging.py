"""Walking a listing that changes while it is read."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_provider_koodrive.exceptions import KooDriveResponseError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

log = logging.getLogger(__name__)

PageT = TypeVar("PageT", bound="Mapping[str, Any]")

# A listing that shrinks more often than this while it is read is not followed any further.
MOST_STEPS_BACK = 10


def walk(
    fetch: Callable[[int], PageT], items: Callable[[PageT], Sequence[dict[str, Any]]], *, key: str, what: str
) -> Iterator[tuple[PageT, list[dict[str, Any]]]]:
    """
    Yield each page with those of its records that no earlier page brought.

    Ends at an empty page, at a page that brings nothing new, or when ``total`` is reached; says so at
    warning level if that is below ``total``. Where ``total`` shrinks between two pages, records have
    moved forward past the offset, so the walk steps back by as many.

    :param fetch: reads the page at a record offset; it has ``total``, the number of records or None
    :param items: the records of a page
    :param key: field that identifies a record
    :param what: what is listed, for the log
    """
    seen: set[str] = set()
    offset = furthest = steps_back = 0
    total: int | None = None
    while True:
        page = fetch(offset)
        records = items(page)
        by_id = {_identity(record, key): record for record in records}
        new = [record for identity, record in by_id.items() if identity not in seen]
        seen.update(by_id)
        yield page, new
        before, total = total, page["total"]
        end = offset + len(records)
        if before is not None and total is not None and total < before and steps_back < MOST_STEPS_BACK:
            steps_back += 1
            furthest = max(furthest, end)
            offset = max(0, offset - (before - total))
            continue
        reached = total is not None and end >= total and len(seen) >= total
        if not records or reached or (not new and end > furthest):
            break
        offset = end
    if total is not None and len(seen) < total:
        log.warning("The list of %s ended after %s of %s records", what, len(seen), total)


def _identity(record: Mapping[str, Any], key: str) -> str:
    identity = record.get(key)
    if not identity:
        raise KooDriveResponseError(
            f"a record of KooDrive's list has no {key}; it has {', '.join(record) or 'nothing'}"
        )
    return str(identity)
