"""YAML files as plain data, with the line of every key.

Scalars resolve as Pulumi's own YAML reader resolves them (measured with CLI 3.200): `yes`, `1:30` and dates stay
text, keys are always text. A SafeLoader would disagree, and fails on `2025-13-45`.
"""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from yaml.composer import Composer
from yaml.parser import Parser
from yaml.reader import Reader, ReaderError
from yaml.resolver import BaseResolver
from yaml.scanner import Scanner

from core.errors import UserError

Location = tuple[str | int, ...]
"""Where a value stands: keys of mappings and indexes of lists."""


@dataclass(frozen=True)
class Problem:
    """One mistake; `line` counts from 1."""

    file: str
    line: int | None
    text: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file
        return f"{where}: {self.text}"


@dataclass
class Document:
    """A file's data, the line of each value by location, and what is wrong with the file as YAML."""

    file: str
    data: Any = None
    lines: dict[Location, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def read(path: Path) -> Document:
    """A file's content; `UserError` when it cannot be read or is not YAML at all."""
    return parse(text_of(path), shown(path))


def text_of(path: Path) -> str:
    """A file's text; `UserError` when it cannot be read or is not UTF-8."""
    file = shown(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"{file}: cannot be read: {error.strerror}") from None
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise UserError(f"{file}:{line}: not UTF-8: byte 0x{content[error.start]:02x}") from None


def parse(text: str, file: str) -> Document:
    """A text's content; `file` is what messages call it. `UserError` when it is not YAML at all."""
    try:
        root = _compose(text)
    except ReaderError as error:
        line = text[: error.position].count("\n") + 1
        raise UserError(f"{file}:{line}: not valid YAML: control character {error.character:#04x}") from None
    except yaml.MarkedYAMLError as error:
        at = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        raise UserError(
            f"{file}{at}: not valid YAML: {', '.join(filter(None, (error.context, error.problem)))}"
        ) from None
    except RecursionError:
        raise UserError(f"{file}: not valid YAML: nested too deeply") from None
    document = Document(file)
    document.data = None if root is None else _plain(root, (), (), document)
    return document


def shown(path: Path) -> str:
    """A path as a message names it: from the current directory when it is below."""
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def dotted(location: Location) -> str:
    return ".".join(map(str, location))


def _compose(text: str) -> yaml.Node | None:
    """With libyaml where PyYAML was built with it, ten times as fast; what it refuses is read again by the parser in
    Python, whose messages say where."""
    if _FastLoader:
        with contextlib.suppress(yaml.YAMLError):
            return yaml.compose(text, Loader=_FastLoader)
    return yaml.compose(text, Loader=_Loader)  # pyright: ignore[reportArgumentType]


class _Loader(Reader, Scanner, Parser, Composer, BaseResolver):
    def __init__(self, stream: str) -> None:
        Reader.__init__(self, stream)
        Scanner.__init__(self)
        Parser.__init__(self)
        Composer.__init__(self)
        BaseResolver.__init__(self)


_FastLoader: type[Any] | None = type("_FastLoader", (yaml.CBaseLoader,), {}) if yaml.__with_libyaml__ else None
_TAG = "tag:yaml.org,2002:"
for _name, _pattern, _first in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?(0|[1-9][0-9_]*)", list("-+0123456789")),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.inf|\.nan", list("-+.0123456789")),
):
    # The first match counts, so that 10 is an integer though it is a decimal number too.
    for _loader in filter(None, (_Loader, _FastLoader)):
        _loader.add_implicit_resolver(_TAG + _name, re.compile(f"^(?:{_pattern})$"), _first)


def _plain(node: yaml.Node, at: Location, above: tuple[yaml.Node, ...], document: Document) -> Any:
    """A node as plain data; fills the document's lines and problems on the way."""

    def problem(where: yaml.Node, location: Location, text: str) -> None:
        line = where.start_mark.line + 1
        document.problems.append(Problem(document.file, line, f"{dotted(location) or 'the file'}: {text}"))

    above = (*above, node)
    if isinstance(node, yaml.ScalarNode):
        value = _scalar(node)
        if value is _UNREADABLE:
            problem(node, at, f"tag {node.tag.replace(_TAG, '!!')} is not allowed here")
            return None
        return value
    if any(child is seen for child in _children(node) for seen in above):
        problem(node, at, "contains itself (a YAML alias to a mapping or list around it)")
        return None
    if isinstance(node, yaml.SequenceNode):
        items = []
        for index, item in enumerate(node.value):
            document.lines[*at, index] = item.start_mark.line + 1
            items.append(_plain(item, (*at, index), above, document))
        return items
    entries: dict[str, Any] = {}
    for key_node, value_node in node.value:
        if not isinstance(key_node, yaml.ScalarNode):
            problem(key_node, at, "a mapping or list as a key: allowed: a string")
            continue
        location = (*at, key_node.value)
        if key_node.value in entries:
            problem(key_node, location, f"appears twice, first on line {document.lines[location]}")
            # The last one counts, as for Pulumi; nothing that stood below the first one is there any more.
            document.lines = {at: line for at, line in document.lines.items() if at[: len(location)] != location}
        document.lines[location] = key_node.start_mark.line + 1
        entries[key_node.value] = _plain(value_node, location, above, document)
    return entries


def _children(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [value for _, value in node.value]
    return node.value if isinstance(node, yaml.SequenceNode) else []


_UNREADABLE = object()


def _scalar(node: yaml.ScalarNode) -> Any:
    text = node.value
    try:
        match node.tag.removeprefix(_TAG):
            case "str":
                return text
            case "null":
                return None
            case "bool":
                return {"true": True, "false": False}[text.lower()]
            case "int":
                return int(text.replace("_", ""))
            case "float":
                return float(text.replace(".inf", "inf").replace(".nan", "nan"))
    except (ValueError, KeyError):
        pass
    return _UNREADABLE
