# The two commands are `make demo` and `make test`; both do all of their set-up. Nothing is downloaded but from
# the Python registry (and Debian's, where root lacks python3-venv).
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
STAMP := $(VENV)/.installed

# Some container images set it. Then every process, and the tests start hundreds, would compile each module again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help env demo quick test test-compose soak soak-hour mutants check bench lock docs ui screenshots clean

help:  ## Show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

env: $(STAMP)  ## Make .venv from the locks

$(STAMP): requirements.txt requirements-dev.txt pyproject.toml scripts/make-env
	@PYTHON=$(PYTHON) scripts/make-env $(VENV)
	@touch $@

demo: env  ## Run the whole pipeline on this machine until Ctrl-C
	@$(VENV)/bin/firehose demo $(DEMO)

quick: env  ## Run the unit and property tests, in half a minute
	@# The longest files first, so that both workers end together.
	@$(VENV)/bin/pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder tests/property tests/unit

# The longest first, so that all workers end together. Three of them: a test waits for services half of its time.
FOLDERS := $(patsubst %/,%,$(wildcard tests/[a-z]*/))
SLOW := tests/dags $(filter-out tests/compose tests/dags tests/fixtures tests/property tests/support tests/unit,$(FOLDERS))

test: quick  ## Run every test, the quick ones first
	@$(VENV)/bin/pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder $(SLOW)

test-compose: env  ## Run docker-compose.yaml with podman: health, secrets, kills, lost volumes, an upgrade (root; for the night)
	@COMPOSE_TEST=1 $(VENV)/bin/pytest --exitfirst --timeout 1800 tests/compose

soak: env  ## Run 200 random schedules of faults from socket to lake, and ask the oracle after each
	@$(VENV)/bin/python -m tests.fault.soak $(SOAK)

soak-hour: env  ## Run the whole pipeline for an hour at 100,000 events a minute, with a fault every few minutes
	@$(VENV)/bin/python -m tests.fault.soak_hour $(SOAK_HOUR)

mutants: env  ## Plant bugs of one edit each in a copy, and see that the tests named for them fail
	@$(VENV)/bin/python -m tests.mutations $(MUTANTS)

check: env  ## Lint, types, import rules, unused or unlisted packages
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/mypy
	@$(VENV)/bin/lint-imports
	@$(VENV)/bin/deptry .

bench: env  ## Measure ingest and batch throughput
	@$(VENV)/bin/firehose bench ingest
	@$(VENV)/bin/firehose bench batch

lock: env  ## Compile the locks from the .in files
	@$(VENV)/bin/uv pip compile --quiet --python-version 3.11 --generate-hashes \
	  requirements.in requirements-embedded.in -o requirements.txt
	@for name in requirements-dev requirements-uv; do \
	  $(VENV)/bin/uv pip compile --quiet --python-version 3.11 --generate-hashes \
	    $$name.in -o $$name.txt || exit 1; done
	@$(VENV)/bin/uv pip compile --quiet --python-version 3.11 --generate-hashes -c requirements.txt \
	  ingester/requirements.in -o ingester/requirements.txt
	@$(VENV)/bin/uv pip compile --quiet --python-version 3.11 --generate-hashes -c requirements.txt \
	  requirements.in docker/airflow-requirements.in -o docker/airflow-requirements.txt

docs: env  ## Write the generated pages
	@$(VENV)/bin/python -m scripts.pages

ui:  ## Build the page for readers again, from npm packages (needs node)
	@cd include/firehose_ui/web && npm ci --ignore-scripts --no-audit --no-fund --loglevel error \
	  && node_modules/.bin/tsc --project . && node build.mjs

screenshots: env  ## Take the pictures in docs/images, with a headless Chromium, in a quarter of an hour
	@$(VENV)/bin/python -m scripts.screenshots

clean:  ## Remove the environment and what tools left behind; no data
	@rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache include/*.egg-info
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
