"""The example DAGs under real Airflow against the sandbox, and that no line of ours causes a warning."""

from __future__ import annotations

import json
import shutil
import sqlite3
import warnings
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import airflow as airflow_package
import pytest
import requests
from real_airflow import DAGS, ToRun

import airflow_provider_koodrive
from airflow_provider_koodrive.sandbox.server import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from real_airflow import Airflow, Run

VERSION = tuple(map(int, airflow_package.__version__.split(".")[:2]))
PACKAGE = Path(airflow_provider_koodrive.__file__).parent
ONBOARDING = "koodrive_onboard_departments"
FROM_KOODRIVE = "koodrive_onboard_from_koodrive"
FROM_SQL = "koodrive_onboard_from_sql"
FORM = "koodrive_create_group_space"
UNITED_KINGDOM = Path(__file__).parents[3] / "shared" / "data" / "uk-government-organisations.tsv"
FORM_NAMES = ["007", "42", "[1]", "None", "{{ 6 + 1 }}", "{'a'}", "தமிழ் நிர்வாகத் துறை அலுவலகம்"]

DEPRECATED_USE = """
import warnings
from airflow.providers.common.compat.sdk import DAG, task

warnings.warn("deprecated when parsed", DeprecationWarning)

@task
def warn():
    warnings.warn("deprecated when run", DeprecationWarning)

with DAG("deprecated_use", schedule=None) as dag:
    warn()
"""

# SQLite's own provider is not there on each Airflow.
SQLITE_HOOK = """
import sqlite3
from airflow.providers.common.sql.hooks.sql import DbApiHook

class SqliteFileHook(DbApiHook):
    conn_name_attr = "sqlite_file_conn_id"
    conn_type = "sqlite_file"
    hook_name = "SQLite file"

    def get_conn(self):
        return sqlite3.connect(self.get_connection(self.get_conn_id()).host)
"""

SQLITE_PROVIDER = """
def provider_info():
    return {
        "package-name": "sqlite-file-provider",
        "name": "SQLite file",
        "description": "A database for a test.",
        "versions": ["1.0"],
        "connection-types": [
            {"connection-type": "sqlite_file", "hook-class-name": "sqlite_file_hook.SqliteFileHook"}
        ],
    }
"""

IMPORT_ALL = """
import importlib, pkgutil, sys
package = importlib.import_module(sys.argv[1])
for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
    try:
        importlib.import_module(module.name)
    except ImportError as err:
        print("NOT IMPORTED", module.name, err)
    else:
        print("IMPORTED", module.name)
"""


class Scenario(NamedTuple):
    """Runs against a sandbox of their own, in this order."""

    sandbox: Sandbox
    runs: list[Run]

    @property
    def names(self) -> set[str]:
        return {space["name"] for space in self.sandbox.spaces()}


class Scenarios:
    """
    Scenarios whose runs take place in one process.

    :param folder: new folder for their files
    """

    def __init__(self, airflow: Airflow, folder: Path) -> None:
        self.folder = folder
        self.dags = shutil.copytree(DAGS, folder / "dags")
        self.output = ""
        self._airflow = airflow
        self._stack = ExitStack()
        self._sandboxes: dict[str, Sandbox] = {}
        self._runs: list[tuple[str, ToRun]] = []
        self._done: list[Run] = []

    def __enter__(self) -> Scenarios:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def add(self, name: str, dag: str, *confs: Mapping[str, Any], **environment: str) -> None:
        """Add a scenario: one run of the DAG for each conf."""
        sandbox = self.sandbox(name)
        environment = {**environment, "AIRFLOW_CONN_KOODRIVE_DEFAULT": sandbox.connection_json()}
        self._runs += [(name, ToRun(self.dags / f"{dag}.py", conf, environment)) for conf in confs]

    def sandbox(self, name: str, departments: Path | None = None) -> Sandbox:
        """Return the sandbox of a scenario; it starts at first use, with the departments of a file."""
        if name not in self._sandboxes:
            sandbox = Sandbox(self.folder / f"{name.replace(' ', '_')}.db", departments=departments)
            self._sandboxes[name] = self._stack.enter_context(sandbox)
        return self._sandboxes[name]

    def run(self, **settings: str) -> None:
        """Run all."""
        self._done = self._airflow.runs(
            *(one for _, one in self._runs), AIRFLOW__CORE__DAGS_FOLDER=str(self.dags), **settings
        )
        self.output = "".join(run.output for run in self._done)

    def __getitem__(self, name: str) -> Scenario:
        runs = [run for (owner, _), run in zip(self._runs, self._done, strict=True) if owner == name]
        return Scenario(self._sandboxes[name], runs)


@pytest.fixture(scope="module")
def scenarios(airflow: Airflow, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scenarios]:
    """Let all runs of this module take place, with every warning shown."""
    folder = tmp_path_factory.mktemp("scenarios")
    with Scenarios(airflow, folder) as scenarios:
        scenarios.add("two nights", ONBOARDING, {}, {})
        add_bad_rows(scenarios)
        add_failures(scenarios)
        if UNITED_KINGDOM.exists():
            scenarios.add("real", ONBOARDING, {"departments_file": str(UNITED_KINGDOM), "limit": 4})
        add_form(scenarios)
        add_tree(scenarios)
        add_database(scenarios)
        (scenarios.dags / "deprecated_use.py").write_text(DEPRECATED_USE, "utf-8")
        scenarios.add("deprecated use", "deprecated_use", {})
        scenarios.run(PYTHONWARNINGS="always", PYTHONPATH=str(install_sqlite_provider(scenarios.folder)))
        yield scenarios


def add_bad_rows(scenarios: Scenarios) -> None:
    file = scenarios.folder / "departments.tsv"
    rows = ["A\t", "\t5", "B\tmany", "C\t", '"D\t', "E\t7", "A\t", "F\t", "G\t"]
    file.write_text("name\tcapacity\n" + "\n".join(rows) + "\n")
    confs = ({}, {"limit": 1}, {}, {"departments_file": "nowhere.csv"})
    settings = {"AIRFLOW_VAR_DEPARTMENTS_FILE": str(file), "AIRFLOW__CORE__MAX_MAP_LENGTH": "3"}
    scenarios.add("bad rows", ONBOARDING, *confs, **settings)


def add_failures(scenarios: Scenarios) -> None:
    sandbox = scenarios.sandbox("failures")
    known, other = (sandbox.user_ids[n] for n in (4, 5))
    create_space_of(other, "Finance", sandbox)
    file = scenarios.folder / "failures.csv"
    file.write_text(
        "name,members,capacity\n{{ 6 + 1 }},,\n"
        f"Finance,{known},5\nLegal,{known} {{{{ti}}}},\nArchive,,999999999\nSales,,\n"
    )
    scenarios.add("failures", ONBOARDING, {"departments_file": str(file)})


def add_form(scenarios: Scenarios) -> None:
    members = scenarios.sandbox("form").user_ids[1:3]
    scenarios.add(
        "form",
        FORM,
        *({"name": name} for name in FORM_NAMES),
        {"name": "Finance", "capacity": 7, "user_ids": members, "if_exists": "fail"},
        {"name": "Finance", "capacity": None, "user_ids": [], "if_exists": "skip"},
        {"name": "x" * 31},
    )


def add_tree(scenarios: Scenarios) -> None:
    file = scenarios.folder / "tree.csv"
    file.write_text("name,parent\nSales,\n{{ 6 + 1 }},Sales\nLaw,\nTax,Law\n", "utf-8")
    scenarios.sandbox("tree", file)
    scenarios.add("tree", FROM_KOODRIVE, {"include": "Sales*"}, {}, {})


def add_database(scenarios: Scenarios) -> None:
    one, two = scenarios.sandbox("database").user_ids[1:3]
    file = scenarios.folder / "departments.db"
    with closing(sqlite3.connect(file)) as database, database:
        database.execute("CREATE TABLE departments (id INTEGER, name TEXT, members TEXT, capacity REAL)")
        database.executemany(
            "INSERT INTO departments VALUES (?, ?, ?, ?)",
            [
                (1505084218764547201, "Finance", f"{one},{two}", 20.0),
                (1505084218764547202, "{{ 6 + 1 }}", None, None),
                (1505084218764547203, "", None, None),
                (1505084218764547204, "Law", "", 1.5),
            ],
        )
    connection = json.dumps({"conn_type": "sqlite_file", "host": str(file)})
    scenarios.add("database", FROM_SQL, {"limit": 1}, {}, AIRFLOW_CONN_DEPARTMENTS_DB=connection)


def install_sqlite_provider(folder: Path) -> Path:
    """Write a provider of Airflow with a hook for SQLite, and return the folder to import it from."""
    site = folder / "site"
    metadata = site / "sqlite_file_provider-1.0.dist-info"
    metadata.mkdir(parents=True)
    (site / "sqlite_file_hook.py").write_text(SQLITE_HOOK, "utf-8")
    (site / "sqlite_file_provider.py").write_text(SQLITE_PROVIDER, "utf-8")
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: sqlite-file-provider\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(
        "[apache_airflow_provider]\nprovider_info = sqlite_file_provider:provider_info\n"
    )
    return site


def create_space_of(user_id: str, name: str, sandbox: Sandbox) -> None:
    """Create a space as somebody else does."""
    response = requests.post(
        f"{sandbox.url}/koodrive/ose/v1/space/group",
        headers={"Authorization": sandbox.issue_token(user_id)},
        json={"name": name, "addGroupUsers": []},
        timeout=10,
    )
    assert response.json()["code"] == 0, response.text


def statuses(run: Run) -> dict[str, str]:
    return {row["name"]: row["status"] for row in run.xcoms["summarise"]["rows"]}


def test_parsing_touches_no_network_and_no_data(airflow: Airflow) -> None:
    done = airflow.command(Path(__file__).parent / "parse_dags.py", *sorted(DAGS.glob("*.py")))
    assert done.returncode == 0, done.stdout
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["errors"] == {}
    assert found["touched"] == []
    assert found.keys() >= {ONBOARDING, FROM_KOODRIVE, FROM_SQL, FORM}
    for dag_id in (ONBOARDING, FROM_KOODRIVE, FROM_SQL):
        nightly = found[dag_id]
        assert (nightly["schedule"], nightly["timezone"]) == ("0 2 * * *", "Asia/Singapore")
        assert (nightly["catchup"], nightly["max_active_runs"]) == (False, 1)
        assert "create_space" in nightly["tasks"]


def test_two_nights(scenarios: Scenarios) -> None:
    sandbox, (first, second) = scenario = scenarios["two nights"]
    assert first.state == "success", first.output
    assert first.tasks["create_space"] == ["success"] * 8
    assert set(first.map_labels) == scenario.names
    assert set(statuses(first).values()) == {"created"}
    spaces = {space["name"]: space for space in sandbox.spaces()}
    assert len(sandbox.spaces()) == len(spaces) == 8
    assert spaces["Finance"]["capacity"] == 20
    assert spaces["Finance"]["members"] == [sandbox.user_ids[n] for n in (0, 1, 2)]

    assert second.state == "success", second.output
    assert second.tasks["create_space"] == ["skipped"]
    others = [states for task, states in second.tasks.items() if task != "create_space"]
    assert all(states == ["success"] for states in others)
    assert second.xcoms["summarise"]["counts"]["existed"] == 8
    assert second.xcoms["summarise"]["rows"] == []
    assert {row["name"]: row["id"] for row in first.xcoms["summarise"]["rows"]} == {
        name: space["id"] for name, space in spaces.items()
    }
    assert "8 departments: 8 existed; 0 problems" in second.output


def test_bad_rows_more_departments_than_one_run_takes_and_no_file(
    scenarios: Scenarios, airflow: Airflow
) -> None:
    _, (first, second, third, without) = scenario = scenarios["bad rows"]
    file = scenarios.folder / "departments.tsv"
    assert first.tasks["create_space"] == ["success"] * 3
    assert statuses(first) == {"A": "created", "C": "created", "E": "created", "F": "waits", "G": "waits"}
    assert "2 of 5 departments wait" in first.output
    assert statuses(second) == {"F": "created", "G": "waits"}
    assert "1 of 2 departments wait" in second.output
    assert third.tasks["create_space"] == ["success"]
    assert scenario.names == set("ACEFG")
    for run in (first, second, third):
        assert run.state == "failed"
        assert [task for task, states in run.tasks.items() if states == ["failed"]] == ["report_problems"]
    assert [bad["origin"] for bad in first.xcoms["read_departments"]["bad_rows"]] == [
        f"line {line}" for line in (3, 4, 6, 8)
    ]
    errors = [line for line in first.output.splitlines() if "ERROR" in line or "[error" in line]
    for problem in (
        "3 has no name",
        "4 'B' has the capacity 'many'",
        "6 cannot be split",
        "8 'A' is the same",
    ):
        assert any(f"{file}: line {problem}" in line for line in errors), errors
    assert without.state == "failed"
    assert without.tasks["read_departments"] == ["failed"]
    assert without.tasks["report_problems"] == ["upstream_failed"]
    assert "'nowhere.csv' cannot be read on host" in without.output


def test_what_fails_is_named_and_stops_nothing_else(scenarios: Scenarios) -> None:
    sandbox, (run,) = scenarios["failures"]
    administrator, other = (sandbox.user_ids[n] for n in (0, 5))
    file = scenarios.folder / "failures.csv"
    assert run.tasks["create_space"] == ["success", "success", "failed", "failed", "success"]
    assert run.state == "failed"
    assert {(space["name"], space["ownerId"]) for space in sandbox.spaces()} == {
        ("Finance", other),
        *((name, administrator) for name in ("{{ 6 + 1 }}", "Finance", "Legal", "Sales")),
    }
    assert {
        row["name"]: (row["status"], row["capacity"], row["missing"])
        for row in run.xcoms["summarise"]["rows"]
    } == {
        "{{ 6 + 1 }}": ("created", 10, []),
        "Finance": ("created", 5, []),
        "Legal": ("created", 10, ["{{ti}}"]),
        "Archive": ("FAILED", None, []),
        "Sales": ("created", 10, []),
    }
    assert f"{file}: line 4 'Legal' lacks the members {{{{ti}}}}" in run.output
    assert f"{file}: line 5 'Archive' got no space" in run.output


def test_departments_of_koodrive_s_own_tree(scenarios: Scenarios) -> None:
    sandbox, (part, whole, again) = scenarios["tree"]
    for run in (part, whole, again):
        assert run.state == "success", run.output
    assert statuses(part) == {"Sales": "created", "{{ 6 + 1 }}": "created"}
    assert statuses(whole) == {"Law": "created", "Tax": "created"}
    assert again.xcoms["summarise"]["counts"]["existed"] == 4
    assert again.tasks["create_space"] == ["skipped"]
    # Users go to the departments in turn; the administrator creates, and is in each space.
    administrator, *users = sandbox.user_ids
    assert {space["name"]: set(space["members"]) for space in sandbox.spaces()} == {
        name: {administrator, *users[start::4]}
        for start, name in enumerate(["Law", "Tax", "Sales", "{{ 6 + 1 }}"])
    }


def test_departments_of_a_database(scenarios: Scenarios) -> None:
    sandbox, (first, second) = scenarios["database"]
    assert statuses(first) == {"Finance": "created", "{{ 6 + 1 }}": "waits"}
    assert statuses(second) == {"{{ 6 + 1 }}": "created"}
    spaces = {space["name"]: space for space in sandbox.spaces()}
    assert spaces.keys() == {"Finance", "{{ 6 + 1 }}"}
    assert spaces["Finance"]["members"] == sandbox.user_ids[:3]
    assert spaces["Finance"]["capacity"] == 20
    departments = first.xcoms["read_departments"]["departments"]
    assert [department["key"] for department in departments] == [
        "1505084218764547201",
        "1505084218764547202",
    ]
    for run in (first, second):
        assert run.state == "failed"
        assert [task for task, states in run.tasks.items() if states == ["failed"]] == ["report_problems"]
        assert "query on connection 'departments_db': row 3 has no name" in run.output
        assert "row 4 'Law' has the capacity '1.5'" in run.output


def test_real_departments(scenarios: Scenarios) -> None:
    if not UNITED_KINGDOM.exists():
        warnings.warn(f"NOT TESTED with real departments: {UNITED_KINGDOM} is not there", stacklevel=1)
        pytest.skip(f"the real departments are not there: {UNITED_KINGDOM}")
    sandbox, (run,) = scenarios["real"]
    assert run.state == "success", run.output
    assert len(sandbox.spaces()) == 4
    assert "977 of 981 departments wait" in run.output
    assert [row["status"] for row in run.xcoms["summarise"]["rows"]] == ["created"] * 4 + ["waits"] * 977


def test_the_form_s_values_arrive_as_they_are(scenarios: Scenarios) -> None:
    sandbox, (*runs, full, existing, refused) = scenario = scenarios["form"]
    assert [run.xcoms["create_space"]["name"] for run in runs] == FORM_NAMES
    assert {(run.state, run.xcoms["create_space"]["capacity"]) for run in runs} == {("success", 10)}
    assert (full.state, full.xcoms["create_space"]["capacity"]) == ("success", 7)
    assert sandbox.spaces()[-1]["members"] == [sandbox.admin_user_id, *sandbox.user_ids[1:3]]
    assert existing.tasks == {"create_space": ["skipped"]}
    assert refused.state == "failed"
    assert "at most 30 characters, not 31" in refused.output
    assert scenario.names == {*FORM_NAMES, "Finance"}


def warnings_of(output: str, *places: str | Path) -> list[str]:
    return [
        line
        for line in output.splitlines()
        if "Warning" in line and any(str(place) in line for place in places)
    ]


def test_parsing_and_running_causes_no_warning(scenarios: Scenarios) -> None:
    # The search finds a warning in the same output, so it would find ours.
    found = "\n".join(warnings_of(scenarios.output, scenarios.dags / "deprecated_use.py"))
    assert "deprecated when parsed" in found, scenarios.output
    assert "deprecated when run" in found, scenarios.output
    assert warnings_of(scenarios.output, PACKAGE.name, scenarios.dags / "koodrive_") == []


def test_importing_causes_no_warning(airflow: Airflow, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "__init__.py").touch()
    (tmp_path / "other" / "old.py").write_text("import warnings; warnings.warn('old', DeprecationWarning)")

    done, other = (
        airflow.command("-c", IMPORT_ALL, name, PYTHONWARNINGS="always", PYTHONPATH=str(tmp_path))
        for name in (PACKAGE.name, "other")
    )

    assert "IMPORTED other.old" in other.stdout
    assert len(warnings_of(other.stdout, tmp_path)) == 1, other.stdout
    modules = {file.relative_to(PACKAGE.parent).with_suffix("") for file in PACKAGE.rglob("*.py")}
    wanted = {".".join(path.parts).removesuffix(".__init__") for path in modules} - {PACKAGE.name}
    lines = [line.split() for line in done.stdout.splitlines() if "IMPORTED " in line]
    # Below Airflow 3.3 tasks have no retry policy.
    missing = set() if VERSION >= (3, 3) else {"airflow_provider_koodrive.retry_policy"}
    assert {line[2] for line in lines if line[0] == "NOT"} == missing, done.stdout
    assert {line[1] for line in lines if line[0] == "IMPORTED"} == wanted - missing
    assert warnings_of(done.stdout, PACKAGE.name) == []
