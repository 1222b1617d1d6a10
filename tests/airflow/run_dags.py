"""
Run DAGs one after the other in one process, without retries, as ``python run_dags.py RUNS``.

RUNS is a file with a JSON list; each entry has ``file`` (of one DAG), ``conf`` and ``environment`` (variables
that hold for this run alone). The output of each run stands between two lines that begin with ``=== RUN``.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from pathlib import Path
from typing import Any
from unittest import mock

try:
    from airflow.dag_processing.dagbag import DagBag
except ImportError:
    from airflow.models.dagbag import DagBag


def run(file: str, conf: dict[str, Any]) -> str:
    """Run the file's DAG and return the id of the run."""
    bag = DagBag(file)
    assert not bag.import_errors, bag.import_errors
    (dag,) = bag.dags.values()
    for task in dag.tasks:
        getattr(task, "partial_kwargs", vars(task))["retries"] = 0
    return str(dag.test(run_conf=conf).run_id)


def main(runs: list[dict[str, Any]]) -> None:
    for entry in runs:
        run_id = ""
        with mock.patch.dict(os.environ, entry["environment"]):
            try:
                run_id = run(entry["file"], entry["conf"])
            except Exception:
                traceback.print_exc()
        sys.stderr.flush()
        print(f"=== RUN {run_id}", flush=True)  # noqa: T201


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text("utf-8")))
