"""Run the DAG of each file, as ``python run_readme_dags.py FILE…``, and print how it ended."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path


def main(files: list[str]) -> None:
    for file in files:
        name = Path(file).stem
        spec = importlib.util.spec_from_file_location(name, file)
        assert spec is not None
        assert spec.loader is not None
        # Airflow reads the tasks' source and annotations through the module.
        sys.modules[name] = module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        run = module.dag.test()
        sys.stdout.write(f"README {module.dag.dag_id} {run.state}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
