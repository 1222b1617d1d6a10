"""The files around the package: what is pinned, and what goes into the wheel."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = Path(__file__).resolve().parents[2]
DISTRIBUTION = "airflow-provider-koodrive"


@pytest.fixture(scope="module")
def pins() -> list[list[str]]:
    return [
        line.split("==") for line in (PROJECT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    ]


def airflow_lines() -> dict[str, str]:
    """Return the Python of each line of Airflow that the matrix tests."""
    text = (PROJECT / "pyproject.toml").read_text(encoding="utf-8")
    table = text.partition("[tool.airflow-lines]")[2].partition("\n[")[0]
    return dict(re.findall(r'^"([\d.]+)" = {.*python = "([\d.]+)"', table, re.MULTILINE))


class TestConstraints:
    @pytest.mark.parametrize(
        "file",
        ["constraints.txt", *(f"constraints/airflow-{line}.txt" for line in list(airflow_lines())[:-1])],
    )
    def test_each_line_is_a_name_and_a_version(self, file: str) -> None:
        lines = (PROJECT / file).read_text(encoding="utf-8").splitlines()
        assert lines
        assert [line for line in lines if not re.fullmatch(r"[a-z0-9-]+==[0-9][0-9A-Za-z.+!]*", line)] == []

    def test_names_are_canonical_sorted_and_unique(self, pins: list[list[str]]) -> None:
        names = [name for name, _ in pins]
        assert names == sorted({canonicalize_name(name) for name in names})

    @pytest.mark.parametrize(
        "requirement", [Requirement(text) for text in metadata.requires(DISTRIBUTION) or ()], ids=str
    )
    def test_holds_what_the_package_asks_for(self, pins: list[list[str]], requirement: Requirement) -> None:
        versions = dict(pins)
        assert requirement.specifier.contains(versions[canonicalize_name(requirement.name)])


def test_what_is_taken_from_common_compat_is_there_at_its_floor() -> None:
    """Airflow brings a newer one, so nothing else would notice a name that came later."""
    of_1_10_0 = {
        "AirflowFailException", "AirflowSkipException", "BaseHook", "BaseOperator", "BaseOperatorLink",
        "Context", "DAG", "ObjectStoragePath", "Param", "TriggerRule", "Variable", "XCom", "XComArg", "dag",
        "get_current_context", "task",
    }  # fmt: skip
    text = (PROJECT / "pyproject.toml").read_text(encoding="utf-8")
    assert '"apache-airflow-providers-common-compat>=1.10.0"' in text
    trees = [
        ast.parse(file.read_text(encoding="utf-8"))
        for folder in ("airflow_provider_koodrive", "dags_examples")
        for file in (PROJECT / folder).rglob("*.py")
    ]
    taken = {
        alias.name
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "airflow.providers.common.compat.sdk"
        for alias in node.names
    }
    assert taken <= of_1_10_0


def test_the_readme_names_the_versions_of_the_matrix() -> None:
    text = (PROJECT / "README.md").read_text(encoding="utf-8")
    table = text.partition("<!-- supported-versions:start -->")[2].partition(
        "<!-- supported-versions:end -->"
    )[0]
    rows = dict(re.findall(r"^\| ([\d.]+) \| ([\d.]+) \|$", table, re.MULTILINE))
    assert rows == airflow_lines()
    assert len(rows) == 5


def shown_by() -> list[list[str]]:
    """Return the tests that each row of the README's table of threats names, as pytest takes them."""
    text = (PROJECT / "README.md").read_text(encoding="utf-8")
    table = text.partition("\n## Security\n")[2].partition("\n## ")[0]
    rows = [line for line in table.splitlines() if line.startswith("| ")][1:]
    return [named(row.split("|")[-2]) for row in rows]


def named(cell: str) -> list[str]:
    """Return the tests that a cell names; one that begins with ``::`` is in the file before it."""
    names: list[str] = []
    for name in re.findall(r"`([^`]+)`", cell):
        file = names[-1].partition("::")[0] if name.startswith("::") else ""
        names.append(file + name)
    return names


def is_test(name: str) -> bool:
    """Whether there is such a test, or such a class of tests."""
    file, *parts = name.split("::")
    node: ast.AST = ast.parse((PROJECT / file).read_text(encoding="utf-8"))
    for part in parts:
        inner = (child for child in ast.iter_child_nodes(node) if getattr(child, "name", None) == part)
        node = next(inner, ast.Pass())
    wanted = {ast.ClassDef: "Test", ast.FunctionDef: "test_"}.get(type(node))
    return wanted is not None and parts[-1].startswith(wanted)


class TestThreats:
    def test_each_has_a_test_that_shows_it(self) -> None:
        assert len(shown_by()) > 10
        assert [names for names in shown_by() if not names] == []

    @pytest.mark.parametrize("name", [name for names in shown_by() for name in names])
    def test_what_is_named_is_a_test(self, name: str) -> None:
        assert is_test(name)

    @pytest.mark.parametrize(
        "name",
        [
            "tests/unit/test_project_files.py",
            "tests/unit/test_project_files.py::named",
            "tests/unit/test_project_files.py::test_nothing",
            "tests/unit/test_project_files.py::TestThreats::test_nothing",
        ],
    )
    def test_what_is_none_is_found_out(self, name: str) -> None:
        assert not is_test(name)


@pytest.mark.parametrize("file", ["Makefile", "constraints.txt", ".ci/run"])
def test_no_address_is_written_down(file: str) -> None:
    assert "://" not in (PROJECT / file).read_text(encoding="utf-8")


def test_wheel_holds_the_package_and_nothing_else(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)]
    subprocess.run(command, cwd=PROJECT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        files = archive.namelist()
    package, information = (
        "airflow_provider_koodrive",
        f"airflow_provider_koodrive-{metadata.version(DISTRIBUTION)}.dist-info",
    )
    assert {path.split("/")[0] for path in files} == {package, information}
    assert {f"{package}/get_provider_info.py", f"{package}/sandbox/pytest_plugin.py"} <= set(files)
    assert [path for path in files if path.startswith(package + "/") and not path.endswith(".py")] == [
        f"{package}/py.typed"
    ]
