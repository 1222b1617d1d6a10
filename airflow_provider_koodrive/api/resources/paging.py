"""Read a listing page by page while it changes."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_provider_koodrive.exceptions import KooDriveResponseError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

log = logging.getLogger(__name__)

PageT = TypeVar("PageT", bound="Mapping[str, Any]")

# A listing that changes while it is read can give this many pages without a new record before it is given up.
MOST_FRUITLESS_PAGES = 100

# 10,000 spaces with one on each page; a server that returns new records for ever is not followed.
MOST_PAGES = 10_000


def walk(
    fetch: Callable[[int], PageT], items: Callable[[PageT], Sequence[dict[str, Any]]], *, key: str, what: str
) -> Iterator[tuple[PageT, list[dict[str, Any]]]]:
    """
    Yield each page with those of its records that no earlier page had.

    Ends at an empty page, at a page without new records, or when ``total`` is reached; logs a warning if that
    is below ``total``. If ``total`` shrinks between two pages, records have moved forward past the offset, so
    the walk steps back by as many; if it grows, as many records may come again.

    :param fetch: returns the page at a record offset; it has ``total``, the number of records or None
    :param items: returns the records of a page
    :param key: field that identifies a record; each record has it
    :param what: name of the listing, for the log
    :raises KooDriveResponseError: the list does not end
    """
    seen: set[str] = set()
    # Before the position `known` a page may be without new records.
    offset = known = 0
    fruitless_left = MOST_FRUITLESS_PAGES
    total: int | None = None
    for _ in range(MOST_PAGES):
        page = fetch(offset)
        records = items(page)
        by_id = {record[key]: record for record in records}
        new = [record for identity, record in by_id.items() if identity not in seen]
        seen.update(by_id)
        yield page, new
        before, total = total, page["total"]
        end = offset + len(records)
        growth = 0 if before is None or total is None else total - before
        known = max(known, offset) + max(growth, 0)
        if growth < 0 and fruitless_left:
            fruitless_left -= 1
            known = max(known, end)
            offset = max(0, offset + growth)
            continue
        # More records than `total` show that it is wrong, so it does not end the walk.
        if not records or (total is not None and end >= total and len(seen) == total):
            break
        if not new:
            if end > known or not fruitless_left:
                break
            fruitless_left -= 1
        offset = end
    else:
        raise KooDriveResponseError(f"the list of {what} does not end: {len(seen)} records so far")
    if total is not None and len(seen) < total:
        log.warning("The list of %s ended after %s of %s records", what, len(seen), total)


def at_most(
    most: int | None, pages: Iterable[tuple[PageT, list[dict[str, Any]]]]
) -> Iterator[tuple[PageT, list[dict[str, Any]]]]:
    """Yield pages until so many records have come; None for all."""
    left = most
    for page, new in pages:
        yield page, new[:left]
        if left is not None:
            left -= len(new)
            if left <= 0:
                return
