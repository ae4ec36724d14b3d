# make demo   train, simulate the gateware and check it, from nothing but Python, make and a C++ compiler
# make test   lint and all tests that take less than a minute each
# make fuzz   damaged files, hostile devices and hosts, thousands of each, with figures; some 10 minutes
# make prove  proofs of components for every cycle, and broken copies that they refute; some 2 minutes
# They make .venv themselves; everything comes from PyPI.

VENV ?= .venv
# Processes that run tests at the same time.
WORKERS ?= 2

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
BIN := $(VENV)/bin
CANDIDATES := python3 python3.14 python3.13 python3.12 python3.11 python
# Tests run make themselves: keep our own flags out of it.
unexport MAKEFLAGS MAKELEVEL MFLAGS

.PHONY: help demo test lint fuzz prove warm clean

help:
	@sed -n 's/^# make /make /p' Makefile

demo: $(VENV)/demo.stamp
	@$(BIN)/attractor demo

test: lint warm
	@$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

lint: $(VENV)/dev.stamp
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/pyright --warnings --pythonpath $(BIN)/python
	@# Imported first: the package says only then that it lies in four folders.
	@$(BIN)/python -c 'import attractor, importlinter.cli as cli; cli.lint_imports_command()'

fuzz: $(VENV)/dev.stamp
	@$(BIN)/python benchmarks/fuzz.py --workers $(WORKERS)

prove: $(VENV)/dev.stamp
	@$(BIN)/python -m tests.prove

# The first run of each WebAssembly tool compiles it, which takes a minute and up to 1.7 GB: one after the other, here,
# and not in several tests at once.
warm: $(VENV)/dev.stamp
	@for tool in yosys nextpnr-ice40 nextpnr-ecp5; do $(BIN)/yowasp-$$tool --version >/dev/null 2>&1; done
	@cd $(VENV) && for tool in icepack ecppack; do bin/yowasp-$$tool --help >/dev/null 2>&1 || true; done

clean:
	rm -rf $(VENV) build dist

# What is installed follows pyproject.toml; our own packages are installed in place.
$(VENV)/%.stamp: pyproject.toml | $(BIN)/python
	@echo "installing attractor[$*] into $(VENV)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[$*]'
	@touch $@

$(BIN)/python:
	@for python in $${PYTHON:-$(CANDIDATES)}; do \
	  if command -v "$$python" >/dev/null && "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	    echo "making $(VENV) with $$("$$python" --version)"; \
	    "$$python" -m venv $(VENV) || { echo "venv failed; on Debian and Ubuntu: apt install python3-venv" >&2; rm -rf $(VENV); exit 1; }; \
	    exit 0; \
	  fi; \
	done; \
	echo "attractor needs Python 3.11 or newer, found none among: $${PYTHON:-$(CANDIDATES)}; name one with make PYTHON=..." >&2; \
	exit 1
