"""Type-check a user's DAG against the installed wheel: exactly the lines marked as wrong must be errors."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

DAG = Path(__file__).parent / "user_dag.py"


def by_mypy(file: Path) -> set[int]:
    done = run("mypy", "--no-incremental", "--config-file=", "--no-color-output", file)
    return {int(line) for line in re.findall(rf"^{file.name}:(\d+): error: ", done.stdout, re.MULTILINE)}


def by_pyright(file: Path) -> set[int]:
    done = run("pyright", "--pythonpath", sys.executable, "--outputjson", file)
    found = json.loads(done.stdout)["generalDiagnostics"]
    return {entry["range"]["start"]["line"] + 1 for entry in found if entry["severity"] == "error"}


def run(tool: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", tool, *map(str, arguments)]
    return subprocess.run(command, cwd=arguments[-1].parent, capture_output=True, text=True, check=False)


def main() -> int:
    lines = DAG.read_text(encoding="utf-8").splitlines()
    wrong = {number for number, line in enumerate(lines, start=1) if line.endswith("# wrong")}
    with tempfile.TemporaryDirectory() as folder:
        # Away from the project, whose settings and source are no user's.
        file = Path(shutil.copy(DAG, folder))
        # Else pyright passes over a folder that lies in a hidden one.
        (file.parent / "pyrightconfig.json").write_text('{"exclude": []}', encoding="utf-8")
        found = {"mypy": by_mypy(file), "pyright": by_pyright(file)}
    for tool, errors in found.items():
        print(f"{tool}: {len(errors)} errors, {len(wrong)} wanted")
        for number in sorted(errors ^ wrong):
            print(f"  line {number} is {'no' if number in wrong else 'an'} error: {lines[number - 1]}")
    return 0 if all(errors == wrong for errors in found.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
