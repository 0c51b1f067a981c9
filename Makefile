# make demo | test (what is quick) | check (all, as CI) | golden | bench | figures. Everything lives in .venv; only git, Python 3.11+ and make are needed.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
# The wheels of PyTorch that fit constraints.txt may lie in an index of their own; pip finds it by its own settings.

.PHONY: demo test test-all lowest check lint types contracts golden bench figures clean

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11) and 'isthmus needs Python 3.11 or newer')"
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -c constraints.txt torch
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[train,evaluate,openvino,scale,studio,zarr,dev]'
	touch $@

demo: $(READY)
	$(BIN)/isthmus demo -o demo --force

test: $(READY)
	$(BIN)/python -m pytest -m "not slow"

test-all: $(READY)
	$(BIN)/python -m pytest

# the light wing without PyTorch, with the lowest versions that pyproject.toml allows
lowest: constraints-lowest.txt
	$(PYTHON) -m venv .venv-lowest
	.venv-lowest/bin/python -m pip install --quiet -c constraints-lowest.txt -e . pytest pytest-timeout hypothesis
	.venv-lowest/bin/python -m pytest -m "not slow" tests/codec tests/container tests/entropy tests/golden tests/imaging \
		tests/metrics tests/packs tests/properties tests/transforms tests/contracts/test_doctests.py tests/end_to_end/test_rate.py

check: lint types contracts test-all lowest

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)
	$(BIN)/mypy

contracts: $(READY)
	$(BIN)/lint-imports

golden: $(READY)
	$(BIN)/python -m tests.golden.make_golden

bench: $(READY)
	$(BIN)/python benchmarks/digits.py

# of the runs that docs/recipes.md names: make figures RUNS=runs DATA=../shared/data
RUNS ?= runs
DATA ?= ../shared/data
figures: $(READY)
	$(BIN)/python benchmarks/figures.py --runs $(RUNS) --data $(DATA) -o docs/figures
	$(BIN)/python benchmarks/studio.py --picture $(DATA)/kodak/kodim21.png --figures docs/figures

clean:
	rm -rf .venv .venv-lowest demo build dist
