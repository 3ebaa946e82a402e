# Needs python3 >= 3.11 with its venv module; everything else goes into .venv.
# The plain commands behind the targets stand in docs/install.rst.

PYTHON ?= python3
VENV := .venv
BIN := $(if $(filter Windows_NT,$(OS)),Scripts,bin)
PY := $(VENV)/$(BIN)/python
READY := $(VENV)/.installed

# Real data sets, where they lie beside the repository and nothing else is said.
ifeq ($(SKHMC_DATA_HOME),)
ifneq ($(wildcard ../shared/data/clus),)
export SKHMC_DATA_HOME := $(abspath ../shared/data)
endif
endif

.DEFAULT_GOAL := help
.PHONY: help venv demo test slow distributed soak lint docs docs-check recipes wheel release nightly clean

help:
	@echo "make demo   train on real data and compare, from nothing (makes .venv first)"
	@echo "make test   run the fast test suite (makes .venv first)"
	@echo "make slow   run the tests that fit on whole real data sets"
	@echo "make distributed  run the tests on several processes: torch, and Dask"
	@echo "make soak   the long counts: 100,000 random hierarchies, 20,000 damaged files,"
	@echo "            100 kills and interruptions, 10,000 predictions from threads, 1,000"
	@echo "            fits; fails where one is silently wrong"
	@echo "make lint   check style and formatting with ruff, type hints with mypy"
	@echo "make docs   build the documentation into docs/_build/html"
	@echo "make docs-check  look at every built page in a headless Chromium"
	@echo "make recipes  run the recipes with MLflow, Optuna and others, in a venv of their own"
	@echo "make wheel  build the wheel into dist/"
	@echo "make release  build sdist and wheel, and test both with the oldest and newest"
	@echo "            versions of what they need, each in an empty environment"
	@echo "make nightly  run the fast tests with scikit-learn as it will be released next"
	@echo "make venv   make .venv with all development packages, if it is out of date"
	@echo "make clean  delete what the other targets made, except .venv"

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' \
	    || { echo "Needs Python 3.11 or newer with venv and ensurepip; $(PYTHON) is" \
	    "not. Say which to use: make PYTHON=/path/to/python3 ..." >&2; exit 1; }
	@echo "Installing skhmc and its development packages into $(VENV), in the exact"
	@echo "versions of constraints.txt. This is done once and takes some minutes."
	@test -x $(PY) || $(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --quiet -c constraints.txt -e ".[dev]"
	@touch $@

venv: $(READY)
	@echo "$(VENV) is ready; it is made again when pyproject.toml or constraints.txt" \
	    "change."

demo: $(READY)
	$(PY) -m benchmarks.demo

test: $(READY)
	$(PY) -m pytest -n auto --dist worksteal

slow: $(READY)
	$(PY) -m pytest -m slow -n auto --dist worksteal --durations=30 --durations-min=1

distributed: $(READY)
	$(PY) -m pytest -m distributed --durations=0 --durations-min=1

soak: $(READY)
	$(PY) -m benchmarks.soak --cases 100000
	$(PY) -m benchmarks.soak_files --cases 20000
	$(PY) -m benchmarks.soak_stops --stops 100
	$(PY) -m benchmarks.soak_calls --cases 200000
	$(PY) -m benchmarks.soak_ranks --kills 20
	$(PY) -m benchmarks.soak_scale --stops 20
	$(PY) -m benchmarks.soak_load --predictions 10000 --fits 1000

lint: $(READY)
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy

# Pages of source code are made anew: Sphinx keeps those whose module has not changed,
# with anchors of an earlier build.
docs: $(READY)
	rm -rf docs/_build/html/_modules
	$(PY) -m sphinx -E -W --keep-going -b html docs docs/_build/html
	@echo "Open docs/_build/html/index.html"

docs-check: $(READY)
	$(PY) docs/check_pages.py

# MLflow alone brings dozens of packages, and bounds of its own: another environment.
RECIPES := .venv-recipes
recipes:
	@test -x $(RECIPES)/bin/pip || $(PYTHON) -m venv $(RECIPES)
	$(RECIPES)/bin/pip install --quiet -e ".[onnx]" -r examples/recipes/requirements.txt
	$(RECIPES)/bin/python examples/recipes/run_all.py > benchmarks/results/recipes.txt
	@cat benchmarks/results/recipes.txt

wheel: $(READY)
	rm -rf build dist
	$(PY) -m build --wheel
	@ls dist

release:
	$(PYTHON) .ci/release.py

# The wheels that scientific projects build every night, in another environment. The
# address of their index is said by whoever runs this: NIGHTLY_WHEELS=https://...
NIGHTLY := .venv-nightly
nightly:
	@test -n "$(NIGHTLY_WHEELS)" || { echo "Say where the nightly wheels are:" \
	    "make nightly NIGHTLY_WHEELS=<index of scientific-python-nightly-wheels>" >&2; exit 1; }
	@test -d $(NIGHTLY) || $(PYTHON) -m venv $(NIGHTLY)
	$(NIGHTLY)/$(BIN)/python -m pip install --quiet -e ".[onnx,test]"
	$(NIGHTLY)/$(BIN)/python -m pip install --quiet --pre --upgrade \
	    --extra-index-url $(NIGHTLY_WHEELS) scikit-learn
	$(NIGHTLY)/$(BIN)/python -m pytest -n auto --dist worksteal

clean:
	rm -rf build dist docs/_build docs/api/generated docs/auto_examples
	rm -rf docs/coherence_rules.inc docs/layers.svg docs/sg_execution_times.rst demo_output
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find skhmc tests benchmarks examples docs -name __pycache__ -type d -prune \
	    -exec rm -rf {} +
