"""Parse lists of departments and users tolerantly: the editions of the API differ in names and types."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypedDict

from airflow_provider_koodrive.exceptions import KooDriveResponseError
from airflow_provider_koodrive.formatting import shown

if TYPE_CHECKING:
    from collections.abc import Mapping

_IDS = ("id", "parentId", "deptId")


class RecordPage(TypedDict):
    """
    A list, or one page of it.

    :param total: number of all records, None if KooDrive does not say it
    :param records: the records, each with an ``id``
    """

    total: int | None
    records: list[dict[str, Any]]


def parse_records(envelope: Mapping[str, Any], *, keys: tuple[str, ...]) -> RecordPage:
    """
    Parse a list of departments or users; ids become text, and fields that are not known stay.

    :param keys: names that the list may have
    :raises KooDriveResponseError: there is no list, or a record has no usable id
    """
    total = _number(envelope.get("total"))
    found = next((envelope[key] for key in keys if envelope.get(key) is not None), None)
    if found is None and (total == 0 or any(key in envelope for key in keys)):
        found = []
    if not isinstance(found, list):
        raise KooDriveResponseError(f"KooDrive's response has no list {' or '.join(keys)}")
    return {"total": total, "records": [_record(record) for record in found]}


def _record(record: object) -> dict[str, Any]:
    if not isinstance(record, dict):
        raise KooDriveResponseError(f"KooDrive's response lists {shown(record)}, which is no object")
    ids = {key: str(record[key]) for key in _IDS if record.get(key) is not None}
    identity = ids.get("id", "")
    if not identity or not identity.isprintable() or " " in identity:
        raise KooDriveResponseError(f"KooDrive's response lists a record with the id {shown(identity)}")
    return {**record, **ids}


def _number(value: object) -> int | None:
    text = str(value)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None
