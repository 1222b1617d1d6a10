"""``make ui``: run Airflow's web interface and the sandbox until Ctrl-C."""

from __future__ import annotations

import argparse
import json
import sys
import time
import urllib.request
from typing import TYPE_CHECKING, Any

from _local_airflow import LOOPBACK, PROJECT, Airflow, ScriptError, free_port, raise_on_signals

from airflow_provider_koodrive.sandbox.server import Sandbox

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

_DAGS = {file.stem for file in (PROJECT / "dags_examples").glob("koodrive_*.py")}
_START_TIMEOUT_SECONDS = 180


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--port", type=int, default=8080, help="port of the web interface (default: %(default)s)"
    )
    port = parser.parse_args().port
    raise_on_signals()
    try:
        run(port)
    except KeyboardInterrupt:
        print("\nStopped.")
    except ScriptError as err:
        print(f"\n{err}", file=sys.stderr)
        return 1
    return 0


def run(port: int) -> None:
    """Run the sandbox and Airflow until interrupted."""
    try:
        free_port(port)
    except OSError as err:
        raise ScriptError(
            f"Port {port} is not available ({err.strerror}). Choose another: make ui PORT={port + 1}"
        ) from err
    address = f"http://{LOOPBACK}:{port}"
    airflow = Airflow("ui")
    airflow.environment.update(settings(port, address))
    with Sandbox(airflow.home / "koodrive.db") as sandbox:
        print("Starting (about half a minute) ...", flush=True)
        airflow.run("db", "migrate")
        airflow.run("connections", "add", "koodrive_default", "--conn-json", sandbox.connection_json())
        with airflow.start("standalone") as process:
            wait_for(lambda: is_healthy(address), process, airflow)
            password = read_password(airflow)
            wait_for(lambda: unpause(address, password) == _DAGS, process, airflow)
            print(f"Airflow   {address}\nuser      admin\npassword  {password}")
            print(f"KooDrive  {sandbox.url} (the sandbox, as connection koodrive_default)")
            print(f"log       {airflow.log}\nCtrl-C stops both.", flush=True)
            process.wait()
            raise ScriptError(f"Airflow stopped unexpectedly. {airflow.end_of_log()}")


def settings(port: int, address: str) -> dict[str, str]:
    """Return settings that use the loopback interface and no port of another Airflow on this machine."""
    return {
        "AIRFLOW__API__HOST": LOOPBACK,
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": address,
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__CORE__PARALLELISM": "8",
        "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
        "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(free_port()),
        "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(free_port()),
    }


def wait_for(reached: Callable[[], bool], process: subprocess.Popen[bytes], airflow: Airflow) -> None:
    """
    Wait until Airflow has reached a state.

    :raises ScriptError: Airflow stopped, or did not reach it in time
    """
    deadline = time.monotonic() + _START_TIMEOUT_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if reached():
            return
        time.sleep(0.5)
    raise ScriptError(f"Airflow did not start within {_START_TIMEOUT_SECONDS} s. {airflow.end_of_log()}")


def is_healthy(address: str) -> bool:
    """Check that the API server answers and every other component of Airflow is healthy."""
    try:
        parts = call("GET", f"{address}/api/v2/monitor/health")
    except OSError:
        return False
    return all(part["status"] == "healthy" for part in parts.values())


def read_password(airflow: Airflow) -> str:
    """Read the password that Airflow has generated for the user ``admin``."""
    file = airflow.home / "simple_auth_manager_passwords.json.generated"
    return str(json.loads(file.read_text(encoding="utf-8"))["admin"])


def unpause(address: str, password: str) -> set[str]:
    """
    Unpause the DAGs that Airflow has loaded.

    They start paused, because a run that begins before the API server listens loses its first attempts.

    :return: ids of the DAGs
    """
    token = call("POST", f"{address}/auth/token", {"username": "admin", "password": password})["access_token"]
    done = call("PATCH", f"{address}/api/v2/dags?dag_id_pattern=koodrive_", {"is_paused": False}, token)
    return {dag["dag_id"] for dag in done["dags"]}


def call(method: str, url: str, body: dict[str, Any] | None = None, token: str = "") -> Any:
    request = urllib.request.Request(  # noqa: S310 - the address is ours
        url,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Content-Type": "application/json", "Authorization": f"Bearer {token}"},
        method=method,
    )
    without_proxy = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with without_proxy.open(request, timeout=30) as answer:
        return json.load(answer)


if __name__ == "__main__":
    sys.exit(main())
