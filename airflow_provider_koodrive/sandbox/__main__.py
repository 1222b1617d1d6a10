"""``python -m airflow_provider_koodrive.sandbox``: the sandbox from the command line."""

from __future__ import annotations

import argparse
import ipaddress
import os
import shlex
import signal
import sqlite3
import sys
import textwrap
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider_koodrive.sandbox.service.operations import OPERATION_NAMES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from airflow_provider_koodrive.sandbox.faults.fault import Fault
    from airflow_provider_koodrive.sandbox.server import Sandbox

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)

_CREDENTIALS = """\
KOODRIVE_SANDBOX_APP_ID and KOODRIVE_SANDBOX_APP_SECRET in the environment
replace the credentials that a new database gets."""

_FAULTS = """\
faults can be set
  at the start:       --fault create:drop_after_commit:times=1
  while it runs:      curl -H "Authorization: Bearer $APP_SECRET" \\
                        http://127.0.0.1:8089/sandbox/faults -d \\
                        '{"operation": "create", "kind": "drop_after_commit", "times": 1}'
  in pytest:          koodrive_sandbox.faults.add("create", "drop_after_commit", times=1)
GET /sandbox/faults lists the faults and their hits, DELETE removes the faults.

Each has the options times (number of calls that it applies to), probability
(0 to 1) and seed, and those in brackets after its kind."""


def build_parser() -> argparse.ArgumentParser:
    """Return the command line's parser, whose help explains the faults."""
    parser = argparse.ArgumentParser(
        prog="python -m airflow_provider_koodrive.sandbox",
        description="An embedded KooDrive for trials and tests. Not for production.",
        epilog=f"{_CREDENTIALS}\n\n{explain_faults()}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_listening(parser)
    _add_database(parser)
    _add_limits_and_faults(parser)
    return parser


def _add_listening(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument(
        "--port", type=int, default=8089, help="port to listen on, 0 for a free one (default: %(default)s)"
    )
    parser.add_argument("--port-file", type=Path, help="file to write the port to, once it listens")


def _add_database(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--database",
        type=Path,
        help="SQLite file, created if absent (default: one that is deleted at the end)",
    )
    parser.add_argument(
        "--users",
        type=int,
        default=20,
        help="users of a new database, the first its administrator",
    )
    parser.add_argument(
        "--departments",
        type=Path,
        help="CSV, TSV or JSON file with a column 'name', and perhaps 'id' and 'parent' (id or name): "
        "departments of a new database",
    )


def _add_limits_and_faults(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--edition",
        choices=("2025-03", "2024-07"),
        default="2025-03",
        help="form of the responses: with numbers, or with strings (default: %(default)s)",
    )
    parser.add_argument(
        "--groups-max", type=int, default=500, help="most group spaces (default: %(default)s)"
    )
    parser.add_argument(
        "--max-capacity",
        type=int,
        default=2048,
        help="GB of all group spaces together (default: %(default)s)",
    )
    parser.add_argument(
        "--fault",
        action="append",
        default=[],
        metavar="OPERATION:KIND[:NAME=VALUE]...",
        help="a fault, see below; may be repeated",
    )
    parser.add_argument("--seed", type=int, help="makes the choice of calls that faults apply to repeatable")


def explain_faults() -> str:
    """Explain how to set faults, and list them."""
    from airflow_provider_koodrive.sandbox.faults.kinds import KINDS

    operations = f"Operations: {', '.join(OPERATION_NAMES)}; list for both lists, * for all. Kinds:"
    kinds = [_explain(kind) for kind in KINDS.values()]
    return "\n".join([_FAULTS, textwrap.fill(operations, 79), *kinds])


def _explain(kind: type[Fault]) -> str:
    options = " ".join(
        f"{option}={str(default).lower() if isinstance(default, bool) else default}"
        for option, default in kind.options().items()
    )
    where = "" if kind.operations == OPERATION_NAMES else f" (only {', '.join(kind.operations)})"
    text = f"{kind.kind}{f' [{options}]' if options else ''}{where}: {kind.summary}"
    return textwrap.fill(text, 79, initial_indent="  ", subsequent_indent=" " * 6, break_on_hyphens=False)


def is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def announce(sandbox: Sandbox, host: str) -> None:
    """Print the address and the connection."""
    print(f"KooDrive sandbox, for trials and tests; not for production. It listens on {sandbox.url}")
    if not is_loopback(host):
        print(
            f"WARNING: {host} is not a loopback address; others can reach the sandbox and read its traffic."
        )
    print("To use it from Airflow, run")
    print(f"  export AIRFLOW_CONN_KOODRIVE_DEFAULT={shlex.quote(sandbox.connection_json())}")
    print("or, for an access token, which expires 20 minutes after its last call, run")
    token = sandbox.connection_json(token=sandbox.issue_token())
    print(f"  export AIRFLOW_CONN_KOODRIVE_DEFAULT={shlex.quote(token)}")
    print("Ctrl-C stops it.", flush=True)


def write_port(file: Path, port: int) -> None:
    """Write the port, so that the file is never seen empty."""
    draft = file.with_name(f"{file.name}.draft")
    draft.write_text(f"{port}\n")
    draft.replace(file)


@contextmanager
def blocked(signals: Iterable[signal.Signals]) -> Iterator[None]:
    """Block signals, also in threads that start meanwhile, so that the caller can wait for them."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _sandbox_class() -> type[Sandbox]:
    """Import the class late, since its module names the extra that is missing."""
    from airflow_provider_koodrive.sandbox.server import Sandbox

    return Sandbox


def start(sandbox_class: type[Sandbox], options: argparse.Namespace) -> Sandbox:
    """Start a sandbox with the options of the command line."""
    sandbox = sandbox_class(
        options.database,
        host=options.host,
        port=options.port,
        users=options.users,
        departments=options.departments,
        edition=options.edition,
        groups_max=options.groups_max,
        max_capacity=options.max_capacity,
        app_id=os.environ.get("KOODRIVE_SANDBOX_APP_ID"),
        app_secret=os.environ.get("KOODRIVE_SANDBOX_APP_SECRET"),
        seed=options.seed,
    )
    for fault in options.fault:
        sandbox.faults.add_text(fault)
    return sandbox.start()


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Run the sandbox until Ctrl-C or SIGTERM.

    :param arguments: command line, None for the process's own
    :return: exit status
    """
    with blocked(STOP_SIGNALS):
        try:
            sandbox_class = _sandbox_class()
            options = build_parser().parse_args(arguments)
            sandbox = start(sandbox_class, options)
        except (ModuleNotFoundError, OSError, OverflowError, ValueError, sqlite3.Error) as err:
            print(f"The sandbox cannot start: {err}", file=sys.stderr)
            return 1
        try:
            if options.port_file is not None:
                write_port(options.port_file, sandbox.port)
            announce(sandbox, options.host)
            signal.sigwait(STOP_SIGNALS)
        finally:
            sandbox.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
