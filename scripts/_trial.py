"""What ``demo.py`` and ``ui.py`` share: an Airflow of their own, and processes that surely end."""

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

_ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_SECONDS_TO_STOP = 20.0


class TrialError(Exception):
    """The trial did not go as it should; the text is for the person who started it."""


class Airflow:
    """
    An Airflow with a home, a database and an environment of its own, all made anew.

    :param name: its folder below ``.airflow``
    """

    def __init__(self, name: str) -> None:
        self.home = PROJECT / ".airflow" / name
        self.log = self.home / "airflow.log"
        shutil.rmtree(self.home, ignore_errors=True)
        self.home.mkdir(parents=True)
        self.environment = {
            **_without_foreign_settings(),
            "AIRFLOW_HOME": str(self.home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(PROJECT / "dags_examples"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        }

    def run(self, *arguments: str) -> None:
        """
        Run one ``airflow`` command to its end.

        :raises TrialError: it failed; with the end of its output
        """
        with self.start(*arguments) as process:
            if process.wait() != 0:
                raise TrialError(f"airflow {arguments[0]} {arguments[1]} failed. {self.end_of_log()}")

    @contextmanager
    def start(self, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
        """Start an ``airflow`` command; it and all that it started are gone when the block ends."""
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
        """Quote the last lines of what Airflow has written."""
        text = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join([f"The end of {self.log}:", *(f"  {line}" for line in text[-lines:])])


def _without_foreign_settings() -> dict[str, str]:
    """
    Copy the environment without what the caller has set for an Airflow or a Python of their own.

    Airflow starts its parts as ``airflow`` from PATH; everything it calls here is on this machine.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("AIRFLOW_") and name not in ("PYTHONPATH", "PYTHONHOME")
    }
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    return {**kept, "PATH": path, "no_proxy": f"localhost,{LOOPBACK}", "NO_PROXY": f"localhost,{LOOPBACK}"}


def _stop_session(leader: subprocess.Popen[bytes]) -> None:
    """End a session's leader in peace, then what is left of the session: some leave its process group."""
    if leader.poll() is None:
        leader.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            leader.wait(_SECONDS_TO_STOP)
    for process in psutil.pids():
        with suppress(ProcessLookupError):
            if os.getsid(process) == leader.pid:
                os.kill(process, signal.SIGKILL)
    leader.wait()


def bindable_port(port: int = 0) -> int:
    """
    Find a port of the loopback interface that nothing listens on.

    :param port: the one that it must be, 0 for any
    :raises OSError: that one is taken
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((LOOPBACK, port))
        return int(probe.getsockname()[1])


def raise_on_signals() -> None:
    """Turn Ctrl-C, TERM and a lost terminal into one KeyboardInterrupt; more do not disturb the end."""

    def interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
        for ending in _ENDINGS:
            signal.signal(ending, signal.SIG_IGN)
        raise KeyboardInterrupt

    for ending in _ENDINGS:
        signal.signal(ending, interrupt)
