# make run | install | test | test-slow | check | bench NAME=ingest | docs | demo-site | companion: the same lists a laptop and CI run. Each sets up what it misses.
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
export XDG_RUNTIME_DIR ?= $(CURDIR)/.setup/runtime
export npm_config_update_notifier := false

.PHONY: setup install run demo-site companion test test-slow faults check bench docs locks clean

setup: .setup/dev

# Steelyard alone, without what tests and checks need.
install: .setup/run

# The runtime alone: what `make run` needs.
.setup/run: requirements.lock package-lock.json pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Steelyard needs Python 3.11 or newer, this is %s.%s: set PYTHON=python3.11" % sys.version_info[:2])'
	@test -x $(BIN)/pip || $(PYTHON) -m venv --clear .venv >/dev/null || { rm -rf .venv; \
		echo "$(PYTHON) cannot make a virtual environment: on Debian, apt install python3-venv" >&2; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/npm ci --silent --omit=dev
	$(BIN)/python -m steelyard.web.assets
	$(BIN)/python -m steelyard.companion.package >/dev/null
	@mkdir -p .setup/runtime && chmod 700 .setup/runtime && touch $@

# What tests and checks need on top, with the servers that Debian packages.
.setup/dev: .setup/run requirements-dev.lock tests/setup.py
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/npm ci --silent
	$(BIN)/python tests/setup.py
	@touch $@

run: .setup/run
	@$(BIN)/python -m steelyard.companion.package >/dev/null
	$(BIN)/steelyard demo

# The browser extension as dist/companion-<version>.zip, the same bytes for the same files; the console offers it too.
companion: .setup/run
	$(BIN)/python -m steelyard.companion.package

# A real WordPress on real servers for the demo: Debian's packages, and WordPress out of an npm package.
demo-site: .setup/run
	$(BIN)/python tests/setup.py hosting

test: .setup/dev
	cd extension && PATH="$(CURDIR)/$(BIN):$$PATH" node --test
	$(BIN)/python -m pytest -n 2 --dist loadfile

test-slow: .setup/dev
	$(BIN)/python -m pytest -n 2 --dist loadfile -m 'slow and not xdist_group'
	$(BIN)/python -m pytest -m 'slow and xdist_group'

# Every fault at every step of every runbook that changes a site; `test-slow` draws some of them.
faults: .setup/dev
	STEELYARD_ALL_FAULTS=1 $(BIN)/python -m pytest -m slow tests/faults/test_toolbox*.py

check: .setup/dev
	$(BIN)/ruff format --check src tests bench docs
	$(BIN)/ruff check src tests bench docs
	PATH="$(CURDIR)/$(BIN):$$PATH" node_modules/.bin/pyright
	PATH="$(CURDIR)/$(BIN):$$PATH" node_modules/.bin/tsc -p extension
	$(BIN)/lint-imports

bench: .setup/dev
	@test -f bench/$(NAME).py || { echo "make bench NAME=...: one of $$(ls bench/*.py | xargs -n1 basename -s .py | grep -v '^_' | xargs)"; exit 2; }
	@$(BIN)/python bench/$(NAME).py

docs: .setup/dev
	$(BIN)/python -m docs.build

# Pinned and hashed, naming no index. Run after changing pyproject.toml.
locks:
	$(BIN)/uv pip compile --quiet --generate-hashes --group setup pyproject.toml --output-file requirements.lock
	$(BIN)/uv pip compile --quiet --generate-hashes --group setup --group dev pyproject.toml --output-file requirements-dev.lock

clean:
	rm -rf .venv node_modules .setup dist src/steelyard/web/static/vendor src/steelyard/web/static/companion.zip
