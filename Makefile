# `make quickstart` fine-tunes on generated images; `make test` tests. Both set up first.
# Everything lives in .venv and build/; nothing else on the machine is touched.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
QUICK := build/quickstart
# What to test: make test TESTS=tests/data
TESTS ?= tests
WORKERS ?= 2
MARKS ?= not gpu and not browser

.DEFAULT_GOAL := help
.PHONY: chromium help setup quickstart check docs docs-pages test test-browser test-families bench clean

help:  ## Show this.
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/\1|\2/' | \
	  while IFS='|' read -r name text; do printf '  make %-14s %s\n' "$$name" "$$text"; done

# Compiled once here, not by each process that the tests start where nothing may be written beside it.
setup: $(STAMP)  ## Install hf-vft and its development tools into .venv.

$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python -e '.[dev]' -c constraints.txt
	@touch $@

quickstart: $(STAMP)  ## Generate images, fine-tune on them, write the report.
	rm -rf $(QUICK)
	$(BIN)/hf-vft demo images $(QUICK)/images
	$(BIN)/hf-vft fit $(QUICK)/images --recipe quickstart --out $(QUICK)/run

check: $(STAMP)  ## Style, types and layers.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy hf_vft
	$(BIN)/lint-imports

docs: $(STAMP)  ## Build the documentation's site, strictly, into build/docs.
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict

docs-pages: $(STAMP)  ## Write the generated pages of docs/reference again.
	$(BIN)/python -m tests.docs.pages

# One thread a worker: the workers share the cores.
test: $(STAMP)  ## All tests but those that need a GPU or a browser.
	OMP_NUM_THREADS=1 $(BIN)/pytest -n $(WORKERS) -m '($(MARKS)) and not families' $(TESTS)

# Debian's Chromium is installed where apt may do so; without one the tests are skipped.
chromium:
	@command -v chromium chromium-browser google-chrome >/dev/null || \
	  { [ "$$(id -u)" = 0 ] && timeout 60 apt-get update -qq && timeout 90 apt-get install -y -qq chromium; } >/dev/null 2>&1 || \
	  echo "There is no Chromium and it could not be installed: the browser tests are skipped."

test-browser: $(STAMP) chromium  ## The tests in a real browser; installs Chromium where it may.
	OMP_NUM_THREADS=1 $(BIN)/pytest -m browser $(TESTS)

# In one process, which writes down what it has found; a link that breaks fails the target.
test-families: $(STAMP)  ## Every checkpoint and family through the whole chain; writes docs/support.md.
	OMP_NUM_THREADS=1 $(BIN)/pytest -m families tests/families; status=$$?; \
	  $(BIN)/python -m tests.families.table && exit $$status

bench: $(STAMP)  ## Every benchmark, one after the other.
	@for file in tests/benchmarks/bench_*.py; do \
	  name=$$(basename $$file .py); echo "== $$name"; \
	  OMP_NUM_THREADS=1 $(BIN)/python -m tests.benchmarks.$$name || exit 1; done

clean:  ## Remove what was built; .venv stays.
	rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find hf_vft tests -name __pycache__ -type d -prune -exec rm -rf {} +
