"""
Run several ``airflow`` commands in one process, as ``python run_commands.py COMMANDS``.

COMMANDS is a JSON list; each entry has ``arguments`` and ``environment`` (variables that hold for it alone).
A line ``=== COMMAND`` with the exit status follows the output of each.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from typing import Any
from unittest import mock

from airflow.cli import cli_parser


def run(arguments: list[str]) -> int:
    try:
        parsed = cli_parser.get_parser().parse_args(arguments)
        parsed.func(parsed)
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code)  # noqa: T201
            return 1
        return end.code or 0
    except Exception:
        traceback.print_exc()
        return 1
    return 0


def main(commands: list[dict[str, Any]]) -> None:
    for entry in commands:
        with mock.patch.dict(os.environ, entry["environment"]):
            status = run(entry["arguments"])
        sys.stderr.flush()
        print(f"=== COMMAND {status}", flush=True)  # noqa: T201


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
