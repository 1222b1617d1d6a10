"""``make ui``: Airflow's web interface, with the sandbox behind it, until Ctrl-C."""

from __future__ import annotations

import argparse
import json
import sys
import time
import urllib.request
from typing import TYPE_CHECKING

from _trial import LOOPBACK, Airflow, TrialError, bindable_port, raise_on_signals

from airflow_provider_koodrive.sandbox.server import Sandbox

if TYPE_CHECKING:
    import subprocess

_SECONDS_TO_START = 180


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8080, help="the web interface's (default: %(default)s)")
    port = parser.parse_args().port
    raise_on_signals()
    try:
        show(port)
    except KeyboardInterrupt:
        print("\nStopped.")
    except TrialError as err:
        print(f"\n{err}", file=sys.stderr)
        return 1
    return 0


def show(port: int) -> None:
    """Run the sandbox and Airflow until interrupted."""
    try:
        bindable_port(port)
    except OSError as err:
        raise TrialError(f"Port {port} cannot be had ({err.strerror}). Another: make ui PORT=8081") from err
    address = f"http://{LOOPBACK}:{port}"
    airflow = Airflow("ui")
    airflow.environment.update(settings(port, address))
    with Sandbox(airflow.home / "koodrive.db") as sandbox:
        print("Starting (about half a minute) ...", flush=True)
        airflow.run("db", "migrate")
        airflow.run("connections", "add", "koodrive_default", "--conn-json", sandbox.connection_json())
        with airflow.start("standalone") as process:
            wait_until_healthy(address, process, airflow)
            print(f"Airflow   {address}")
            print(f"user      admin\npassword  {password(airflow)}")
            print(f"KooDrive  {sandbox.url} (the sandbox, as connection koodrive_default)")
            print(f"log       {airflow.log}")
            print("Ctrl-C stops both.", flush=True)
            process.wait()
            raise TrialError(f"Airflow has ended by itself. {airflow.end_of_log()}")


def settings(port: int, address: str) -> dict[str, str]:
    """Keep to the loopback interface, and off the ports of any other Airflow on this machine."""
    return {
        "AIRFLOW__API__HOST": LOOPBACK,
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": address,
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__CORE__PARALLELISM": "8",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
        "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(bindable_port()),
        "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(bindable_port()),
    }


def wait_until_healthy(address: str, process: subprocess.Popen[bytes], airflow: Airflow) -> None:
    """
    Wait for the API server, the scheduler and the DAG processor.

    :raises TrialError: they did not come up in time
    """
    deadline = time.monotonic() + _SECONDS_TO_START
    while time.monotonic() < deadline and process.poll() is None:
        if all(part == "healthy" for part in health(address).values()):
            return
        time.sleep(0.5)
    raise TrialError(f"Airflow did not start. {airflow.end_of_log()}")


def health(address: str) -> dict[str, str]:
    """Ask the API server how each part of Airflow is."""
    try:
        with urllib.request.urlopen(f"{address}/api/v2/monitor/health", timeout=5) as answer:  # noqa: S310 - ours
            return {part: state["status"] for part, state in json.load(answer).items()}
    except OSError:
        return {"api_server": "not there yet"}


def password(airflow: Airflow) -> str:
    """Read the password that Airflow has made for the user ``admin``."""
    file = airflow.home / "simple_auth_manager_passwords.json.generated"
    return str(json.loads(file.read_text(encoding="utf-8"))["admin"])


if __name__ == "__main__":
    sys.exit(main())
