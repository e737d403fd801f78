# Two commands matter to a newcomer: `make demo` and `make test`.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip --disable-pip-version-check --quiet

.DEFAULT_GOAL := help
.PHONY: help demo test check format bench judge soak faults kubectl-plugin clean

help:  ## What there is
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 18

demo: $(VENV)/installed  ## A tour: a real server, real reviews, readable answers
	@$(BIN)/authsvc demo

test: $(VENV)/installed-test  ## Install what the tests need, and run them all
	@tests/install-debian-packages
	@$(MAKE) --no-print-directory $(VENV)/installed-fast
	$(BIN)/pytest -n 2 --dist loadgroup $(PYTEST_ARGS)

check: $(VENV)/installed-quality  ## Lint, format, types, layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/installed-quality  ## Put the code in form
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

bench: $(VENV)/installed-fast  ## Figures, into tests/benchmarks/README.md; some 25 minutes on an idle machine
	$(BIN)/python -m tests.benchmarks.reviews
	$(BIN)/python -m tests.benchmarks.disturbed

faults: $(VENV)/installed-fast  ## What a client sees while something goes wrong beside it, into the same README.md
	$(BIN)/python -m tests.benchmarks.faults

soak: $(VENV)/installed-fast  ## Ten minutes at full rate: does a worker grow? Into the same README.md
	$(BIN)/python -m tests.benchmarks.soak

judge: $(VENV)/installed-test  ## 200,000 decisions of random policies beside Casbin's enforcer; some 20 minutes
	$(BIN)/python -m tests.benchmarks.policy_judge

kubectl-plugin:  ## The kubectl plugin as one file: dist/kubectl-authsvc
	$(PYTHON) deploy/krew/build.py

clean:  ## Remove what was installed and built
	rm -rf $(VENV) build dist node_modules

# A stamp a set of dependencies: made again when pyproject.toml or the lock changes.
$(VENV)/installed: pyproject.toml requirements.lock | $(VENV)/bin/python
	$(PIP) install -c requirements.lock -e .
	@touch $@

$(VENV)/installed-test: $(VENV)/installed
	$(PIP) install -c requirements.lock -e '.[cel,redis]' --group test
	@touch $@

# gunicorn's parser in C has no wheels.
$(VENV)/installed-fast: $(VENV)/installed-test
	@command -v cc >/dev/null || \
		{ echo 'A C compiler is needed:  sudo apt-get install gcc libc6-dev python3-dev' >&2; exit 1; }
	$(PIP) install -c requirements.lock -e '.[fast]'
	@touch $@

$(VENV)/installed-quality: $(VENV)/installed-test
	$(PIP) install -c requirements.lock --group quality
	@touch $@

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo 'Python 3.11 or newer is needed; say where: make PYTHON=/path/to/python3' >&2; exit 1; }
	@PYTHON=$(PYTHON) tests/ensure-venv
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --upgrade 'pip>=25.1'
