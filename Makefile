# `make demo` and `make test` set everything up by themselves, in .venv inside the checkout.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
# where nothing compiled is kept, every test that starts livewell compiles it anew
unexport PYTHONDONTWRITEBYTECODE
STAMP := .venv/.installed

.PHONY: demo test test-long check format lock clean

demo: $(STAMP)  ## the main job once, on a simulated plate
	$(BIN)/livewell demo --out demo

test: check  ## everything that decides whether the project is whole, in under 8 minutes
	OMP_NUM_THREADS=1 $(BIN)/pytest -n auto --dist loadfile --no-loadscope-reorder --durations=20 -m "not long"

MARK ?= long
test-long: $(STAMP)  ## what takes longer, run before an issue is called resolved
	OMP_NUM_THREADS=1 $(BIN)/pytest -n auto --dist loadfile --no-loadscope-reorder --durations=20 -m "$(MARK)" \
	  -o faulthandler_timeout=900

check: $(STAMP)  ## style, types, architecture
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

format: $(STAMP)
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

lock: $(STAMP)  ## pin every package anew
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --group dev --all-extras \
	  --no-header --no-annotate --upgrade pyproject.toml -o requirements.lock

$(STAMP): requirements.lock pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python -r requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps -e .
	touch $(STAMP)

clean:
	rm -rf .venv demo
