"""Sessions with environments of their own: tests of the wheel on each line of Airflow, and pinning."""

from __future__ import annotations

import sys
from pathlib import Path

import nox

PYPROJECT = nox.project.load_toml("pyproject.toml")
LINES = PYPROJECT["tool"]["airflow-lines"]
OLDEST, *_, NEWEST = LINES
# The lines between the oldest and the newest run only the tests that depend on Airflow.
DEPENDS_ON_AIRFLOW = (
    "tests/airflow",
    "tests/unit/connection",
    "tests/unit/dags_examples",
    "tests/unit/hooks",
    "tests/unit/operators",
    "tests/unit/test_provider_info.py",
    "tests/unit/test_retry_policy.py",
)

nox.options.sessions = ["airflow"]
nox.options.default_venv_backend = "uv"
nox.options.error_on_missing_interpreters = False
nox.options.download_python = "never"


def constraints(line: str) -> str:
    return "constraints.txt" if line == NEWEST else f"constraints/airflow-{line}.txt"


def install(session: nox.Session, line: str, *packages: str) -> None:
    session.install("--compile-bytecode", "-c", constraints(line), f"apache-airflow=={line}.*", *packages)


def install_bare(session: nox.Session, line: str) -> str:
    """Install only Airflow and the built wheel, and check that the wheel works there; return the wheel."""
    wheels = list(Path("dist").glob("*.whl"))
    if len(wheels) != 1:
        session.error("dist/ has no wheel, or several: run make dist first")
    (file,) = wheels
    install(session, line, str(file))
    version = file.name.split("-")[1]
    session.run("python", "tests/wheel/check_bare.py", version, env=airflow_home(session))
    return str(file)


def airflow_home(session: nox.Session) -> dict[str, str]:
    return {"AIRFLOW_HOME": str(Path(session.create_tmp(), "airflow").resolve())}


@nox.session
@nox.parametrize("python,line", [nox.param(of["python"], line, id=line) for line, of in LINES.items()])
def airflow(session: nox.Session, line: str) -> None:
    """Test the built wheel on one line of Airflow: all tests on the oldest and the newest line."""
    file = install_bare(session, line)
    groups = nox.project.dependency_groups(PYPROJECT, "test")
    install(session, line, f"{file}[sandbox]", *LINES[line].get("with", ()), *groups)
    # As a program, pytest does not put this folder, with the package's source, on the import path.
    options = ("-n", "3", "--dist", "loadscope", "--no-loadscope-reorder", *session.posargs)
    paths = () if line in (OLDEST, NEWEST) else DEPENDS_ON_AIRFLOW
    # `make test` runs more random examples.
    env = {**airflow_home(session), "KOODRIVE_FUZZ_EXAMPLES": "20"}
    session.run("pytest", *options, *paths, env=env)
    if line == OLDEST:
        # The adapter uses names of urllib3 that its documentation does not describe.
        (lowest,) = (need for need in PYPROJECT["project"]["dependencies"] if need.startswith("urllib3>="))
        session.install(lowest.replace(">=", "=="))
        session.run("pytest", "-n", "3", "tests/unit/api/http", env=env)


@nox.session
def wheel(session: nox.Session) -> None:
    """Check the built wheel beside a bare newest Airflow, and the types of a user's DAG there."""
    install_bare(session, NEWEST)
    install(session, NEWEST, "mypy", "pyright[nodejs]")
    session.run("python", "tests/wheel/check_types.py", env=airflow_home(session))


@nox.session(venv_backend="none")
@nox.parametrize("line", list(LINES), ids=list(LINES))
def pin(session: nox.Session, line: str) -> None:
    """Pin the newest versions of all packages that are compatible with one line of Airflow."""
    of = LINES[line]
    wanted = Path(session.create_tmp()) / "airflow.in"
    wanted.write_text("\n".join([f"apache-airflow=={line}.*", *of.get("with", ()), ""]), encoding="utf-8")
    # The newest line has one version of each package for every Python, so that no markers are needed.
    scope = (
        ("--universal", "--fork-strategy=fewest", "--python-version=3.10", "--group=dev")
        if line == NEWEST
        else (f"--python-version={of['python']}", f"--exclude-newer={of['day']}", "--group=test")
    )
    pinned = session.run(
        sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--no-annotate", "--no-header", *scope,
        "--extra=sandbox", "pyproject.toml", str(wanted), silent=True, external=True,
    )  # fmt: skip
    lines = [entry.split(";")[0].strip() for entry in str(pinned).splitlines()]
    names = [entry.split("==")[0] for entry in lines]
    if len(set(names)) < len(names):
        session.error(f"two versions of {sorted({name for name in names if names.count(name) > 1})}")
    Path(constraints(line)).write_text("\n".join([*lines, ""]), encoding="utf-8")
