"""
Read rows from CSV, TSV, JSON or JSON lines: one reader for the DAG, the demo and the sandbox.

Nothing here knows KooDrive's rules; :mod:`airflow_provider_koodrive.departments.rows` does. The table of what
is tolerated, skipped and refused is in ``docs/departments.md``.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from airflow_provider_koodrive.departments import cells as rules
from airflow_provider_koodrive.formatting import one_line, shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

COLUMNS = ("name", "id", "members", "capacity")
MAX_BYTES = 256 * 1024 * 1024
"""Largest table in bytes, unpacked."""

_DELIMITERS = ("\t", ",", ";", "|")
_CELL_LINES = 50
_SEP_LINE = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE)
_JSON_START = re.compile(r"\s*(\{|\[\s*[{\]\"\[\d])")


class TableError(ValueError):
    """The table as a whole cannot be used."""


@dataclass(frozen=True)
class Row:
    """
    One row of a table.

    :param origin: its place in the table, such as ``line 7``
    :param cells: the text of each known column as it stands in the table; None: no value
    :param problem: why the row cannot be used, None if it can
    """

    origin: str
    cells: Mapping[str, str | None]
    problem: str | None = None

    def text(self, column: str) -> str | None:
        """Return a cell's clean text; None if there is no such column or a program wrote "no value"."""
        cell = self.cells.get(column)
        text = None if cell is None else rules.clean(cell)
        return None if text is None or rules.is_null(text) else text


class Header:
    """
    The columns of a table: which of them are known, and under which name.

    :param titles: names of the columns as they stand in the table
    :param columns: the table's own names of known columns, such as ``{"name": "部门"}``
    :param known: the known columns
    :raises TableError: a known column stands there twice, or one that ``columns`` names is missing
    """

    def __init__(
        self,
        titles: Sequence[str],
        columns: Mapping[str, str] | None = None,
        known: Sequence[str] = COLUMNS,
    ) -> None:
        wanted = _wanted(columns or {}, known)
        self.titles = [_title(title) for title in titles]
        self.places: dict[str, int] = {}
        for place, title in enumerate(self.titles):
            column = wanted.get(title)
            if column in self.places:
                raise TableError(
                    f"the column {shown(titles[place])} stands there twice; rename or delete one"
                )
            if column:
                self.places[column] = place
        for column, title in (columns or {}).items():
            if column not in self.places:
                raise TableError(f"there is no column {shown(title)}, which columns= names for {column!r}")

    def row(self, origin: str, values: Sequence[str | None]) -> Row | None:
        """Return a row, or None if it has no values or repeats the header."""
        texts = [None if value is None else rules.clean(value) for value in values]
        if all(not text or rules.is_null(text) for text in texts):
            return None
        if [_title(value or "") for value in values[: len(self.titles)]] == self.titles:
            return None
        known = {column: values[place] for column, place in self.places.items() if place < len(values)}
        problem = None
        if any(texts[len(self.titles) :]):
            problem = f"has {len(values)} cells, the header has {len(self.titles)}; put text in quotes"
        for value in values:
            problem = problem or (rules.is_unusable(value) if value else None)
        return Row(origin, known, problem)


def read_table(
    data: bytes,
    *,
    columns: Mapping[str, str] | None = None,
    known: Sequence[str] = COLUMNS,
    encoding: str | None = None,
    delimiter: str | None = None,
) -> list[Row]:
    """
    Read CSV, TSV, JSON or JSON lines, also packed with gzip.

    :param data: the file's bytes
    :param columns: the table's own names of known columns, such as ``{"name": "部门"}``
    :param known: the known columns; others are ignored
    :param encoding: name of the encoding; None for UTF-8, or UTF-16 with a byte order mark
    :param delimiter: the character between two cells; None to find it by the column ``name``
    :raises TableError: the table as a whole cannot be used
    """
    text = _decode(_unpack(data), encoding)
    if delimiter is None and _JSON_START.match(text):
        return _read_json(text, columns, known)
    return _read_csv(text, columns, known, delimiter)


def row_of(
    origin: str, record: object, columns: Mapping[str, str] | None = None, known: Sequence[str] = COLUMNS
) -> Row | None:
    """
    Return a row from a record of JSON or a database, or None if it has no values.

    :param origin: its place, such as ``item 7``
    :param record: name and value of each column; a value is text, a number, None, or a list of these
    """
    if not isinstance(record, Mapping):
        return Row(origin, {}, f"is not an object: {shown(record)}")
    try:
        header = Header([str(title) for title in record], columns, known)
    except TableError as err:
        return Row(origin, {}, str(err))
    values, problem = _texts(header, record.values())
    row = header.row(origin, values)
    return replace(row or Row(origin, {}), problem=problem) if problem else row


def rows_of_query(
    titles: Sequence[str], records: Iterable[Sequence[object]], columns: Mapping[str, str] | None = None
) -> list[Row]:
    """
    Return the rows of a database's result.

    :param titles: names of the result's columns
    :param records: the values of each row
    :param columns: the result's own names of known columns
    :raises TableError: the result as a whole cannot be used
    """
    header = Header(titles, columns)
    if "name" not in header.places:
        raise TableError(f"there is no column 'name' among {', '.join(map(shown, titles))}")
    rows = []
    for number, record in enumerate(records, 1):
        values, problem = _texts(header, record)
        row = header.row(f"row {number}", values)
        if problem:
            row = replace(row or Row(f"row {number}", {}), problem=problem)
        if row:
            rows.append(row)
    return rows


def _texts(header: Header, values: Iterable[object]) -> tuple[list[str | None], str | None]:
    """Return values as text, and what is wrong with one of them that counts."""
    texts: list[str | None] = []
    problem = None
    for place, value in enumerate(values):
        try:
            texts.append(_text(value))
        except TypeError:
            texts.append(None)
            if place in header.places.values():
                title = shown(header.titles[place])
                problem = f"has {shown(value)} in {title}, which is neither text nor a number"
    return texts, problem


def _wanted(columns: Mapping[str, str], known: Sequence[str]) -> dict[str, str]:
    unknown = sorted(set(columns) - set(known))
    if unknown:
        raise TableError(f"columns= names {', '.join(map(shown, unknown))}, known are {', '.join(known)}")
    wanted: dict[str, str] = {}
    for column in known:
        title = _title(columns.get(column, column))
        # A name that the user has given to one column is no longer the default of another.
        if column in columns or title not in map(_title, columns.values()):
            if title in wanted:
                raise TableError(f"columns= gives {wanted[title]!r} and {column!r} the same column")
            wanted[title] = column
    return wanted


def _title(text: str) -> str:
    return "".join(rules.identity(rules.clean_id(text)).casefold().split())


def _text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool | bytes | bytearray | memoryview | Mapping):
        raise TypeError
    if isinstance(value, list | tuple | set | frozenset):
        return "\n".join(text for item in value if (text := _text(item)) is not None)
    return str(value)


def _unpack(data: bytes) -> bytes:
    if data[:2] == b"\x1f\x8b":
        try:
            with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
                data = file.read(MAX_BYTES + 1)
        except (OSError, EOFError, zlib.error) as err:
            raise TableError(f"gzip cannot unpack it: {err}; write the file again") from None
    if len(data) > MAX_BYTES:
        raise TableError(f"it has more than {MAX_BYTES} bytes; split the file")
    if data[:4] == b"PK\x03\x04" or data[:8] == b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1":
        raise TableError('it is a workbook or an archive; save it as "CSV UTF-8"')
    return data


def _decode(data: bytes, encoding: str | None) -> str:
    if encoding is None:
        encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8"
    # UTF-16 knows no escapes; half surrogates and escapes make their row a bad row.
    errors = "surrogatepass" if encoding.lower().replace("_", "-").startswith("utf-16") else "surrogateescape"
    try:
        return data.decode(encoding, errors).removeprefix("\ufeff")
    except LookupError:
        raise TableError(
            f"there is no encoding {shown(encoding)}; encoding= must name one of Python's"
        ) from None
    except (UnicodeError, ValueError):
        raise TableError(f"it is not text in {encoding}; name its encoding with encoding=") from None


def _read_csv(
    text: str, columns: Mapping[str, str] | None, known: Sequence[str], delimiter: str | None
) -> list[Row]:
    lines = list(io.StringIO(text, newline=None))
    start = next((number for number, line in enumerate(lines) if rules.clean(line)), 0)
    sep = _SEP_LINE.fullmatch(lines[start]) if lines else None
    if sep:
        start, delimiter = start + 1, delimiter or sep[1]
    header, delimiter = _find_header(lines, start, columns, known, delimiter)
    rows = _split(lines, start, delimiter)
    next(rows)
    found = (_csv_row(header, f"line {number}", values) for number, values in rows)
    return [row for row in found if row]


def _csv_row(header: Header, origin: str, values: list[str] | str) -> Row | None:
    if isinstance(values, list):
        return header.row(origin, values)
    return Row(origin, {}, "cannot be split into cells: is there a quotation mark without its partner?")


def _find_header(
    lines: Sequence[str],
    start: int,
    columns: Mapping[str, str] | None,
    known: Sequence[str],
    delimiter: str | None,
) -> tuple[Header, str]:
    """Choose the delimiter that yields the column ``name``, and the most columns."""
    best: tuple[Header, str] | None = None
    failure: TableError | None = None
    for candidate in [delimiter] if delimiter else _DELIMITERS:
        titles = next(_split(lines, start, candidate), (0, ""))[1]
        if not isinstance(titles, list):
            continue
        try:
            header = Header(titles, columns, known)
        except TableError as err:
            # Of several, the one that has split the line says most.
            failure = err if failure is None or len(titles) > 1 else failure
            continue
        # The tab comes first: in a table of one column, a comma is part of the names.
        if "name" in header.places and (best is None or len(header.titles) > len(best[0].titles)):
            best = header, candidate
    if best:
        return best
    first = one_line(lines[start].strip()) if start < len(lines) else ""
    raise failure or TableError(
        f"there is no column 'name' in the first line '{first}'; name the column with "
        'columns={"name": …}, and an encoding other than UTF-8 with encoding='
    )


def _split(lines: Sequence[str], start: int, delimiter: str) -> Iterator[tuple[int, list[str] | str]]:
    """Yield the number of each row's first line, and its cells, or the line if it is not CSV."""
    while start < len(lines):
        values: list[str] | str = lines[start]
        end = start + 1
        # A cell in quotes may go on over lines. If it never ends, its first line alone is the bad row.
        for tried in range(end, min(start + _CELL_LINES, len(lines)) + 1):
            try:
                values, end = _cells(lines[start:tried], delimiter), tried
                break
            except csv.Error:
                if '"' not in lines[start]:
                    break
        if values != []:
            yield start + 1, values
        start = end


def _cells(lines: Sequence[str], delimiter: str) -> list[str]:
    if not any("\x00" in line for line in lines):
        return next(csv.reader(lines, delimiter=delimiter, strict=True))
    # Python 3.10's csv refuses NUL; a noncharacter stands for it.
    hidden = [line.replace("\x00", "\ufffe") for line in lines]
    values = next(csv.reader(hidden, delimiter=delimiter, strict=True))
    return [value.replace("\ufffe", "\x00") for value in values]


def _read_json(text: str, columns: Mapping[str, str] | None, known: Sequence[str]) -> list[Row]:
    try:
        value = _load(text)
    except ValueError as err:
        if not text.lstrip().startswith("{"):
            raise TableError(f"it is not JSON: {err}; write the file again") from None
        return _rows_of(_json_lines(text), columns, known)
    if isinstance(value, dict) and isinstance(value.get("departments"), list):
        value = value["departments"]
    items = value if isinstance(value, list) else [value]
    return _rows_of(((f"item {number}", item) for number, item in enumerate(items, 1)), columns, known)


def _json_lines(text: str) -> Iterator[tuple[str, Any]]:
    for number, line in enumerate(io.StringIO(text, newline=None), 1):
        if line.strip():
            try:
                yield f"line {number}", _load(line)
            except ValueError as err:
                yield f"line {number}", err


def _rows_of(
    records: Iterable[tuple[str, Any]], columns: Mapping[str, str] | None, known: Sequence[str]
) -> list[Row]:
    rows = []
    for origin, record in records:
        if isinstance(record, ValueError):
            rows.append(Row(origin, {}, f"is not JSON: {record}"))
        elif row := row_of(origin, _checked(record), columns, known):
            rows.append(row)
    if rows and not any("name" in row.cells for row in rows):
        raise TableError("no object in it has the key 'name'; name the key with columns={\"name\": …}")
    return rows


class _Pairs(list[tuple[str, Any]]):
    """An object in JSON whose keys are not unique."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any] | _Pairs:
    found = dict(pairs)
    return found if len(found) == len(pairs) else _Pairs(pairs)


def _checked(record: Any) -> Any:
    if not isinstance(record, _Pairs):
        return record
    # The titles differ as keys and are the same column, which the header then refuses.
    return {f"{title}{' ' * number}": value for number, (title, value) in enumerate(record)}


def _load(text: str) -> Any:
    """Parse JSON with numbers as text: no digit of an id gets lost."""
    try:
        return json.loads(text, parse_int=str, parse_float=str, parse_constant=str, object_pairs_hook=_object)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
