# Each target is safe to repeat.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# LiveKit's dependencies and the engine's do not have to agree on versions.
LIVEKITS := .venv-livekit-lowest .venv-livekit-newest
STACK ?= local

.PHONY: help setup up down test unit integration contract lint

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.installed ## Make .venv with the turnscope command

$(VENV)/.installed: requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Turnscope needs Python 3.11 or newer; PYTHON=... make names another")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

up: setup ## Deploy the local stack and send a real agent's log through it
	$(BIN)/turnscope up $(STACK) --yes
	$(BIN)/turnscope lab send --stack $(STACK)

down: setup ## Tear the local stack down
	$(BIN)/turnscope teardown $(STACK) --yes

test: lint unit integration contract ## Everything that CI runs

unit: setup ## Unit tests: no engine, no network
	$(BIN)/python -m pytest tests/unit -n auto

integration: setup ## Integration tests: real engine, providers and containers; AWS emulated
	$(BIN)/turnscope toolchain --all --yes
	tests/install_validators.sh
	$(BIN)/python -m pytest tests/integration

contract: setup $(LIVEKITS:%=%/.installed) ## Contract tests: the real livekit-agents, lowest supported and newest
	$(BIN)/turnscope toolchain --all --yes
	for venv in $(LIVEKITS); do PYTHONPATH=. $$venv/bin/python -m pytest tests/contract/test_agent_livekit.py || exit 1; done
	TURNSCOPE_LIVEKIT_PYTHONS=.venv-livekit-lowest/bin/python:.venv-livekit-newest/bin/python \
		$(BIN)/python -m pytest tests/contract/test_content.py

.venv-livekit-%/.installed: requirements-livekit-%.lock
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

lint: setup ## Formatting, lint, types, generated files
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/pyright --project pyproject.toml
	$(BIN)/turnscope settings
