"""A stack's configuration as the engine passes it to a program (observed with CLI 3.200)."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import yaml
from pulumi.runtime import config as engine_config

from stacks.settings.loading import stack_file

PULUMI_YAML = Path(__file__).parents[1] / "Pulumi.yaml"


@contextmanager
def engine(
    project: Path, secrets: Mapping[str, str] = {}, *, stack: str = "dev", in_sdk: bool = False
) -> Iterator[dict[str, str]]:
    """The configuration of a stack's file while the context lasts; `secrets` are the values of `{secure: ...}`.

    Right under `config` every scalar is text and null the empty one; structures are JSON, decrypted as a whole;
    what `Pulumi.yaml` declares and the file lacks has its default. `in_sdk`: set in the SDK as the automation API
    does, else in the environment as the language host does.
    """
    text = stack_file(stack, project).read_text()
    typed = yaml.safe_load(text)["config"]
    texts_of_scalars = yaml.load(text, Loader=yaml.BaseLoader)["config"]  # noqa: S506 - makes only text
    declared = yaml.safe_load(PULUMI_YAML.read_text())["config"]
    texts = {f"turnscope:{key}": json.dumps(entry["default"]).strip('"') for key, entry in declared.items()}
    encrypted = []

    def decrypted(value: Any) -> Any:
        if isinstance(value, list):
            return [decrypted(entry) for entry in value]
        if isinstance(value, dict):
            return secrets[value["secure"]] if "secure" in value else {k: decrypted(v) for k, v in value.items()}
        return value

    for key, value in typed.items():
        if isinstance(value, (dict, list)):
            texts[key] = json.dumps(decrypted(value))
            encrypted += [key] if decrypted(value) != value else []
        else:
            texts[key] = "" if value is None else texts_of_scalars[key]
    # Left over from a run of the SDK in another test, the one would hide the other.
    token = engine_config.CONFIG.set({})
    environment = {"PULUMI_CONFIG": json.dumps(texts), "PULUMI_CONFIG_SECRET_KEYS": json.dumps(encrypted)}
    try:
        if in_sdk:
            engine_config.set_all_config(texts, encrypted)
            environment = {}
        with patch.dict(os.environ, environment):
            yield texts
    finally:
        engine_config.set_all_config({}, [])
        engine_config.CONFIG.reset(token)
