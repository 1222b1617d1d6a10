"""Departments from files: where they are opened, how they are packed, and what is refused as a whole."""

from __future__ import annotations

import csv
import gzip
import io
import socket
from typing import IO, TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_koodrive.departments import FileDepartments, table
from airflow_provider_koodrive.departments.cells import clean, clean_id, identity, is_null
from airflow_provider_koodrive.exceptions import KooDriveSourceError

if TYPE_CHECKING:
    from pathlib import Path


def names(path: Any, **options: Any) -> list[str]:
    return [department.name for department in FileDepartments(str(path), **options).read().departments]


class Bucket:
    """An access with one object."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.opened: list[tuple[str, str | None]] = []

    def open_file(self, path: str, conn_id: str | None) -> IO[bytes]:
        self.opened.append((path, conn_id))
        return io.BytesIO(self.data)

    query = directory = None


class TestWhere:
    def test_an_object_storage_is_opened_by_the_caller(self) -> None:
        bucket = Bucket(b"name\nFinance\n")
        found = FileDepartments("s3://b/departments.csv", conn_id="aws").read(bucket)  # type: ignore[arg-type]
        assert [department.name for department in found.departments] == ["Finance"]
        assert bucket.opened == [("s3://b/departments.csv", "aws")]
        assert found.source == "s3://b/departments.csv"

    def test_an_object_storage_needs_somebody_to_open_it(self) -> None:
        with pytest.raises(KooDriveSourceError, match="no local path"):
            FileDepartments("s3://b/departments.csv").read()

    def test_a_path_object_opens_itself(self, tmp_path: Path) -> None:
        (tmp_path / "d.csv").write_text("name\nFinance\n")
        assert FileDepartments(tmp_path / "d.csv").read().departments[0].name == "Finance"

    def test_an_absent_file_names_the_host(self, tmp_path: Path) -> None:
        with pytest.raises(KooDriveSourceError) as caught:
            names(tmp_path / "nowhere.csv")
        text = str(caught.value)
        assert "nowhere.csv" in text
        assert socket.gethostname() in text
        assert "No such file" in text
        assert not caught.value.retryable

    def test_a_folder_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(KooDriveSourceError, match="directory"):
            names(tmp_path)


class TestForm:
    def test_gzip_is_unpacked(self, tmp_path: Path) -> None:
        (tmp_path / "d.csv.gz").write_bytes(gzip.compress("name\n財務部\n".encode()))
        assert names(tmp_path / "d.csv.gz") == ["財務部"]

    def test_gzip_that_is_cut_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "d.csv.gz").write_bytes(gzip.compress(b"name\nFinance\n")[:-12])
        with pytest.raises(KooDriveSourceError, match="gzip cannot unpack it"):
            names(tmp_path / "d.csv.gz")

    @pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
    def test_a_file_without_end_is_refused(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pack: Any
    ) -> None:
        (tmp_path / "d.csv").write_bytes(pack(b"name\n" + b"x\n" * 500))
        monkeypatch.setattr(table, "MAX_BYTES", 1000)
        with pytest.raises(KooDriveSourceError, match="more than 1000 bytes"):
            names(tmp_path / "d.csv")

    @pytest.mark.parametrize("name", ["gb18030", "big5", "utf-16-le", "cp1252"])
    def test_an_encoding_that_is_named(self, tmp_path: Path, name: str) -> None:
        text = "Büro" if name == "cp1252" else "財務部"
        (tmp_path / "d.csv").write_bytes(f"name\n{text}\n".encode(name))
        assert names(tmp_path / "d.csv", encoding=name) == [text]

    def test_an_encoding_that_does_not_exist(self, tmp_path: Path) -> None:
        (tmp_path / "d.csv").write_bytes(b"name\nA\n")
        with pytest.raises(KooDriveSourceError, match="no encoding 'utf-99'"):
            names(tmp_path / "d.csv", encoding="utf-99")

    def test_a_delimiter_that_is_named(self, tmp_path: Path) -> None:
        (tmp_path / "d.csv").write_text("name^id\nA^7\n")
        assert names(tmp_path / "d.csv", delimiter="^") == ["A"]

    @pytest.mark.parametrize(
        ("columns", "problem"),
        [
            ({"nmae": "x"}, "known are name, id, members, capacity"),
            ({"id": "code"}, "no column 'code'"),
            ({"id": "name"}, "no column 'name'"),
            ({"id": "x", "name": "X"}, "the same column"),
        ],
    )
    def test_columns_that_do_not_fit(self, tmp_path: Path, columns: dict[str, str], problem: str) -> None:
        (tmp_path / "d.csv").write_text("name,x\nA,7\n")
        with pytest.raises(KooDriveSourceError, match=problem):
            names(tmp_path / "d.csv", columns=columns)

    @pytest.mark.parametrize("content", ["", "\n\n", "[]broken", "{", '[{"title": "A"}]', "sep=;"])
    def test_of_no_use(self, tmp_path: Path, content: str) -> None:
        (tmp_path / "d.csv").write_text(content)
        with pytest.raises(KooDriveSourceError):
            names(tmp_path / "d.csv")

    def test_json_that_is_nested_too_deeply(self, tmp_path: Path) -> None:
        (tmp_path / "d.json").write_text('[{"name": ' + "[" * 100_000)
        with pytest.raises(KooDriveSourceError, match="not JSON"):
            names(tmp_path / "d.json")


# Half surrogates make a bad row, and are tested by the table of faults. csv.writer of
# Python 3.11 does not quote a carriage return.
cell_texts = st.text(
    st.characters(codec="utf-8", exclude_characters="\r\ue000")
    | st.sampled_from("\x00\ufffe\n\"',;\t|= \u200b"),
    max_size=15,
)


def is_ordinary(name: str) -> bool:
    """Return whether a name is none of those for which there are rules with tests of their own."""
    text = clean(name)
    is_header = "".join(identity(clean_id(name)).casefold().split()) == "name"
    return bool(identity(text)) and "\x00" not in name and not is_null(text) and not is_header


class TestLaws:
    @given(
        st.lists(st.tuples(cell_texts, cell_texts), max_size=8),
        st.sampled_from(",;\t|"),
        st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
        st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]),
        st.sampled_from(["\n", "\r\n"]),
    )
    def test_what_csv_writes_is_read_and_no_row_vanishes(
        self, rows: list[tuple[str, str]], delimiter: str, encoding: str, quoting: Any, end: str
    ) -> None:
        lines = io.StringIO()
        writer = csv.writer(lines, delimiter=delimiter, quoting=quoting, lineterminator=end)
        writer.writerow(["name", "note"])
        # csv.writer of Python 3.10 writes no NUL.
        writer.writerows([[cell.replace("\x00", "\ue000") for cell in row] for row in rows])
        read = table.read_table(lines.getvalue().replace("\ue000", "\x00").encode(encoding))
        left_out = [row for row in rows if not any(map(clean, row))]
        assert len(read) >= sum(is_ordinary(name) for name, _ in rows)
        assert len(read) <= len(rows) - len(left_out)
        good = [row.text("name") for row in read if row.problem is None]
        expected = [clean(name) for name, note in rows if is_ordinary(name) and "\x00" not in note]
        assert [name for name in good if name and is_ordinary(name)] == expected

    @given(st.binary(max_size=300))
    def test_any_bytes_are_read_or_refused(self, data: bytes) -> None:
        for text in (data, b"name,id,members\n" + data, b'[{"name": "A"},' + data):
            try:
                rows = table.read_table(text)
            except table.TableError:
                continue
            assert all(row.origin for row in rows)

    @given(st.lists(cell_texts.filter(is_ordinary), unique_by=lambda name: identity(clean(name)), max_size=8))
    def test_departments_come_in_the_order_of_the_file(self, given_names: list[str]) -> None:
        bucket = Bucket(
            ("name\n" + "".join(f'"{n.replace(chr(34), chr(34) * 2)}"\n' for n in given_names)).encode()
        )
        found = FileDepartments("s3://b/d.csv").read(bucket)  # type: ignore[arg-type]
        places = {row.origin for row in found.bad_rows}
        kept = [department.name for department in found.departments]
        assert len(kept) + len(places) >= len(given_names)
        order = [clean(name) for name in given_names]
        assert kept == [name for name in order if name in set(kept)]
