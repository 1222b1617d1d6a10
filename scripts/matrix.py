"""``make matrix``: run nox's session for each line of Airflow, and print which lines were tested."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from _local_airflow import PROJECT


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("lines", nargs="*", help="lines of Airflow, such as 2.11 (default: all)")
    parser.add_argument("--require", nargs="+", default=[], metavar="LINE", help="lines that must pass")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.json")
        command = [sys.executable, "-m", "nox", "--report", str(report)]
        if options.lines:
            command += ["--session", *(f"airflow({line})" for line in options.lines)]
        code = subprocess.call(command, cwd=PROJECT, env=environment())
        sessions = json.loads(report.read_text(encoding="utf-8"))["sessions"] if report.exists() else []
    results = {session["signatures"][0]: session["result"] for session in sessions}
    for name, result in results.items():
        print(f"{name:<16} {'NOT TESTED: its Python is not installed' if result == 'skipped' else result}")
    counts = Counter(results.values())
    passed, skipped = counts["success"], counts["skipped"]
    print(f"lines of Airflow: {passed} passed, {len(results) - passed - skipped} failed, {skipped} skipped")
    missing = [line for line in options.require if results.get(f"airflow({line})") != "success"]
    if missing:
        print(f"required, but not passed: {', '.join(missing)}")
    return code or int(not passed or bool(missing))


def environment() -> dict[str, str]:
    """Enable every Python of pyenv, whose shims run only the versions that are selected."""
    try:
        found = subprocess.run(["pyenv", "versions", "--bare"], capture_output=True, text=True, check=True)
    except FileNotFoundError:
        return dict(os.environ)
    except subprocess.CalledProcessError as err:
        print(f"pyenv failed, so its Pythons may not be found: {err.stderr.strip()}", file=sys.stderr)
        return dict(os.environ)
    return {**os.environ, "PYENV_VERSION": ":".join(found.stdout.split())}


if __name__ == "__main__":
    sys.exit(main())
