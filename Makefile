# `make demo` and `make test` need Python 3.11 or newer and make, nothing else.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
OUT    ?= demo-out

.PHONY: compiled interpreted test-compiled demo test lint types bench fuzz faults vectors clean

$(STAMP): pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@

demo: $(STAMP)
	$(BIN)/rsc-share demo --out $(OUT)

# Of the sources, as they stand: `test-compiled` is the other one.
test: $(STAMP) interpreted
	$(BIN)/python -m pytest -n auto

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache

types: $(STAMP)
	$(BIN)/mypy

bench: $(STAMP)
	$(BIN)/python bench/core.py
	$(BIN)/python bench/store.py
	$(BIN)/python bench/node_store.py --messages 600
	$(BIN)/python bench/end_to_end.py --messages 600
	$(BIN)/python bench/latency.py --seconds 5 --bulk 64MiB
	$(BIN)/python bench/floor.py --messages 256 --rounds 3 --seconds 3
	$(BIN)/python bench/soak.py --entries 20000
	$(BIN)/python bench/soak.py --sessions 100
	$(BIN)/python bench/soak.py --attachment 100MiB

# Ten minutes for every family of parsers, two at a time: a little more than an hour. The suite has a short version.
FUZZ_SECONDS ?= 600
fuzz: $(STAMP) interpreted
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[fuzz]'
	$(BIN)/python tests/fuzz/run.py --seconds $(FUZZ_SECONDS)

# Less than an hour on two cores. What measures has the machine to itself, and says how far it is; on one that is busy
# the rates are too low and say so.
faults: $(STAMP) interpreted
	$(BIN)/python -m pytest -m slow -n auto --dist loadfile --ignore tests/faults
	$(BIN)/python -m pytest -m slow tests/faults -v --durations=0 -o log_cli=true -o log_cli_level=INFO \
	  -o log_cli_format='%(asctime)s %(message)s'

# Writes docs/vectors and docs/schemas again from the code.
vectors: $(STAMP)
	$(BIN)/python -m rsc_share.testing.vectors docs/vectors
	$(BIN)/python -m rsc_share.messages.schemas docs/schemas

# The same program, an audit's replay faster still (ADR 0068). Needs a C compiler; nothing else here does.
compiled: $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[compiled]'
	$(BIN)/python tools/compile.py

interpreted:
	$(PYTHON) tools/compile.py --remove

# What is decided, compiled: the tests that decide, check and audit. `-rs` names what cannot be tested that way, and why.
test-compiled: compiled
	RSC_COMPILED=1 $(BIN)/python -m pytest -n auto -rs tests/core tests/log tests/policy tests/envelope tests/charter \
	  tests/rulebook tests/audit tests/attacks tests/docs

clean: interpreted
	rm -rf $(VENV) $(OUT) $(OUT)-network .mypy_cache .ruff_cache .pytest_cache
