"""
Parse, serialise and restore DAG files as Airflow does, and print what they hold.

``python parse_dags.py FILE ...``
"""

from __future__ import annotations

import json
import sys
from typing import Any

from airflow.serialization import serialized_objects

try:
    from airflow.dag_processing.dagbag import DagBag
except ImportError:
    from airflow.models.dagbag import DagBag


def describe(dag: Any) -> dict[str, Any]:
    """Tell what a scheduler knows of a DAG, which it reads from the database."""
    return {
        "schedule": getattr(dag.timetable, "_expression", None),
        "timezone": dag.timezone.name,
        "catchup": dag.catchup,
        "max_active_runs": dag.max_active_runs,
        "tasks": sorted(dag.task_ids),
    }


def main(*paths: str) -> None:
    touched: list[str] = []

    def note(event: str, arguments: tuple[Any, ...]) -> None:
        if event.startswith("socket.") or (event == "open" and str(arguments[0]).endswith((".csv", ".tsv"))):
            touched.append(f"{event} {arguments}")

    sys.addaudithook(note)
    found: dict[str, Any] = {"errors": {}, "touched": touched}
    serializer = getattr(serialized_objects, "DagSerialization", serialized_objects.SerializedDAG)
    for path in paths:
        bag = DagBag(path)
        found["errors"].update(bag.import_errors)
        for dag_id, dag in bag.dags.items():
            stored = json.loads(json.dumps(serializer.to_dict(dag)))
            found[dag_id] = describe(serializer.from_dict(stored))
    print(json.dumps(found, default=str))  # noqa: T201


if __name__ == "__main__":
    main(*sys.argv[1:])
