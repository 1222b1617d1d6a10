"""
What must hold where the wheel is all that was added to Airflow.

``python check_bare.py VERSION``, where VERSION is the provider's. It needs no test tool, since there is none.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import warnings
from importlib import import_module, metadata
from importlib.util import find_spec
from pathlib import Path
from pkgutil import walk_packages
from typing import NoReturn

PACKAGE = "airflow_provider_koodrive"
DISTRIBUTION = "airflow-provider-koodrive"
OF_THE_SANDBOX = ("starlette", "uvicorn")


def fail(message: str) -> NoReturn:
    sys.exit(f"the bare installation: {message}")


def check_installed(version: str) -> None:
    if metadata.version(DISTRIBUTION) != version:
        fail(f"version {metadata.version(DISTRIBUTION)}, not {version}")
    where = Path(import_module(PACKAGE).__file__ or "").parent
    if "site-packages" not in where.parts or not (where / "py.typed").exists():
        fail(f"{where} is not the installed wheel, or has no py.typed")


def check_imports() -> None:
    """Import the package's modules; the sandbox's server and a newer Airflow's retry policy need more."""
    package = import_module(PACKAGE)
    names = [module.name for module in walk_packages(package.__path__, f"{PACKAGE}.")]
    wanted = [
        name for name in names if f"{PACKAGE}.sandbox" not in name and name != f"{PACKAGE}.retry_policy"
    ]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for name in wanted:
            import_module(name)
    ours = [str(warning) for warning in caught if PACKAGE in f"{warning.filename}{warning.message}"]
    if ours or f"{PACKAGE}.operators.group_space" not in wanted:
        fail(f"{wanted} warn: {ours}")


def check_sandbox() -> None:
    """Start the sandbox: it runs, or says which extra it lacks."""
    lacking = [name for name in OF_THE_SANDBOX if find_spec(name) is None]
    command = [sys.executable, "-m", f"{PACKAGE}.sandbox", "--port", "99999"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    hint = f"{DISTRIBUTION}[sandbox]"
    if lacking and (done.returncode == 0 or hint not in done.stderr or "Traceback" in done.stderr):
        fail(f"without {lacking} the sandbox says: {done.stderr}")
    if not lacking and hint in done.stderr:
        fail(f"the sandbox lacks something: {done.stderr}")


def check_discovery() -> None:
    command = [sys.executable, "-m", "airflow", "providers", "list", "--output", "plain"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode or DISTRIBUTION not in done.stdout:
        fail(f"airflow providers list: {done.stdout}{done.stderr}")


if __name__ == "__main__":
    # `python -m` looks into the current folder first, where the source tree may be.
    source = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            check_installed(sys.argv[1])
            check_imports()
            check_sandbox()
            check_discovery()
        finally:
            os.chdir(source)  # what Airflow does at the end of 2.11 asks for the current folder
