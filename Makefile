# Everything runs in environments of its own (.venv, .venv-docs, .venv-release), which the targets make.
# Needed beforehand: Python 3.11 or newer (another one: make PYTHON=/path/to/python test), git.

SHELL := /bin/sh
PYTHON ?=
BIN := .venv/bin
STAMP := .venv/.installed

.DEFAULT_GOAL := help
.PHONY: help install test lint types check demo bench soak faults format pictures keys docs release-check clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' Makefile

install: $(STAMP) ## make the environment in .venv

$(STAMP): pyproject.toml .ci/environment
	@PYTHON='$(PYTHON)' sh .ci/environment .venv
	@touch $(STAMP)

test: lint types check ## run everything that CI runs

lint: $(STAMP) ## style and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: $(STAMP) ## the static types
	$(BIN)/mypy

check: $(STAMP) ## the tests, and whether the pictures are fresh
	PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -q -n 4 --dist worksteal
	$(BIN)/python -m screenshots.scenes --check

demo: $(STAMP) ## open the app on a private server with sessions and live agents
	@$(BIN)/sessiontui demo

bench: $(STAMP) ## measure speed and memory; some minutes (rows: make bench ROWS="index app")
	@$(BIN)/python -m tests.benchmarks $(ROWS)

soak: $(STAMP) ## follow an agent for ten minutes and print what the app holds
	@$(BIN)/python -m tests.benchmarks.soak

faults: $(STAMP) ## break connections, servers, terminals and ourselves for minutes; count what is lost (SEED=1)
	@$(BIN)/python -m tests.faults --seed $(or $(SEED),1) $(STORMS)
	@$(BIN)/python -m tests.faults.closings --seed $(or $(SEED),1)
	@$(BIN)/python -m tests.faults.keys --seed $(or $(SEED),1)
	@$(BIN)/python -m pytest -q tests/faults/test_sentinel.py tests/faults/test_cluster.py tests/faults/test_hostile.py

format: $(STAMP) ## format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

pictures: $(STAMP) ## draw the pictures anew
	$(BIN)/python -m screenshots.scenes

keys: $(STAMP) ## write the tables of keys in docs/keys.md and the README anew
	$(BIN)/python -m screenshots.keys

# What follows has tools of its own, in environments beside .venv.
.venv-%/.installed: pyproject.toml .ci/environment
	@PYTHON='$(PYTHON)' sh .ci/environment .venv-$* $*
	@touch $@

docs: .venv-docs/.installed ## build the pages as a site in build/site, and check their links
	NO_MKDOCS_2_WARNING=1 .venv-docs/bin/mkdocs build --strict --config-file .mkdocs.yml

release-check: .venv-release/.installed $(STAMP) ## build wheel and sdist in dist/, install and try both
	bash .ci/release-check dist

clean: ## remove the environments and everything that was built
	rm -rf .venv .venv-docs .venv-release build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
