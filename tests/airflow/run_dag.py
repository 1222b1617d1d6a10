"""Run a DAG once for each conf, as ``python run_dag.py FILE CONFS``; its tasks are not tried again."""

from __future__ import annotations

import importlib.util
import json
import sys


def main(path: str, confs: str) -> None:
    spec = importlib.util.spec_from_file_location("dag_file", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Airflow reads the tasks' source and annotations through the module.
    sys.modules["dag_file"] = module
    spec.loader.exec_module(module)
    for conf in json.loads(confs):
        dag = module.koodrive_onboard_departments() if "onboard" in path else module.dag
        for task in dag.tasks:
            getattr(task, "partial_kwargs", vars(task))["retries"] = 0
        dag.test(run_conf=conf)


if __name__ == "__main__":
    main(*sys.argv[1:])
