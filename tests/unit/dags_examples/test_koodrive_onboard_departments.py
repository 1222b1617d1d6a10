"""What the nightly DAG reads, chooses and says; it runs in real Airflow in ``tests/airflow``."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from types import ModuleType

DAGS = Path(__file__).parents[3] / "dags_examples"
HEADER = "name,id,members,capacity\n"


@pytest.fixture(scope="module")
def onboarding() -> ModuleType:
    spec = importlib.util.spec_from_file_location("onboarding", DAGS / "koodrive_onboard_departments.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def read(onboarding: ModuleType, tmp_path: Path) -> Any:
    def read(content: str | bytes) -> dict[str, Any]:
        path = tmp_path / "departments"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        found: dict[str, Any] = onboarding.read_departments_file(path)
        return found

    return read


def names(found: dict[str, Any]) -> list[str]:
    return [department["name"] for department in found["departments"]]


class TestFile:
    def test_all_columns(self, read: Any) -> None:
        found = read(HEADER + "R&D / Ops,D1,u1 u2;u3; u1,20\nFinance,,,\n")
        assert found["departments"] == [
            {
                "line": 2,
                "name": "R&D / Ops",
                "id": "D1",
                "space": "R&D - Ops~g4dizsfgj",
                "user_ids": ["u1", "u2", "u3"],
                "capacity": 20,
            },
            {"line": 3, "name": "Finance", "id": "", "space": "Finance", "user_ids": [], "capacity": None},
        ]
        assert found["bad_rows"] == []

    @pytest.mark.parametrize(
        "content",
        [
            "name,website\nA,x\nB,y\n",
            "name\twebsite\nA\tx\nB\ty\n",
            "name;website\nA;x\nB;y\n",
            "website,name\nx,A\ny,B",
            "\ufeffname\r\nA\r\n\r\nB\r\n",
            ' Name ,"web\nsite"\n A ,x\n"B",y\n',
            'name,website\nA,"x\ny"\nB,y\n',
        ],
        ids=["comma", "tab", "semicolon", "order", "excel", "header", "cell-of-two-lines"],
    )
    def test_forms(self, read: Any, content: str) -> None:
        found = read(content)
        assert names(found) == ["A", "B"]
        assert found["bad_rows"] == []

    def test_one_column_of_names_with_commas(self, read: Any) -> None:
        assert names(read("name\nProcurement, Logistics\n財務部\n")) == ["Procurement, Logistics", "財務部"]

    @pytest.mark.parametrize(
        "content",
        ["", "\n", "title,id\nA,1\n", "name,name\nA,B\n", "name\nA\n".encode("utf-16")],
        ids=["empty", "blank", "no-name", "two-names", "utf-16"],
    )
    def test_of_no_use(self, read: Any, content: str | bytes) -> None:
        with pytest.raises(ValueError, match="no header in UTF-8 with one column 'name'"):
            read(content)

    def test_missing(self, onboarding: ModuleType, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError, match=r"nowhere\.csv"):
            onboarding.read_departments_file(tmp_path / "nowhere.csv")

    def test_the_one_beside_the_dag(self, onboarding: ModuleType) -> None:
        found = onboarding.read_departments_file(onboarding.DEFAULT_FILE)
        assert len(found["departments"]) == 8
        assert found["bad_rows"] == []


class TestBadRows:
    @pytest.mark.parametrize(
        ("row", "problem"),
        [
            (b",7,,", "has no name"),
            (b" \t,7,,", "has no name"),
            ("\u200b,7,,".encode(), "not blank"),
            (b"Bad,7", "has 2 columns, the header has 4"),
            (b"Bad,7,,,", "has 5 columns, the header has 4"),
            (b"Bad,,,ten", "'Bad' has the capacity 'ten'"),
            (b"Bad,,,0", "capacity '0'"),
            (b"Bad,,,-1", "capacity '-1'"),
            (b"Bad,,,1.5", "capacity '1.5'"),
            (b"Bad,,,1_0", "capacity '1_0'"),
            ("Bad,,,\u0663".encode(), "capacity '\u0663'"),
            (b"Bad,,," + b"9" * 5000, "capacity '999"),
            (b"Bad,," + b" ".join(b"u%d" % n for n in range(201)) + b",", "has 201 members"),
            (b"B\xe4d,,,", "is not UTF-8"),
            (b'"Bad,,,', "quotation mark"),
            (b'"Bad"ly,,,', "quotation mark"),
            (b" First ,,,", "same department as line 2: same space"),
            (b"Other,D1,,", "'Other' is the same department as line 2: same id"),
        ],
        ids=lambda value: repr(value)[:40],
    )
    def test_is_reported_with_its_line_and_stops_no_other(self, read: Any, row: bytes, problem: str) -> None:
        found = read(HEADER.encode() + b"First,D1,,\n\n" + row + b"\nLast,D9,,5\n")
        assert names(found) == ["First", "Last"]
        assert [bad["line"] for bad in found["bad_rows"]] == [4]
        assert problem in found["bad_rows"][0]["problem"]

    def test_lines_are_counted_in_the_file(self, read: Any) -> None:
        found = read(HEADER + 'A,"1\n2",,\n\nB,,,x\nC,,,\n')
        assert [department["line"] for department in found["departments"]] == [2, 6]
        assert [bad["line"] for bad in found["bad_rows"]] == [5]

    def test_200_members_are_allowed_and_nobody_counts_twice(self, read: Any) -> None:
        users = [f"u{number}" for number in range(200)]
        found = read(HEADER + f"A,,{' '.join(users + users)},\n")
        assert found["departments"][0]["user_ids"] == users

    def test_a_row_that_was_refused_repeats_nothing(self, read: Any) -> None:
        found = read(HEADER + "A,D1,,x\nA,D1,,5\n")
        assert [department["line"] for department in found["departments"]] == [3]


class TestNew:
    @pytest.mark.parametrize(
        ("group", "counts"),
        [
            ({"name": "A", "ownerId": "7", "creator": "7"}, True),
            ({"name": "A", "ownerId": "8", "creator": "7"}, True),
            ({"name": "A", "ownerId": "7"}, True),
            ({"name": "A", "ownerId": "8", "creator": "8"}, False),
            ({"name": "A"}, False),
        ],
        ids=["own", "handed-over", "no-creator", "another-user's", "nobody's"],
    )
    def test_whose_spaces_count(self, onboarding: ModuleType, group: dict[str, Any], counts: bool) -> None:
        assert ("A" in onboarding.spaces_by_name([group], "7")) is counts
        assert "A" in onboarding.spaces_by_name([group], None)

    def test_names_are_compared_composed(self, onboarding: ModuleType) -> None:
        assert "Büro" in onboarding.spaces_by_name([{"name": "Bu\u0308ro"}], None)


def test_summary(onboarding: ModuleType) -> None:
    departments = [{"name": f"Department {name}", "space": name} for name in "ABCDEF"]
    rows = onboarding.summary_rows(
        departments,
        existed={"A": {}},
        results={
            "B": {"name": "B", "id": "2", "capacity": 10, "created": True, "failedList": []},
            "C": {"name": "C", "id": "3", "capacity": 10, "created": False, "failedList": ["u1", "u2"]},
        },
        chosen=["B", "C", "D"],
        exists={"A": {"id": "1", "capacity": 20}, "B": {"id": "2", "capacity": 10}, "E": {"id": "9"}},
    )
    assert [(row["name"], row["status"], row["id"], row["capacity"], row["failedList"]) for row in rows] == [
        ("A", "existed", "1", 20, []),
        ("B", "created", "2", 10, []),
        ("C", "reused", "3", 10, ["u1", "u2"]),
        ("D", "FAILED", None, None, []),
        ("E", "waits", "9", None, []),
        ("F", "waits", None, None, []),
    ]
    lines = list(onboarding.table(rows))
    assert len(lines) == 7
    assert " ".join(lines[3].split()) == "reused 3 10 C Department C (members not added: u1, u2)"
    assert onboarding.problems([{"line": 4, "problem": "has no name"}], rows) == [
        "line 4 has no name",
        "'Department C' lacks the members u1, u2",
        "'Department D' got no space",
    ]
    assert onboarding.problems([], rows[:2]) == []
