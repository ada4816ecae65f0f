# Usher's commands for people. Needs make and Python 3.11 or newer, nothing else; everything goes into .venv.
# Plain enough for the make 3.81 that comes with macOS.

VENV := .venv
BIN := $(VENV)/bin
# Set PYTHON=... to choose one. Else numbered ones first: the newest python3 may be newer than the wheels we depend on.
PYTHON :=
PYTHONS := $(if $(PYTHON),"$(PYTHON)",python3.13 python3.12 python3.14 python3.11 python3 python)

# Stamps, so that an environment is made once, and made anew when what it was made from has changed.
CREATED := $(VENV)/created.stamp
CAN_RUN := $(VENV)/can-run.stamp
CAN_DEVELOP := $(VENV)/can-develop.stamp
CAN_AUDIT := $(VENV)/can-audit.stamp

PIP_INSTALL := PIP_DISABLE_PIP_VERSION_CHECK=1 $(BIN)/python -m pip install --quiet --editable

# What measures times, or needs the machine to itself.
MEASURED := tests/bench tests/unit/cel/test_cel_evaluation.py tests/unit/cel/test_cel_hostile.py \
	tests/integration/test_ledger_beside_load.py tests/integration/test_ledger_failing.py \
	tests/integration/test_ledger_same_name.py tests/integration/test_crowded.py tests/integration/test_soak.py \
	tests/integration/test_reload_memory.py tests/integration/test_reload_under_load.py

# Files with few and long tests come first: at the end they would keep one process busy and the other idle.
LONGEST_FIRST := tests/docs tests/integration tests/policies tests/unit tests/contract policies

.PHONY: help run test test-long check lint types contracts policies format build bench audit clean

help: ## print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

run: $(CAN_RUN) ## start the service with the shipped policies, ask it once, leave it running
	@$(BIN)/usher demo

# What measures times or prints figures of its own runs by itself, the rest on two processes: with more, tests begin to wait for each other.
test: policies ## all tests, of the shipped policies and of the service
	@$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(addprefix --ignore=,$(MEASURED)) $(LONGEST_FIRST)
	@$(BIN)/python -m pytest $(MEASURED)

test-long: $(CAN_DEVELOP) ## all tests, with many more examples for each law
	@USHER_LONG_TESTS=1 $(BIN)/python -m pytest

check: lint types contracts test ## everything that must hold before a change goes in

lint: $(CAN_DEVELOP) ## style and form (ruff)
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check

format: $(CAN_DEVELOP) ## put the code into form (ruff)
	@$(BIN)/ruff format

types: $(CAN_DEVELOP) ## types (mypy, strict)
	@$(BIN)/mypy

contracts: $(CAN_DEVELOP) ## who may import whom (import-linter)
	@$(BIN)/lint-imports

policies: $(CAN_DEVELOP) ## the policies in this checkout: checked, tested, and whether their tests notice what is made wrong
	@$(BIN)/usher check policies --strict
	@$(BIN)/usher test policies --threshold 100 --mutant-threshold 95

# build/ goes first: setuptools would ship what it finds there, deleted policies included.
build: $(CAN_DEVELOP) ## wheel and source distribution, into dist/
	@rm -rf build dist service/okta_usher.egg-info
	@$(BIN)/python -m build

bench: $(CAN_DEVELOP) ## how fast it is on this machine, side by side with a hard-coded answer
	@$(BIN)/python -m tests.bench

# Not part of `check`: it asks a service on the network, and what it says changes without a change here. `--strict` takes
# a package that nobody could be asked about for a fault; Usher itself is left out, since no one knows this checkout.
audit: $(CAN_AUDIT) ## known vulnerabilities in what is installed here (pip-audit; asks over the network)
	@$(BIN)/python -m pip freeze --exclude-editable | \
		$(BIN)/python -m pip_audit --strict --no-deps --disable-pip --requirement /dev/stdin

clean: ## remove what was made here, the environment included
	rm -rf $(VENV) build dist service/okta_usher.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis \
		.import_linter_cache .coverage
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(CREATED): setup.cfg pyproject.toml
	@found=; bare=; \
	for python in $(PYTHONS); do \
		"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue; \
		if "$$python" -c 'import ensurepip, venv' 2>/dev/null; then found=$$python; break; fi; \
		bare=$$python; \
	done; \
	if [ -z "$$found" ] && [ -n "$$bare" ]; then \
		echo "make: $$bare cannot make virtual environments; on Debian and Ubuntu: apt-get install python3-venv" >&2; \
		exit 1; \
	elif [ -z "$$found" ]; then \
		echo "make: no Python 3.11 or newer found; install one, or name it: make PYTHON=/path/to/python3 ..." >&2; \
		exit 1; \
	fi; \
	echo "making $(VENV) with $$("$$found" --version); this takes a minute, once" >&2; \
	"$$found" -m venv --clear $(VENV)
	@touch $@

$(CAN_RUN): $(CREATED)
	@$(PIP_INSTALL) .
	@touch $@

$(CAN_DEVELOP): $(CREATED)
	@$(PIP_INSTALL) '.[dev]'
	@touch $(CAN_RUN) $@

$(CAN_AUDIT): $(CREATED)
	@$(PIP_INSTALL) '.[audit]'
	@touch $(CAN_RUN) $@
