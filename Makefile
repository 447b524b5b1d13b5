# The front door. A fresh machine needs Python 3.11 or 3.12, git and make; nothing else.
SHELL := /bin/bash
.DEFAULT_GOAL := help
BIN := .venv/bin
CHECKED := keys ledger consensus registry node cli verifier tests

.PHONY: help install demo test check coverage sim chaos bench bench-commit bench-audit bench-attack bench-sync errors lock clean

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: .venv/.ready ## create the environment in .venv

# Of the interpreters that run (a pyenv shim may exist and not run), have a version we support and
# can make environments: the quickest. Builds without optimisation are slower by a sixth.
.venv/.ready: requirements-dev.lock pyproject.toml
	@set -e; found=; least=; \
	for name in $$(type -aP python3.11 python3.12 python3 python); do \
	  took=$$("$$name" -c 'import ensurepip, sys, timeit, venv; \
	    (3, 11) <= sys.version_info < (3, 13) or sys.exit(1); \
	    work = "for i in range(20000): d[i & 63] = str(i)"; \
	    print(round(1e6 * min(timeit.repeat(work, "d = {}", number=1, repeat=25))))' \
	    2>/dev/null) || continue; \
	  if [ -z "$$found" ] || [ "$$took" -lt "$$least" ]; then found=$$name; least=$$took; fi; \
	done; \
	if [ -z "$$found" ]; then \
	  echo 'error: no Python 3.11 or 3.12 found' >&2; \
	  echo 'hint: install python3.11 with its venv module, then run make again' >&2; exit 1; \
	fi; \
	if ! $(BIN)/python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 13))' \
	    >/dev/null 2>&1; then \
	  echo "creating .venv with $$("$$found" --version)"; "$$found" -m venv --clear .venv; \
	fi
	@echo 'installing the locked packages (about a minute the first time)'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes \
	  --requirement requirements-dev.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps \
	  --no-build-isolation --editable .
	@touch $@

demo: install ## run four nodes on this machine through the main job, with a summary
	@$(BIN)/civreg demo

test: install ## run the test suite without the slow tests
	@$(BIN)/python -m pytest -m 'not slow and not chaos'

SEEDS ?= 0..9999
sim: install ## simulate clusters with faults and liars; SEEDS=1234, 0..9999 or a list
	@$(BIN)/python -m tests.sim $(SEEDS)

chaos: install ## kill real nodes and cut real networks, at full length; needs root for the networks
	@$(BIN)/python -m pytest -m chaos -s tests

check: install ## run all that CI runs: linters, types, contracts, every test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	HYPOTHESIS_PROFILE=ci $(BIN)/python -m pytest -m 'not chaos' --durations=15

coverage: install ## run every test and say which lines and branches none of them reaches
	$(BIN)/python -m pytest -m 'not chaos' --cov --cov-report=term

bench: bench-commit bench-audit bench-sync ## run all benchmarks

bench-commit: install ## entries finalised a second, four nodes, over HTTP
	@$(BIN)/python -m tests.bench.commit

bench-attack: install ## time to finality at rest and under attack, and memory
	@$(BIN)/python -m tests.bench.attack

bench-audit: install ## entries replayed a second and core
	@$(BIN)/python -m tests.bench.audit

bench-sync: install ## blocks caught up a second, one by one and in parallel
	@$(BIN)/python -m tests.bench.sync

errors: install ## write docs/errors.md, exit-codes.md and commands.md from the code
	@$(BIN)/python -m cli.reference

lock: install ## pin the dependencies again, with hashes and without any index address
	@env -u PIP_FIND_LINKS -u UV_FIND_LINKS $(BIN)/uv pip compile pyproject.toml --group dev \
	  --universal --python-version 3.11 --generate-hashes --no-emit-index-url --quiet \
	  --custom-compile-command 'make lock' --output-file requirements-dev.lock

clean: ## remove the environment and all caches
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .coverage dist
