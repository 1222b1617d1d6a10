"""``make matrix``: run nox's sessions for the lines of Airflow, and say what was tested and what was not."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from _trial import PROJECT

_OUTCOMES = ("success", "failed", "skipped")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("lines", nargs="*", help="lines of Airflow, such as 2.11 (default: all)")
    lines = parser.parse_args().lines
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.json")
        command = [sys.executable, "-m", "nox", "--report", str(report)]
        if lines:
            command += ["--session", *(f"airflow({line})" for line in lines)]
        code = subprocess.call(command, cwd=PROJECT, env=environment())
        sessions = json.loads(report.read_text(encoding="utf-8"))["sessions"] if report.exists() else []
    for session in sessions:
        result = "NOT TESTED, its Python is not here" if session["result"] == "skipped" else session["result"]
        print(f"{session['signatures'][0]:<16} {result}")
    counts = Counter(session["result"] for session in sessions)
    print(
        "lines of Airflow: {} passed, {} failed, {} skipped".format(
            *(counts[outcome] for outcome in _OUTCOMES)
        )
    )
    return code


def environment() -> dict[str, str]:
    """Let every Python of pyenv answer: its shims do so only for the versions that are chosen."""
    try:
        found = subprocess.run(["pyenv", "versions", "--bare"], capture_output=True, text=True, check=True)
    except FileNotFoundError:
        return dict(os.environ)
    return {**os.environ, "PYENV_VERSION": ":".join(found.stdout.split())}


if __name__ == "__main__":
    sys.exit(main())
