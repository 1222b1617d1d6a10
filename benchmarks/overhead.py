"""
Measure the overhead of the provider: a call, the first call of a task, and the import of an operator.

Run it with ``make bench``; it exits with 1 if a goal is missed. All callers talk to the same server, which
is a process of its own, and take turns, so that all ratios come from the same minutes of the machine.

The goals are for the lower quartile of the CPU time, since neither other processes nor the wait for the
server count in it; the time on the clock, which both lengthen, is printed beside it.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from page_server import RECORDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

PATH = "/koodrive/ose/v1/space/groupList?offset=0&limit=100"
OPERATORS = "airflow_provider_koodrive.operators.group_space"

WARM_UP_ROUNDS = 50
ROUNDS = 1000
PROCESSES = 5

GOAL_RATIO = 1.15
GOAL_FIRST_CALL_MS = 200.0
GOAL_IMPORT_MS = 15.0

# Airflow has imported this before a task's own code runs.
TASK = "import time, airflow.sdk; from airflow.sdk import DAG, BaseOperator\n"
CLOCKS = "(time.process_time(), time.perf_counter())"
FIRST_CALLS = {
    "KooDriveHook": "from airflow_provider_koodrive.hooks.koodrive import KooDriveHook as Hook\n"
    "Hook().list_group_spaces()",
    "requests": "import requests\nrequests.Session().get({url!r}, timeout=10).json()",
    "HttpHook": "from airflow.providers.http.hooks.http import HttpHook as Hook\n"
    "Hook(method='GET', http_conn_id='http_default').run({path!r}).json()",
    "httpx": "import httpx\nhttpx.Client().get({url!r}, timeout=10).json()",
}


@contextmanager
def page_server() -> Iterator[str]:
    """Start the server as a process and yield its address."""
    script = Path(__file__).with_name("page_server.py")
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(server.stdout.readline())}"
        finally:
            server.terminate()


def define_connections(url: str) -> None:
    """Define a connection for each hook in the environment."""
    koodrive = {
        "conn_type": "koodrive",
        "login": "app-id",
        "password": "long-secret",
        "extra": {"user_id": "1"},
    }
    os.environ["AIRFLOW_CONN_KOODRIVE_DEFAULT"] = json.dumps({"host": url, **koodrive})
    os.environ["AIRFLOW_CONN_HTTP_DEFAULT"] = json.dumps({"conn_type": "http", "host": url})


def callers(url: str) -> dict[str, Callable[[], int]]:
    """Return for each caller a function that lists a page and returns the number of records."""
    import httpx
    import requests
    from airflow.providers.http.hooks.http import HttpHook

    from airflow_provider_koodrive.hooks.koodrive import KooDriveHook

    hook, session, client = KooDriveHook(), requests.Session(), httpx.Client()
    http_hook = HttpHook(method="GET", http_conn_id="http_default")
    return {
        "KooDriveHook": lambda: len(hook.list_group_spaces()["groups"]),
        "requests": lambda: len(session.get(url + PATH, timeout=10).json()["groups"]),
        "HttpHook": lambda: len(http_hook.run(PATH).json()["groups"]),
        "httpx": lambda: len(client.get(url + PATH, timeout=10).json()["groups"]),
    }


class Times(NamedTuple):
    """Milliseconds of all calls of one caller: of CPU time, and on the clock."""

    cpu: list[float]
    clock: list[float]


def call_times(calls: Mapping[str, Callable[[], int]]) -> dict[str, Times]:
    """Measure each caller's calls; in each round another caller begins."""
    times = {name: Times([], []) for name in calls}
    names = list(calls)
    for number in range(WARM_UP_ROUNDS + ROUNDS):
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:
            cpu, clock = time.process_time(), time.perf_counter()
            records = calls[name]()
            cpu, clock = time.process_time() - cpu, time.perf_counter() - clock
            assert records == RECORDS
            if number >= WARM_UP_ROUNDS:
                times[name].cpu.append(cpu * 1000)
                times[name].clock.append(clock * 1000)
    return times


def process_times(scripts: Mapping[str, str]) -> dict[str, Times]:
    """Measure each script in fresh processes that take turns."""
    times = {name: Times([], []) for name in scripts}
    # An installed package has bytecode, so the first round, which writes it, does not count.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    for number in range(1 + PROCESSES):
        for name, script in scripts.items():
            timed = f"{TASK}started = {CLOCKS}\n{script}\nprint(*started, *{CLOCKS})"
            run = subprocess.run(
                [sys.executable, "-c", timed], env=environment, check=True, capture_output=True
            )
            cpu_start, clock_start, cpu_end, clock_end = map(float, run.stdout.split()[-4:])
            if number:
                times[name].cpu.append((cpu_end - cpu_start) * 1000)
                times[name].clock.append((clock_end - clock_start) * 1000)
    return times


def lower_quartile(times: list[float]) -> float:
    """Return the lower quartile: disturbances only lengthen a call, so the shorter ones show its own time."""
    return statistics.quantiles(times, n=4)[0]


def table(title: str, times: Mapping[str, Times]) -> None:
    """Print each caller's lower quartiles, and their ratio to those of requests."""
    print(f"\n{title:<34}{'CPU time':>18}{'on the clock':>18}")
    for name, measured in times.items():
        print(f"  {name:<32}", end="")
        for own, bare in zip(measured, times["requests"], strict=True):
            milliseconds, bare_milliseconds = lower_quartile(own), lower_quartile(bare)
            print(f"{milliseconds:>8.2f} ms {milliseconds / bare_milliseconds:>5.2f} x", end="")
        print()


def main() -> int:
    """Print the tables and the goals; return 1 if a goal is missed."""
    with page_server() as url:
        define_connections(url)
        calls = call_times(callers(url))
        table(f"A page of {RECORDS} records", calls)
        first = process_times(
            {name: script.format(url=url + PATH, path=PATH) for name, script in FIRST_CALLS.items()}
        )
        table("The first call of a task", first)
        imported = process_times({OPERATORS: f"import {OPERATORS}"})[OPERATORS].cpu
    ratio = lower_quartile(calls["KooDriveHook"].cpu) / lower_quartile(calls["requests"].cpu)
    goals = [
        ("a page costs in CPU time, compared with requests", ratio, GOAL_RATIO),
        (
            "the first call of a task takes on the clock, in ms",
            lower_quartile(first["KooDriveHook"].clock),
            GOAL_FIRST_CALL_MS,
        ),
        ("the import of the operators adds in CPU time, in ms", lower_quartile(imported), GOAL_IMPORT_MS),
    ]
    print("\nGoals (lower quartiles)")
    for what, measured, most in goals:
        print(f"  {'met   ' if measured <= most else 'MISSED'}  {what}: {measured:.2f} (at most {most:.2f})")
    return int(any(measured > most for _, measured, most in goals))


if __name__ == "__main__":
    sys.exit(main())
