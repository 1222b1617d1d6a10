# Everything is made inside this folder: the environment in .venv, Airflow's own files in .airflow.
PYTHON ?= python3
DEPARTMENTS ?=
LIMIT ?=
SEED ?=
PORT ?= 8080
LINES ?=
REQUIRE ?=

BIN := .venv/bin
UV := $(BIN)/uv
READY := .venv/ready
# More workers than cores, because many tests wait; tests that share an expensive fixture stay together.
PARALLEL := -n 3 --dist loadscope --no-loadscope-reorder

# What the caller has set for a Python or an Airflow of their own must not reach this one.
unexport PYTHONPATH PYTHONHOME VIRTUAL_ENV $(filter AIRFLOW_%,$(.VARIABLES))
export UV_NO_CACHE := 1

.DEFAULT_GOAL := help
.PHONY: help venv demo ui test test-fast mutants chaos lint format bench constraints dist matrix clean

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' Makefile

venv: $(READY)  ## make .venv with the versions that constraints.txt pins

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.10 or newer is needed, as in: make PYTHON=python3.12" if sys.version_info < (3, 10) else 0)'
	@echo "Making .venv (once, about half a minute) ..."
	@$(PYTHON) -m venv --clear .venv
	@$(BIN)/python -m pip install --quiet --no-cache-dir --disable-pip-version-check -c constraints.txt uv
	@$(UV) pip install --quiet --python $(BIN)/python --compile-bytecode -c constraints.txt \
		--build-constraints constraints.txt --group dev --editable '.[sandbox]'
	@touch $@

demo: $(READY)  ## onboard departments on two nights under real Airflow (DEPARTMENTS=FILE LIMIT=50)
	@exec $(BIN)/python scripts/demo.py $(if $(DEPARTMENTS),--departments "$(DEPARTMENTS)") $(if $(LIMIT),--limit "$(LIMIT)")

ui: $(READY)  ## Airflow's web interface with the sandbox behind it, until Ctrl-C (PORT=8080)
	@exec $(BIN)/python scripts/ui.py --port "$(PORT)"

test: export AIRFLOW_HOME := $(CURDIR)/.airflow/tests
test: lint  ## lint, types, architecture, all tests with branch coverage
	$(BIN)/python -m pytest $(PARALLEL) --cov --cov-report=term

test-fast: export AIRFLOW_HOME := $(CURDIR)/.airflow/tests
test-fast: $(READY)  ## unit and sandbox tests alone, without lint, coverage or a running Airflow
	$(BIN)/python -m pytest $(PARALLEL) tests/unit tests/sandbox

mutants: $(READY)  ## change the rules of creating and of retries in each place: do unit tests notice?
	@$(UV) pip install --quiet --python $(BIN)/python -c constraints.txt --group mutants
	@rm -rf mutants
	-$(BIN)/mutmut run
	@$(BIN)/python scripts/mutants.py

chaos: $(READY)  ## 2,000 creates while faults strike three calls in ten (SEED=1)
	@exec $(BIN)/python scripts/chaos.py $(if $(SEED),--seed "$(SEED)")

lint: $(READY)  ## ruff, import-linter, mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/mypy --strict airflow_provider_koodrive scripts dags_examples benchmarks

format: $(READY)  ## let ruff mend what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: export AIRFLOW_HOME := $(CURDIR)/.airflow/bench
bench: $(READY)  ## the overhead of a call, of a task's first call and of an import; fails if a goal is missed
	$(BIN)/python benchmarks/overhead.py

constraints: $(READY)  ## pin the newest versions of everything, for each line of Airflow
	$(BIN)/nox --session pin

dist: $(READY)  ## build sdist and wheel in dist/, and try the wheel where only Airflow is
	@rm -rf dist
	$(UV) build --quiet --build-constraints constraints.txt --out-dir dist .
	$(BIN)/twine check --strict dist/*
	$(BIN)/nox --session wheel

matrix: dist  ## all tests with the wheel on each line of Airflow whose Python is here (LINES="2.11 3.3" REQUIRE=3.3)
	@exec $(BIN)/python scripts/matrix.py $(LINES) $(if $(REQUIRE),--require $(REQUIRE))

clean:  ## remove everything that the targets above have made
	rm -rf .venv .airflow dist build mutants .coverage .hypothesis .import_linter_cache .mypy_cache .nox .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
