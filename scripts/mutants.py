"""
``make mutants``: print the score of mutmut's last run, and each survivor with its change and its reason.

The reasons stand in ``tests/mutants.md``, under the name of the function and the changed line. Ends with
status 0 only if the tests noticed at least 95 % of the changes and each survivor has a reason.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

PROJECT = Path(__file__).parents[1]
REASONS = PROJECT / "tests" / "mutants.md"
GOAL = 0.95
NOTICED = {1, 3, 24, 36, 152, 255, -24}  # pytest's failures, time-outs
SURVIVED = 0


def results() -> dict[str, int | None]:
    """Return mutmut's exit code for each change, by the name of the mutant."""
    found: dict[str, int | None] = {}
    for file in sorted((PROJECT / "mutants").rglob("*.meta")):
        found |= json.loads(file.read_text(encoding="utf-8"))["exit_code_by_key"]
    return found


def change(mutant: str) -> list[str]:
    """Return the lines that a mutant takes away and puts in their place."""
    mutmut = Path(sys.executable).with_name("mutmut")
    shown = subprocess.run([mutmut, "show", mutant], cwd=PROJECT, capture_output=True, text=True, check=True)
    return [line for line in shown.stdout.splitlines() if line[:1] in "+-" and line[:3] not in ("+++", "---")]


def main() -> int:
    codes = results()
    noticed = [mutant for mutant, code in codes.items() if code in NOTICED]
    reasons = REASONS.read_text(encoding="utf-8")
    unexplained = 0
    for mutant in sorted(codes.keys() - noticed):
        lines = change(mutant)
        explained = codes[mutant] == SURVIVED and all(line[1:].strip() in reasons for line in lines)
        unexplained += not explained
        print(
            f"{mutant} (exit code {codes[mutant]}){'' if explained else ': no reason is known'}",
            *lines,
            sep="\n",
        )
    score = len(noticed) / max(len(codes), 1)
    modules = Counter(mutant.rpartition(".")[0].rpartition(".")[2] for mutant in codes)
    of = ", ".join(f"{count} in {module}.py" for module, count in sorted(modules.items()))
    print(
        f"mutants: {len(noticed)} of {len(codes)} noticed ({of}), {score:.1%}; "
        f"survivors without a reason: {unexplained}"
    )
    return 0 if score >= GOAL and not unexplained else 1


if __name__ == "__main__":
    sys.exit(main())
