"""What runs in environments of its own: the suite on each line of Airflow, and the pinning of versions."""

from __future__ import annotations

import sys
from pathlib import Path

import nox

LINES = nox.project.load_toml("pyproject.toml")["tool"]["airflow-lines"]
NEWEST = list(LINES)[-1]

nox.options.sessions = ["airflow"]
nox.options.default_venv_backend = "uv"
nox.options.error_on_missing_interpreters = False
nox.options.download_python = "never"


def constraints(line: str) -> str:
    return "constraints.txt" if line == NEWEST else f"constraints/airflow-{line}.txt"


@nox.session
@nox.parametrize("python,line", [nox.param(of["python"], line, id=line) for line, of in LINES.items()])
def airflow(session: nox.Session, line: str) -> None:
    """Test the built wheel, not the source tree, on one line of Airflow."""
    (wheel,) = Path("dist").glob("*.whl")
    groups = nox.project.dependency_groups(nox.project.load_toml("pyproject.toml"), "test")
    session.install("-c", constraints(line), f"apache-airflow=={line}.*", f"{wheel}[sandbox]", *groups)
    # As a program, pytest leaves this folder, and the package's source in it, out of the search path.
    home = Path(session.create_tmp(), "airflow").resolve()
    session.run(
        "pytest",
        "-n",
        "2",
        "--dist",
        "loadfile",
        "--no-loadscope-reorder",
        *session.posargs,
        env={"AIRFLOW_HOME": str(home)},
    )


@nox.session(venv_backend="none")
@nox.parametrize("line", list(LINES))
def pin(session: nox.Session, line: str) -> None:
    """Pin the newest versions that go with one line of Airflow."""
    of = LINES[line]
    wanted = Path(session.create_tmp()) / "airflow.in"
    wanted.write_text(f"apache-airflow=={line}.*\n", encoding="utf-8")
    # For the newest line one version of each package must serve every Python, so that markers can go.
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
