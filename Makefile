# make demo   run the example under Capsula      make lint    style, types and layers
# make test   run all tests                      make wheel   build the wheel, test what it installs
# make bench  measure beside what others cost    (ROWS="trivial big", QUICK=1)
# make crash  fail at every operation, where `make test` tries a sample
# make fuzz   look for files that are read badly  (SECONDS=60 a reader, READERS="patch index")
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: demo test crash fuzz lint wheel bench clean

demo: .venv/demo
	$(BIN)/capsula monitor -i calculate-pi-cli $(BIN)/python examples/calculate_pi_cli.py --seed 1
	@echo
	@$(BIN)/capsula list -n 3
	@echo
	@echo "All about this run is in the newest directory below ./vault; to read it: $(BIN)/capsula show"

# Tests start Capsula thousands of times, and write no bytecode.
test: .venv/test
	$(BIN)/python -m compileall -q capsula
	$(BIN)/python -m pytest -n auto --dist worksteal

crash: .venv/test
	EVERY_OPERATION=1 $(BIN)/python -m pytest -n auto --dist worksteal tests/test_crashes.py

fuzz: .venv/test
	$(BIN)/python -m property_tests.fuzz $(if $(SECONDS),--seconds $(SECONDS)) $(READERS)

lint: .venv/lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

wheel: .venv/lint
	$(BIN)/python .ci/wheel.py

bench: .venv/demo
	$(BIN)/python -m benchmarks $(if $(QUICK),--quick) $(if $(ROWS),--rows $(ROWS))

.venv/made:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Capsula needs Python 3.11 or newer: make PYTHON=python3.11")'
	$(PYTHON) -m venv .venv
	$(PIP) install 'pip>=25.1'
	@touch $@

.venv/demo: .venv/made pyproject.toml
	$(PIP) install -e '.[examples]'
	@touch $@

.venv/test: .venv/demo
	$(PIP) install --group test --group scanner
	command -v cc >/dev/null || $(PIP) install --group compiler
	@touch $@

.venv/lint: .venv/test
	$(PIP) install --group lint
	@touch $@

clean:
	rm -rf .venv .bench dist vault
