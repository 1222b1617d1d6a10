# All files are created inside this folder: the environment in .venv, Airflow's own files in .airflow.
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
PARALLEL := -n 4 --dist loadscope --no-loadscope-reorder

# Settings of the caller for another Python or Airflow must not reach this one.
# Without bytecode each process of the tests would compile the package anew.
unexport PYTHONDONTWRITEBYTECODE PYTHONPATH PYTHONHOME VIRTUAL_ENV $(filter AIRFLOW_%,$(.VARIABLES))
export UV_NO_CACHE := 1

.DEFAULT_GOAL := help
.PHONY: help venv demo ui test test-fast mutants chaos lint format bench constraints dist matrix clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' Makefile

venv: $(READY)  ## create .venv with the versions that constraints.txt pins

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit("This Python is older than 3.10. Choose another: make PYTHON=python3.12" if sys.version_info < (3, 10) else 0)'
	@echo "Creating .venv (once, about half a minute) ..."
	@$(PYTHON) -m venv --clear .venv
	@$(BIN)/python -m pip install --quiet --no-cache-dir --disable-pip-version-check -c constraints.txt uv
	@$(UV) pip install --quiet --python $(BIN)/python --compile-bytecode -c constraints.txt \
		--build-constraints constraints.txt --group dev --editable '.[sandbox]'
	@touch $@

demo: $(READY)  ## onboard departments on two nights under real Airflow (DEPARTMENTS=FILE LIMIT=50)
	@exec $(BIN)/python scripts/demo.py $(if $(DEPARTMENTS),--departments "$(DEPARTMENTS)") $(if $(LIMIT),--limit "$(LIMIT)")

ui: $(READY)  ## run Airflow's web interface and the sandbox until Ctrl-C (PORT=8080)
	@exec $(BIN)/python scripts/ui.py --port "$(PORT)"

test: export AIRFLOW_HOME := $(CURDIR)/.airflow/tests
test: lint  ## run lint and all tests, with branch coverage
	$(BIN)/python -m pytest $(PARALLEL) --cov --cov-report=term

test-fast: export AIRFLOW_HOME := $(CURDIR)/.airflow/tests
# make test runs more random examples.
test-fast: export KOODRIVE_FUZZ_EXAMPLES := 20
test-fast: $(READY)  ## run the unit and sandbox tests only, without lint, coverage and real Airflow
	$(BIN)/python -m pytest $(PARALLEL) tests/sandbox tests/unit

mutants: $(READY)  ## change the rules of creating and retrying in each place, and count what unit tests notice
	@$(UV) pip install --quiet --python $(BIN)/python -c constraints.txt --group mutants
	@rm -rf mutants
	-$(BIN)/mutmut run
	@$(BIN)/python scripts/mutants.py

chaos: $(READY)  ## create 2,000 spaces with faults in three calls of ten (SEED=1)
	@exec $(BIN)/python scripts/chaos.py $(if $(SEED),--seed "$(SEED)")

lint: $(READY)  ## run ruff, import-linter and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/mypy --strict airflow_provider_koodrive scripts dags_examples benchmarks

format: $(READY)  ## fix style and format the code with ruff
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: export AIRFLOW_HOME := $(CURDIR)/.airflow/bench
bench: $(READY)  ## the overhead of a call, of a task's first call and of an import; fails if a goal is missed
	$(BIN)/python benchmarks/overhead.py

constraints: $(READY)  ## pin the newest version of every package for each line of Airflow
	$(BIN)/nox --session pin

dist: $(READY)  ## build sdist and wheel in dist/, and test the wheel beside a bare Airflow
	@rm -rf dist
	$(UV) build --quiet --build-constraints constraints.txt --out-dir dist .
	$(BIN)/twine check --strict dist/*
	$(BIN)/nox --session wheel

matrix: dist  ## test the wheel on each line of Airflow, oldest and newest with all tests (LINES="2.11 3.3" REQUIRE=3.3)
	@exec $(BIN)/python scripts/matrix.py $(LINES) $(if $(REQUIRE),--require $(REQUIRE))

clean:  ## remove everything that the targets above have made
	rm -rf .venv .airflow dist build mutants .coverage .hypothesis .import_linter_cache .mypy_cache .nox .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
