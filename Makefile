# Each target is safe to repeat.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
AGENT_VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' agent/pyproject.toml)
AGENT_WHEEL := agent/dist/turnscope_agent-$(AGENT_VERSION)-py3-none-any.whl
AGENT_MODULES := $(wildcard agent/turnscope_agent/*.py) agent/turnscope_agent/py.typed
# LiveKit's dependencies and the engine's do not have to agree on versions.
LIVEKITS := .venv-livekit-lowest .venv-livekit-newest
STACK ?= local
# Two for each core: much of what integration tests do is to wait.
WORKERS ?= $(shell expr 2 \* $$(getconf _NPROCESSORS_ONLN))
PYTEST := $(BIN)/python -m pytest -n $(WORKERS)
LIVEKIT := TURNSCOPE_LIVEKIT_PYTHONS=.venv-livekit-lowest/bin/python:.venv-livekit-newest/bin/python

# pip would compile everything, in one process: for longer than it installs.
UNCOMPILED := /tests?/

.PHONY: help setup install agent ahead up down test unit integration contract faults toolchain prepare lint locks

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.installed ## Make .venv with the turnscope command, for stack local and for development

install: $(VENV)/.installed-production ## Make .venv with only what deploying to AWS needs

$(VENV)/.installed: requirements-dev.lock
$(VENV)/.installed-production: requirements.lock
$(VENV)/.installed $(VENV)/.installed-production: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Turnscope needs Python 3.11 or newer; PYTHON=... make names another")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --require-hashes -r $(filter %.lock,$^)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	$(BIN)/python -m compileall -q -j 0 -x '$(UNCOMPILED)' $(VENV)/lib
	@touch $@

agent: $(AGENT_WHEEL) ## Build the agent library's wheel in agent/dist

# Of a copy: setuptools writes beside its sources, and file modes and times of a checkout would make equal sources
# different wheels. The folder is named too because a removed module changes nothing else.
$(AGENT_WHEEL): agent/pyproject.toml agent/README.md agent/turnscope_agent $(AGENT_MODULES) | setup
	rm -rf agent/build agent/dist
	mkdir -p agent/build/turnscope_agent
	install -m 644 agent/pyproject.toml agent/README.md agent/build
	install -m 644 $(AGENT_MODULES) agent/build/turnscope_agent
	umask 022 && SOURCE_DATE_EPOCH=315532800 $(BIN)/python -m pip wheel --quiet --disable-pip-version-check \
		--no-deps --no-build-isolation --wheel-dir agent/dist agent/build
	rm -rf agent/build
	@touch $@

# What compiles longest starts before there is a .venv.
up: $(if $(wildcard $(VENV)/.installed),,ahead) setup ## Deploy the local stack and send recorded calls of a real agent through both halves
	$(BIN)/turnscope up $(STACK) --yes
	$(BIN)/turnscope lab send --stack $(STACK)

ahead:
	@$(PYTHON) -m toolchain &

down: setup ## Tear the local stack down
	$(BIN)/turnscope teardown $(STACK) --yes

test: lint prepare ## Everything that CI runs
	$(LIVEKIT) $(PYTEST) tests/unit tests/integration tests/contract

unit: setup ## Unit tests: no engine, no network
	$(PYTEST) tests/unit

integration: setup toolchain ## Integration tests: real engine, providers and containers; AWS emulated
	$(PYTEST) tests/integration

contract: prepare ## Contract tests: the agent's wheel with livekit-agents, lowest supported and newest
	$(LIVEKIT) $(PYTEST) tests/contract

toolchain: setup
	$(BIN)/turnscope toolchain --all --yes
	tests/install_validators.sh

prepare: setup toolchain $(LIVEKITS:%=%/.agent)

faults: setup toolchain ## Killed deployments, lost machines and zones (long; not in make test)
	$(BIN)/python -m pytest tests/faults

.venv-livekit-%/.installed: requirements-livekit-%.lock
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

# Else make deletes it, as a step between two files.
.PRECIOUS: .venv-livekit-%/.installed

.venv-livekit-%/.agent: .venv-livekit-%/.installed $(AGENT_WHEEL)
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --force-reinstall $(AGENT_WHEEL)
	$(@D)/bin/python -m pip check --disable-pip-version-check
	@touch $@

lint: setup ## Formatting, lint, types, generated files
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/pyright --project pyproject.toml
	$(BIN)/turnscope settings

# What is in a lock stays at its version unless UPGRADE=--upgrade (docs/how-to/dependencies.md). setuptools installs
# Turnscope itself, in a production environment too.
UV ?= uv
LOCK = $(UV) pip compile --quiet --generate-hashes --no-header --no-annotate --python-version 3.11 $(UPGRADE)
locks: ## Renew the lock files, which needs uv
	$(LOCK) pyproject.toml --extra lab --extra dev --output-file requirements-dev.lock
	echo setuptools | $(LOCK) pyproject.toml - --constraints requirements-dev.lock --output-file requirements.lock
	printf '%s\n' livekit-agents==1.8.2 pytest | $(LOCK) agent/pyproject.toml - --output-file requirements-livekit-lowest.lock
	echo pytest | $(LOCK) agent/pyproject.toml - --output-file requirements-livekit-newest.lock
