"""Connections from every source, and the operators' link, in tasks, on the command line and by REST."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

import airflow as airflow_package
import pytest

from airflow_provider_koodrive.sandbox.server import Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from real_airflow import Airflow, Run

DAGS = Path(__file__).parent / "connection_dags"
FRONT_END = "https://drive.example.com/spaces/{id}/files?container={containerId}"
REST = Path(__file__).parent / "serve_rest.py"
VERSION = tuple(map(int, airflow_package.__version__.split(".")[:2]))
OLD = VERSION < (3, 0)
API = "/api/v1" if OLD else "/api/v2"
ELSEWHERE = ("koodrive_uri", "koodrive_json", "koodrive_file")


def xcoms(airflow: Airflow, run: Run, task_id: str, key: str) -> list[Any]:
    """Read the values that a task pushed, one for each of its mapped instances."""
    statement = "select value from xcom where run_id = ? and task_id = ? and key = ? order by map_index"
    return [json.loads(value) for (value,) in airflow.query(statement, run.id, task_id, key)]


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with Sandbox(tmp_path_factory.mktemp("sandbox") / "koodrive.db") as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def settings(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Connections in the environment, as URI and as JSON, and in a file."""
    connection = json.loads(sandbox.connection_json())
    file = tmp_path_factory.mktemp("secrets") / "connections.json"
    file.write_text(json.dumps({"koodrive_file": connection}), encoding="utf-8")
    login = f"{sandbox.app_id}:{sandbox.app_secret}@{quote(sandbox.url, safe='')}"
    return {
        "AIRFLOW_CONN_KOODRIVE_URI": (
            f"koodrive://{login}/?user_id={sandbox.admin_user_id}&read_timeout=30&sign_host=true&language="
        ),
        "AIRFLOW_CONN_KOODRIVE_JSON": json.dumps(
            {**connection, "extra": {**connection["extra"], "space_url": FRONT_END}}
        ),
        "AIRFLOW_CONN_KOODRIVE_HTTP": json.dumps(
            {
                "conn_type": "http",
                "host": sandbox.url,
                "login": sandbox.app_id,
                "password": sandbox.app_secret,
            }
        ),
        "AIRFLOW_VAR_KOODRIVE_USER_ID": sandbox.admin_user_id,
        "AIRFLOW__SECRETS__BACKEND": "airflow.secrets.local_filesystem.LocalFilesystemBackend",
        "AIRFLOW__SECRETS__BACKEND_KWARGS": json.dumps({"connections_file_path": str(file)}),
        "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
        "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "AIRFLOW__API__AUTH_BACKENDS": "airflow.api.auth.backend.default",
        "AIRFLOW__API_AUTH__JWT_ISSUER": "airflow",
    }


@pytest.fixture(scope="module")
def commands(airflow: Airflow, sandbox: Sandbox, settings: dict[str, str]) -> dict[str, tuple[int, str]]:
    """Add a connection, test it and two others; return the exit status and output of each command."""
    connection = json.loads(sandbox.connection_json())
    add = [
        "connections", "add", "koodrive_added", "--conn-type", "koodrive",
        "--conn-host", connection["host"], "--conn-login", connection["login"],
        "--conn-password", connection["password"], "--conn-extra", json.dumps(connection["extra"]),
    ]  # fmt: skip
    wrong = {**json.loads(settings["AIRFLOW_CONN_KOODRIVE_JSON"]), "password": "s3cr3tAndWrong"}
    markup = {"conn_type": "koodrive", "password": "s3cr3t", "extra": {"deadline": "[/soon]"}}
    results = airflow.commands(
        add,
        ("connections", "test", "koodrive_added"),
        ("connections", "test", "koodrive_json"),
        ("connections", "test", "koodrive_json"),
        ("dags", "reserialize"),
        environments=(
            {},
            {},
            {"AIRFLOW_CONN_KOODRIVE_JSON": json.dumps(wrong)},
            {"AIRFLOW_CONN_KOODRIVE_JSON": json.dumps(markup)},
        ),
        **settings,
    )
    return dict(zip(("add", "works", "fails", "markup", "reserialize"), results, strict=True))


@pytest.fixture(scope="module")
def added(commands: dict[str, tuple[int, str]]) -> None:
    """A connection in Airflow's database, as its command line makes it."""
    status, output = commands["add"]
    assert status == 0, output


@pytest.fixture(scope="module")
def run(airflow: Airflow, settings: dict[str, str], added: None) -> Run:
    run = airflow.dags_test("koodrive_connections", **settings)
    assert run.state == "success", run.output
    return run


class TestCommandLine:
    def test_a_connection_that_works(self, commands: dict[str, tuple[int, str]]) -> None:
        status, output = commands["works"]
        assert status == 0, output
        assert "Connection success!" in output

    def test_one_that_does_not(self, commands: dict[str, tuple[int, str]]) -> None:
        _, output = commands["fails"]
        assert "Connection failed!" in output
        assert "Check login (App ID), password (App secret)" in " ".join(output.split())
        assert "s3cr3tAndWrong" not in output

    def test_a_text_that_looks_like_markup(self, commands: dict[str, tuple[int, str]]) -> None:
        _, output = commands["markup"]
        assert "extra deadline '[ /soon]' is wrong" in " ".join(output.split())


def test_in_a_task(run: Run, sandbox: Sandbox, airflow: Airflow) -> None:
    results = xcoms(airflow, run, "try_hook", "return_value")
    user = f"as user {sandbox.admin_user_id} (Tenant Administrator), a tenant administrator"
    assert [(total, works) for total, works, _ in results] == [(3, True)] * 4
    assert all(user in message for _, _, message in results)


def test_in_plain_python(airflow: Airflow, settings: dict[str, str], run: Run) -> None:
    program = (
        "from airflow_provider_koodrive.hooks.koodrive import KooDriveHook\n"
        f"for conn_id in {ELSEWHERE!r}:\n"
        "    print('TOTAL', KooDriveHook(conn_id).list_group_spaces()['total'])\n"
    )
    done = airflow.command("-c", program, **settings)
    totals = [line for line in done.stdout.splitlines() if line.startswith("TOTAL")]
    assert totals == ["TOTAL 3"] * 3, done.stdout


def test_http_operator(run: Run) -> None:
    page = run.xcoms["page"]
    assert (page["code"], page["total"], len(page["groups"])) == (0, 3, 2)


@pytest.fixture(scope="module")
def call(airflow: Airflow, settings: dict[str, str], run: Run) -> Iterator[Callable[..., list[Any]]]:
    """Call Airflow's REST interface, which starts once for all calls."""
    with subprocess.Popen(
        [sys.executable, REST],
        env=airflow.environment(settings),
        cwd=airflow.home,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdin
        assert process.stdout
        requests, output = process.stdin, process.stdout

        def call(*calls: tuple[str, str, dict[str, Any] | None]) -> list[Any]:
            bodies = []
            for one in calls:
                print(json.dumps(one), file=requests, flush=True)
                read: list[str] = []
                while not (read and read[-1].startswith("REST ")):
                    line = output.readline()
                    read.append(line)
                    assert line, "".join(read)
                status, body = json.loads(read[-1].removeprefix("REST "))
                assert status == 200, "".join(read)
                bodies.append(body)
            return bodies

        yield call
        requests.close()
        output.read()


class TestRest:
    def test_the_test_button(
        self, call: Callable[..., list[Any]], sandbox: Sandbox, settings: dict[str, str], added: None
    ) -> None:
        connection = json.loads(sandbox.connection_json())
        # The button of Airflow 2.11 sends the fields of the form twice.
        extra = {**connection["extra"], "extra__koodrive__user_id": connection["extra"]["user_id"]}
        form = {**connection, "connection_id": "koodrive_form", "extra": json.dumps(extra)}
        works, fails = call(
            ("POST", f"{API}/connections/test", form),
            ("POST", f"{API}/connections/test", {**form, "password": "s3cr3tAndWrong"}),
        )
        assert works["status"] is True
        assert works["message"].startswith(f"{sandbox.url}: connected with app authentication as user")
        assert fails["status"] is False
        assert "Check login (App ID), password (App secret)" in fails["message"]
        assert "s3cr3tAndWrong" not in fails["message"]

    def test_the_test_button_of_a_saved_connection(
        self, call: Callable[..., list[Any]], sandbox: Sandbox, added: None
    ) -> None:
        """The form sends what it was shown; Airflow fills the secrets in, from 3.1 on."""
        path = f"{API}/connections/koodrive_added"
        (saved,) = call(("GET", path, None))
        assert sandbox.app_secret not in json.dumps(saved)
        form = {key: value for key, value in saved.items() if value is not None}
        (answer,) = call(("POST", f"{API}/connections/test", form))
        if VERSION < (3, 1):
            assert answer["status"] is False
            assert answer["message"].startswith("password is empty" if OLD else "password is ***")
            assert "type it again, or use `airflow connections test`" in answer["message"]
        else:
            assert answer["status"] is True, answer


class TestLink:
    def test_it_leads_to_the_space(self, run: Run, sandbox: Sandbox, airflow: Airflow) -> None:
        links = xcoms(airflow, run, "many", "koodrive_space_url")
        ids = {space["name"]: (space["id"], space["containerId"]) for space in sandbox.spaces()}
        assert links == [
            f"https://drive.example.com/spaces/{ids[name][0]}/files?container={ids[name][1]}"
            for name in ("First", "Second")
        ]

    def test_without_an_address_to_the_front_page(self, run: Run, sandbox: Sandbox, airflow: Airflow) -> None:
        links = xcoms(airflow, run, "one", "koodrive_space_url")
        assert links == [sandbox.url]

    def test_airflow_finds_it(
        self,
        run: Run,
        airflow: Airflow,
        commands: dict[str, tuple[int, str]],
        call: Callable[..., list[Any]],
    ) -> None:
        status, output = commands["reserialize"]
        assert status == 0, output
        run_path = f"{API}/dags/koodrive_connections/dagRuns/{quote(run.id)}"
        (expected,) = xcoms(airflow, run, "one", "koodrive_space_url")
        mapped = xcoms(airflow, run, "many", "koodrive_space_url")
        if OLD:
            (details,) = call(("GET", run_path, None))
            query = {"dag_id": "koodrive_connections", "execution_date": details["logical_date"]}
            name = {"link_name": "Open in KooDrive"}
            found = call(
                *(
                    ("GET", f"/extra_links?{urlencode({**query, **name, **task})}", None)
                    for task in (
                        {"task_id": "one"},
                        {"task_id": "many", "map_index": 0},
                        {"task_id": "many", "map_index": 1},
                    )
                )
            )
            assert [link["url"] for link in found] == [expected, *mapped]
        else:
            tasks = ("one/links", "many/links?map_index=0", "many/links?map_index=1")
            found = call(*(("GET", f"{run_path}/taskInstances/{task}", None) for task in tasks))
            assert [links["extra_links"] for links in found] == [
                {"Open in KooDrive": url} for url in (expected, *mapped)
            ]
