# Everything one can do here. Each target does its own set-up from Python 3.11+ and the package registries.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
JOBS ?= 2

.PHONY: demo test fast check bench docs lock clean

demo: $(STAMP)  ## simulate a small study, run it, print its result table and the report's path
	$(BIN)/axilla demo --out demo

test: $(STAMP)  ## the tests, without the slow ones
	$(BIN)/pytest -n $(JOBS) -m "not slow"

fast: $(STAMP)  ## the quick tests only, stopping at the first failure
	$(BIN)/pytest -x -n $(JOBS) -m "not slow and not browser"

check: $(STAMP)  ## style, types, layers, generated docs
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python docs/generate.py --check

bench: $(STAMP)  ## measure; prints tables
	$(BIN)/python -m benchmarks

docs: $(STAMP)  ## write the generated pages anew
	$(BIN)/python docs/generate.py

lock:  ## choose the pinned versions anew (needs uv)
	uv pip compile pyproject.toml --group dev --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-header --quiet --upgrade --output-file requirements.txt

clean:
	rm -rf $(VENV) demo build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

$(STAMP): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "axilla needs Python 3.11 or newer; set PYTHON, e.g. make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $(STAMP)
