"""
What the provider costs: a listing beside a bare ``requests`` call, and its import beside Airflow's own.

Run it with ``make bench``. Both sides of each ratio come from one run; absolute times are the machine's.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import requests

if TYPE_CHECKING:
    from collections.abc import Callable

RECORDS = 100
ROUNDS = 400
IMPORTS = 7
OPERATORS = "airflow_provider_koodrive.operators.group_space"


def page() -> bytes:
    """Return one page of 100 spaces as KooDrive lists them."""
    spaces = [
        {
            "id": str(1417956457311344513 + number),
            "groupName": f"Department {number}",
            "status": 0,
            "capacity": 20,
            "spaceUsed": 0,
            "containerId": f"IAAE49hOR8LulgAAA{1417956457328121729 + number}",
            "userNum": 1,
            "ownerId": "1410172329509745795",
            "ownerName": "Administrator",
            "tenantId": "1300000000000000001",
            "creator": "1410172329509745795",
            "modifier": "1410172329509745795",
            "createTime": "2024-05-10T01:46:22.000Z",
            "updateTime": "2024-05-10T01:46:22.000Z",
            "bizRootFileId": f"R{number}",
            "bizSboxFileId": f"S{number}",
            "iconUrl": "1",
        }
        for number in range(RECORDS)
    ]
    numbers = {"total": RECORDS, "groupsTotal": RECORDS, "groupsMax": 500, "assignedCapacity": 100}
    return json.dumps(
        {"code": 0, "msg": "success", **numbers, "maxCapacity": 2048, "groups": spaces}
    ).encode()


class Handler(BaseHTTPRequestHandler):
    """Answers every GET with the same page, on a connection that is kept alive."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    body = page()

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(self.body)))
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it so
        pass


def call_ratio(url: str) -> tuple[float, float]:
    """Return the median seconds of the hook's call and of the bare one, measured in turn."""
    os.environ["AIRFLOW_CONN_KOODRIVE_DEFAULT"] = json.dumps(
        {"conn_type": "koodrive", "host": url, "login": "id", "password": "secret", "extra": {"user_id": "1"}}
    )
    from airflow_provider_koodrive.hooks.koodrive import KooDriveHook

    hook, session = KooDriveHook(), requests.Session()
    listing_url = f"{url}/koodrive/ose/v1/space/groupList?offset=0&limit=100"

    def ours() -> None:
        assert len(hook.list_group_spaces()["groups"]) == RECORDS

    def bare() -> None:
        assert len(session.get(listing_url, timeout=10).json()["groups"]) == RECORDS

    times: dict[Callable[[], None], list[float]] = {ours: [], bare: []}
    for round_number in range(ROUNDS + 20):
        for call, taken in times.items():
            started = time.perf_counter()
            call()
            if round_number >= 20:
                taken.append(time.perf_counter() - started)
    return statistics.median(times[ours]), statistics.median(times[bare])


def import_seconds() -> float:
    """Return the median seconds that importing the operators adds to Airflow's SDK, in fresh processes."""
    script = (
        "import time, airflow.sdk; from airflow.sdk import DAG, BaseOperator; t = time.perf_counter(); "
        f"import {OPERATORS}; print(time.perf_counter() - t)"
    )
    runs = [
        float(
            subprocess.run([sys.executable, "-c", script], check=True, capture_output=True).stdout.split()[-1]
        )
        for _ in range(IMPORTS)
    ]
    return statistics.median(runs)


def main() -> None:
    """Print both figures."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        ours, bare = call_ratio(f"http://127.0.0.1:{server.server_port}")
    finally:
        server.shutdown()
    print(
        f"hook.list_group_spaces(), {RECORDS} records: {ours * 1000:.2f} ms; requests: {bare * 1000:.2f} ms"
    )
    print(f"ratio {ours / bare:.2f} (goal: at most 1.25)")
    print(f"import {OPERATORS} adds {import_seconds() * 1000:.1f} ms to airflow.sdk (goal: at most 30 ms)")


if __name__ == "__main__":
    main()
