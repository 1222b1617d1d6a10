"""Run a separate Airflow below ``.airflow``, for ``demo.py`` and ``ui.py``; all its processes end with it."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import psutil

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

PROJECT = Path(__file__).resolve().parent.parent
LOOPBACK = "127.0.0.1"

_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_STOP_TIMEOUT_SECONDS = 20.0


class ScriptError(Exception):
    """The script failed; the message is for the user who started it."""


class Airflow:
    """
    A new Airflow with its own home, database and environment.

    :param name: name of its folder below ``.airflow``
    """

    def __init__(self, name: str) -> None:
        self.home = PROJECT / ".airflow" / name
        self.log = self.home / "airflow.log"
        shutil.rmtree(self.home, ignore_errors=True)
        self.home.mkdir(parents=True)
        self.environment = {
            **_clean_environment(),
            "AIRFLOW_HOME": str(self.home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(PROJECT / "dags_examples"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        }

    def run(self, *arguments: str, may_fail: bool = False) -> None:
        """
        Run one ``airflow`` command and wait for its end.

        :param may_fail: go on if the command fails
        :raises ScriptError: the command failed; the message ends with the end of the log
        """
        with self.start(*arguments) as process:
            if process.wait() != 0 and not may_fail:
                raise ScriptError(f"airflow {arguments[0]} {arguments[1]} failed. {self.end_of_log()}")

    @contextmanager
    def start(self, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
        """Start an ``airflow`` command; stop it and all its child processes when the block ends."""
        with self.log.open("ab") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "airflow", *arguments],
                cwd=PROJECT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            yield process
        finally:
            _stop_session(process)

    def end_of_log(self, lines: int = 40) -> str:
        """Return the last lines of Airflow's log."""
        text = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join([f"The end of {self.log}:", *(f"  {line}" for line in text[-lines:])])


def _clean_environment() -> dict[str, str]:
    """
    Copy the environment without settings for another Airflow or Python.

    Airflow starts its components as ``airflow`` from PATH, and calls only servers on this machine.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("AIRFLOW_") and name not in ("PYTHONPATH", "PYTHONHOME")
    }
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    return {**kept, "PATH": path, "no_proxy": f"localhost,{LOOPBACK}", "NO_PROXY": f"localhost,{LOOPBACK}"}


def _stop_session(leader: subprocess.Popen[bytes]) -> None:
    """Interrupt a session's leader, then kill what remains: some processes leave its process group."""
    if leader.poll() is None:
        leader.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            leader.wait(_STOP_TIMEOUT_SECONDS)
    for process in psutil.pids():
        with suppress(ProcessLookupError):
            if os.getsid(process) == leader.pid:
                os.kill(process, signal.SIGKILL)
    leader.wait()


def free_port(port: int = 0) -> int:
    """
    Find a free port of the loopback interface.

    :param port: port to check, 0 for any
    :raises OSError: the port is in use
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((LOOPBACK, port))
        return int(probe.getsockname()[1])


def raise_on_signals() -> None:
    """Turn Ctrl-C, TERM and a lost terminal into one KeyboardInterrupt; ignore these signals after it."""

    def interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
        for stop_signal in _STOP_SIGNALS:
            signal.signal(stop_signal, signal.SIG_IGN)
        raise KeyboardInterrupt

    for stop_signal in _STOP_SIGNALS:
        signal.signal(stop_signal, interrupt)
