"""The names and kinds of inputs in an SDK of Pulumi, to compare with what the bridge expects (`toolchain.compare`)."""

from __future__ import annotations

import sys
import typing
from collections.abc import Mapping, Sequence
from typing import Any

import pulumi
from pulumi._types import input_type_py_to_pulumi_names, is_input_type

from toolchain.compare import Shape
from toolchain.tokens import Package


def sdk_shape(args: type) -> dict[str, Shape]:
    """The shape of an SDK's `...Args` class, with the names that travel."""
    names = {**vars(sys.modules[args.__module__]), "Output": pulumi.Output, "T": Any}
    hints = typing.get_type_hints(args.__init__, names)
    return {sent: _sdk_value(hints[name]) for name, sent in input_type_py_to_pulumi_names(args).items()}


def differences(sdk: Shape, bridge: Shape, path: str = "") -> list[str]:
    """Paths of what the SDK can send and the bridge does not take in that shape."""
    if isinstance(sdk, dict) and isinstance(bridge, dict):
        found = []
        for name in sorted(sdk):
            here = f"{path}.{name}" if path else name
            found += differences(sdk[name], bridge[name], here) if name in bridge else [here]
        return found
    if isinstance(sdk, list) and isinstance(bridge, list) and sdk[0] == bridge[0]:
        return differences(sdk[1], bridge[1], f"{path}[]")
    return [] if sdk == bridge else [path]


def translated(package: Package, token: str, shape: dict[str, Shape]) -> dict[str, Shape]:
    """An SDK's shape under the names, and in the lists, that the plugin gives its properties."""
    renames = package.renames(token)
    found = {renames.get(name, name): value for name, value in shape.items()}
    for block, listed in package.blocks.get(token, {}).items():
        entries, _, name = block.partition("[].")
        entry = found[entries]
        assert isinstance(entry, list)
        assert isinstance(entry[1], dict)
        inner = {key: value for key, value in entry[1].items() if key != name}
        found[entries] = [entry[0], {**inner, listed: ["list", entry[1][name]]}]
    return found


def arguments_class(module: Any, resource: str) -> type:
    """The class of a resource's arguments; where a nested type has its name, the SDK calls it `...InitArgs`."""
    return getattr(module, f"{resource}InitArgs", None) or getattr(module, f"{resource}Args")


def _sdk_value(hint: Any) -> Shape:
    if isinstance(hint, type) and is_input_type(hint):
        return sdk_shape(hint)
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (list, Sequence):
        return ["list", _sdk_value(arguments[0])]
    if origin in (dict, Mapping):
        return ["map", _sdk_value(arguments[1])]
    # Input[X] is a union of X, an awaitable and an output of it; Optional adds None.
    shapes = [_sdk_value(item) for item in arguments if "Awaitable" not in str(typing.get_origin(item))]
    return next((shape for shape in shapes if shape != "value"), "value") if origin else "value"
