# The two commands that a newcomer needs are `make demo` and `make test`; a developer's loop is `make check`.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
# Targets are steps of one job, each parallel inside.
.NOTPARALLEL:

PYTHON ?= python3
export PYTHON

BIN := .venv/bin
# meson and ninja of the lock, before those of the system
export PATH := $(CURDIR)/$(BIN):$(PATH)

DEMO_SITE := examples/laptop/site.tvs

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: setup
setup: ## install what is missing: Debian packages (needs root if there are any) and .venv
	@setup/apt.sh
	@setup/venv.sh

.PHONY: venv
venv: ## make .venv with the locked versions
	@setup/venv.sh

.PHONY: demo
demo: setup ## compile the laptop example, bring it up, show real HTTP through it (root)
	@setup/demo.sh $(DEMO_SITE)

.PHONY: check
check: lint runtime-test unit-test ## the quick loop: format, lint, types, unit tests, C tests under ASan and UBSan (no root)

.PHONY: test
test: setup lint runtime-test runtime-clang bench-check ## everything: check, clang, instruction counts, slow tests and the lab (root)
	@setup/with-hugepages.sh $(BIN)/pytest --no-skips

.PHONY: lint
lint: venv ## layout, lint and types of the Python code
	@$(BIN)/ruff format --diff --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy

.PHONY: unit-test
unit-test: venv ## the tests that are quick and need no root
	@$(BIN)/pytest -q -m "not lab and not slow"

.PHONY: format
format: venv ## lay out Python and C as `make check` wants it
	@$(BIN)/ruff format .
	@git ls-files -z 'runtime/*.c' 'runtime/*.h' | xargs -0r clang-format -i

.PHONY: runtime-test
runtime-test: venv ## the runtime's C unit tests, gcc, ASan and UBSan
	@setup/runtime-test.sh gcc

.PHONY: runtime-clang
runtime-clang: venv ## the same with clang
	@setup/runtime-test.sh clang

.PHONY: bench-check
bench-check: venv ## instructions per packet, compared with those recorded (needs valgrind)
	@runtime/bench/instructions.sh

.PHONY: lock
lock: ## renew requirements*.lock from pyproject.toml (needs the network)
	@setup/lock.sh

.PHONY: clean
clean: ## remove everything that was built; .venv stays
	@rm -rf build dist out .mypy_cache .pytest_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +

.PHONY: distclean
distclean: clean ## clean, and remove .venv
	@rm -rf .venv
