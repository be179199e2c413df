# Everything a contributor runs. Nothing has to be prepared: each target sets up what it needs, the second run starts in
# seconds. `make help` lists the targets.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV := .venv
BIN := $(VENV)/bin
PYTHON ?=
NAME ?=
ARGS ?=
# Most tests wait for a program most of the time, so more of them than there are cores run side by side. A file's tests
# stay together, for they share what they start; in their order, for those of Envoy are the longest and come early.
WORKERS ?= 3
BESIDE = -n $(WORKERS) --dist loadfile --no-loadscope-reorder

PIP := $(BIN)/python -m pip --disable-pip-version-check -q
# What an installation depends on. README and LICENSE are part of the metadata but change nothing that is installed.
RECIPE := pyproject.toml constraints.txt
RUNTIME := $(VENV)/.runtime-installed
DEV := $(VENV)/.dev-installed
# Some machines forbid it, and pay with a compilation of everything at each start of a program.
unexport PYTHONDONTWRITEBYTECODE

# Folders with Python in them; those that do not exist are left out.
CHECKED := $(wildcard xds tests benchmarks scripts/*.py filters/*.py compose/*.py)

.PHONY: help demo test coverage soak lint format bench filter lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' Makefile

demo: $(RUNTIME) ## real Envoys move users from v1 to v2, step by step (ARGS=--keep leaves them running)
	@$(BIN)/fairlead demo $(ARGS)

test: $(DEV) ## every test, on the real parts (ARGS=... goes to pytest, WORKERS=... of them side by side)
	@scripts/system-parts.sh test
	@$(BIN)/python -m pytest $(if $(ARGS),$(ARGS),$(BESIDE))

coverage: $(DEV) ## every test again, slower, to see that nine lines in ten and their branches are run
	@scripts/system-parts.sh test
	@$(BIN)/python -m pytest $(BESIDE) --cov --cov-report=term --cov-fail-under=93 $(ARGS)

soak: $(DEV) ## faults of registry, health, store, API and configuration, for as long as they take (SHARE=0.1: a tenth of it)
	@scripts/system-parts.sh test
	@FAIRLEAD_SOAK=$(or $(SHARE),1) $(BIN)/python -m pytest -m soak --timeout=4800 -s $(ARGS)

lint: $(DEV) ## formatting, ruff, mypy, the layers
	@$(BIN)/ruff format --check $(CHECKED)
	@$(BIN)/ruff check $(CHECKED)
	@$(BIN)/mypy $(CHECKED)
	@$(BIN)/lint-imports --no-logo

format: $(DEV) ## put the sources into shape
	@$(BIN)/ruff format $(CHECKED)
	@$(BIN)/ruff check --fix $(CHECKED)

bench: $(DEV) ## all benchmarks, or one: make bench NAME=codec
ifneq ($(NAME),)
	@$(BIN)/python -m benchmarks.$(NAME) $(ARGS)
else
	@for file in $$(grep -l '__name__ == "__main__"' benchmarks/[a-z]*.py); do \
		name=$$(basename $$file .py); echo "== $$name"; \
		$(BIN)/python -m benchmarks.$$name || exit 1; \
	done
endif

filter: $(DEV) ## build the Wasm filter from source, test it natively, compare it with the committed one
	@scripts/system-parts.sh filter
	@$(BIN)/python filters/build.py
	@$(BIN)/python filters/build.py --test
	@$(BIN)/python filters/build.py --check

lock: ## resolve the newest allowed versions into constraints.txt
	@rm -rf build/lock
	@PYTHON="$(PYTHON)" scripts/venv.sh build/lock
	@build/lock/bin/python -m pip --disable-pip-version-check -q install --upgrade pip
	@build/lock/bin/python -m pip --disable-pip-version-check -q install -e '.[envoy]' --group dev
	@{ echo '# Exact versions of the whole tree, for development, tests and the demo. Made by `make lock`.'; \
		build/lock/bin/python -m pip --disable-pip-version-check freeze --exclude-editable; } > build/constraints.txt
	@mv build/constraints.txt constraints.txt
	@rm -rf build/lock

clean: ## remove what make made
	@rm -rf $(VENV) build dist .coverage .coverage.* .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.made: scripts/venv.sh
	@PYTHON="$(PYTHON)" scripts/venv.sh $(VENV)
	@touch $@

$(RUNTIME): $(VENV)/.made $(RECIPE)
	@echo "fairlead: installing into $(VENV) (the first time takes a minute)"
	@$(PIP) install --upgrade 'pip>=25.1'
	@$(PIP) install -c constraints.txt -e '.[envoy]'
	@touch $@

$(DEV): $(RUNTIME)
	@$(PIP) install -c constraints.txt --group dev
	@touch $@
