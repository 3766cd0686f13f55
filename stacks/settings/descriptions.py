"""The JSON schema of a model, with the docstrings under its attributes as descriptions.

With `use_attribute_docstrings` pydantic would read and tokenise the source of every model whenever a program starts;
only messages, editors' schemas and reference pages need them.
"""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from typing import Any

from stacks.settings.fields import Model


def described_schema(model: type[Model]) -> dict[str, Any]:
    """What `model_json_schema` returns, and in it a `description` of every attribute that has a docstring."""
    schema = model.model_json_schema()
    classes = {each.__name__: each for each in (model, *_subclasses(Model))}
    for name, node in ((model.__name__, schema), *schema.get("$defs", {}).items()):
        # Other definitions are of enums, which have no attributes.
        docstrings = _docstrings(classes[name]) if name in classes else {}
        for key, entry in node.get("properties", {}).items():
            if key in docstrings:
                node["properties"][key] = dict(sorted({**entry, "description": docstrings[key]}.items()))
    return schema


def _subclasses(model: type[Model]) -> Iterator[type[Model]]:
    for each in model.__subclasses__():
        yield each
        yield from _subclasses(each)


@cache
def _docstrings(model: type[Model]) -> dict[str, str]:
    """Attribute -> docstring, those of the classes that it inherits from included."""
    inherited = [_docstrings(base) for base in model.__bases__ if issubclass(base, Model)]
    own = _by_class(model.__module__).get(model.__qualname__, {})
    return {key: text for each in (*inherited, own) for key, text in each.items()}


@cache
def _by_class(module: str) -> dict[str, dict[str, str]]:
    """Class -> attribute -> docstring, for the classes of a module."""
    tree = ast.parse(inspect.getsource(sys.modules[module]))
    return {node.name: dict(_in_body(node.body)) for node in tree.body if isinstance(node, ast.ClassDef)}


def _in_body(body: list[ast.stmt]) -> Iterator[tuple[str, str]]:
    for statement, after in pairwise(body):
        match statement, after:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                yield name, inspect.cleandoc(text)
            case _:
                pass
