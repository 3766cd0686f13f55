"""Content from files: the shipped library, and a stack's own folder over it.

    dashboards/*.yaml  rules/*.yaml  views/*.yaml      documents (`signoz.content.schema`), after Jinja2
    dashboards/*.json  rules/*.json  views/*.json  channels/*.json  policies/*.json  downtimes/*.json
                                                       what the API takes, as it is

Every mistake in every file is reported at once, in one `UserError`, with file and line.
"""

from __future__ import annotations

import json
import re
import traceback
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any, Generic, TypeVar

import jinja2
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from core.errors import UserError
from core.templating import bytecode_cache
from signoz.content.model import ContentObject, Kind
from signoz.content.schema import AlertRule, Dashboard, SavedView
from stacks.settings.descriptions import described_schema
from stacks.settings.documents import Document, Location, Problem, dotted, parse, shown, text_of
from stacks.settings.problems import error_location, error_text, nearest, raise_if_any
from stacks.settings.schema import Node, child, resolved

LIBRARY = Path(__file__).parent / "library"
GUIDE = "Format of the files: docs/how-to/content.md"

ContentDocument = Dashboard | AlertRule | SavedView
DocumentT = TypeVar("DocumentT", Dashboard, AlertRule, SavedView)
SCHEMAS: dict[Kind, type[ContentDocument]] = {
    Kind.DASHBOARD: Dashboard,
    Kind.ALERT_RULE: AlertRule,
    Kind.SAVED_VIEW: SavedView,
}
FOLDERS = {
    "dashboards": Kind.DASHBOARD,
    "rules": Kind.ALERT_RULE,
    "views": Kind.SAVED_VIEW,
    "channels": Kind.CHANNEL,
    "policies": Kind.ROUTE_POLICY,
    "downtimes": Kind.DOWNTIME,
}
"""Folders, and what is in them."""
KEY = re.compile("[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
SET_BY_SIGNOZ = ("id", "createdAt", "updatedAt", "createdBy", "updatedBy", "orgId", "locked", "state")
NEEDED: dict[Kind, tuple[str, ...]] = {
    Kind.DASHBOARD: ("schemaVersion", "name", "spec"),
    Kind.ALERT_RULE: (
        "schemaVersion",
        "alert",
        "alertType",
        "ruleType",
        "condition",
        "evaluation",
        "notificationSettings",
    ),
    Kind.SAVED_VIEW: ("schemaVersion", "name", "source", "spec"),
    Kind.CHANNEL: ("name",),
    Kind.ROUTE_POLICY: ("name", "expression", "channels"),
    Kind.DOWNTIME: ("name", "schedule"),
}
"""What the API refuses an object without (docs/api/openapi.yml of github.com/SigNoz/signoz at v0.138.0)."""
SCHEMA_VERSIONS = {Kind.DASHBOARD: "v6", Kind.ALERT_RULE: "v2alpha1", Kind.SAVED_VIEW: "v2"}


@dataclass(frozen=True)
class Written(Generic[DocumentT]):
    """A document, and the file that it is in."""

    document: DocumentT
    source: str
    shipped: bool = False
    """Whether it is Turnscope's own."""


@dataclass(frozen=True)
class Documents:
    """What files say: documents, and `raw` objects of the API. No key is there twice in a kind."""

    dashboards: tuple[Written[Dashboard], ...] = ()
    rules: tuple[Written[AlertRule], ...] = ()
    views: tuple[Written[SavedView], ...] = ()
    raw: tuple[ContentObject, ...] = ()


@dataclass(frozen=True)
class _Object:
    """One file's object: a document, or a body of the API."""

    kind: Kind
    key: str
    title: str
    content: ContentDocument | dict[str, Any]
    file: str
    lines: Mapping[Location, int]

    def problem(self, field: str, text: str) -> Problem:
        return Problem(self.file, self.lines.get((field,)), f"{field}: {text}")


def load(
    own: Path | None,
    numbers: Mapping[str, Any],
    *,
    library: Path | None = LIBRARY,
    exclude: Mapping[Kind, Collection[str]] | None = None,
    kinds: Collection[Kind] = tuple(FOLDERS.values()),
    section: str = "signoz",
) -> Documents:
    """The library without what `exclude` names, and the folder `own` over it; of `kinds` alone.

    An own object with the key of a shipped one takes its place. `numbers` is what templates may use; a file that they
    leave empty is no object. `section` of the settings is where `exclude` is. Raises `UserError` naming every problem
    of every file, by file and line.
    """
    problems: list[Problem] = []
    shipped = _folder(library, numbers, problems, kinds) if library else []
    leave_out = {kind: keys for kind, keys in (exclude or {}).items() if kind in kinds}
    for kind, keys in leave_out.items():
        known = sorted({each.key for each in shipped if each.kind is kind} | _files(library, kind))
        for key in keys:
            if key not in known:
                text = f"{key}: no such {kind};{nearest(key, known)}"
                problems.append(Problem(f"{section}.content.exclude", None, text))
    mine = _folder(own, numbers, problems, kinds) if own else []
    problems += _unknown_folders(own) if own else []
    problems += _taken_twice(mine)
    replaced = {(each.kind, each.key) for each in mine}
    kept = [
        each
        for each in shipped
        if (each.kind, each.key) not in replaced and each.key not in leave_out.get(each.kind, ())
    ]
    problems += _same_titles(kept, mine)
    raise_if_any(problems, f"the content in {shown(own)}" if own else "the shipped content", GUIDE)
    everything = [*kept, *mine]

    def written(schema: type[DocumentT]) -> tuple[Written[DocumentT], ...]:
        return tuple(
            Written(each.content, each.file, number < len(kept))
            for number, each in enumerate(everything)
            if isinstance(each.content, schema)
        )

    return Documents(
        dashboards=written(Dashboard),
        rules=written(AlertRule),
        views=written(SavedView),
        raw=tuple(
            ContentObject(each.kind, each.key, each.title, each.content, each.file)
            for each in everything
            if isinstance(each.content, dict)
        ),
    )


def _files(library: Path | None, kind: Kind) -> set[str]:
    """The names of the shipped files of a kind, which are their keys: also of those that the settings leave empty."""
    folders = [name for name, of in FOLDERS.items() if of is kind]
    return {path.stem for name in folders for path in (library / name).glob("*.yaml")} if library else set()


def _folder(
    folder: Path, numbers: Mapping[str, Any], problems: list[Problem], kinds: Collection[Kind]
) -> list[_Object]:
    objects = []
    for name, kind in FOLDERS.items():
        if kind not in kinds:
            continue
        for path in sorted((folder / name).glob("*")):
            if path.name.startswith(".") or path.name == "README.md":
                continue
            read: Callable[[], Iterator[_Object | Problem]]
            if path.suffix == ".json":
                read = partial(_raw, path, kind)
            elif path.suffix in (".yaml", ".yml") and kind in SCHEMAS:
                read = partial(_document, path, kind, numbers)
            else:
                endings = ".yaml, .json" if kind in SCHEMAS else ".json"
                problems.append(Problem(shown(path), None, f"not a content file: allowed in {name}/: {endings}"))
                continue
            try:
                for found in read():
                    if isinstance(found, Problem):
                        problems.append(found)
                    else:
                        objects.append(found)
            except UserError as error:
                problems.append(_of_error(shown(path), str(error)))
    return objects


def _of_error(file: str, message: str) -> Problem:
    """A reader's error, which begins with the file and perhaps the line."""
    match = re.fullmatch(r"(?::(\d+))?: (.*)", message.removeprefix(file), re.DOTALL)
    return Problem(file, int(match[1]) if match and match[1] else None, match[2] if match else message)


def _unknown_folders(own: Path) -> Iterator[Problem]:
    for path in sorted(own.iterdir()):
        if path.name not in FOLDERS and not path.name.startswith(".") and path.name != "README.md":
            what = "folder" if path.is_dir() else "file outside the folders"
            yield Problem(shown(path), None, f"unknown {what};{nearest(path.stem, tuple(FOLDERS))}")


def _taken_twice(objects: list[_Object]) -> Iterator[Problem]:
    first: dict[tuple[Kind, str], _Object] = {}
    for each in objects:
        other = first.setdefault((each.kind, each.key), each)
        if other is not each:
            yield each.problem("key", f"{json.dumps(each.key)}: another {each.kind} has this key, in {other.file}")


def _same_titles(shipped: list[_Object], mine: list[_Object]) -> Iterator[Problem]:
    first: dict[tuple[Kind, str], _Object] = {}
    for each in [*shipped, *mine]:
        other = first.setdefault((each.kind, each.title), each)
        if other.key != each.key:
            hint = f"; the key {other.key} would replace it" if other in shipped else ""
            yield each.problem(
                "title", f"{json.dumps(each.title)}: another {each.kind} has this title, in {other.file}{hint}"
            )


def _document(path: Path, kind: Kind, numbers: Mapping[str, Any]) -> Iterator[_Object | Problem]:
    file, template = shown(path), text_of(path)
    text = _rendered(template, file, numbers)
    parsed = parse(text, file)
    if parsed.data is None and not parsed.problems and text != template:
        return  # for settings that the stack has not
    yield from parsed.problems
    if not isinstance(parsed.data, dict):
        yield Problem(file, None, f"allowed: a mapping, with the keys of a {kind}")
        return
    try:
        document = SCHEMAS[kind].model_validate(parsed.data)
    except ValidationError as error:
        found = [(error_location(detail), detail) for detail in error.errors(include_url=False)]
        for location, detail in found:
            # A list of which an entry is wrong counts as too short besides.
            within = any(len(other) > len(location) and other[: len(location)] == location for other, _ in found)
            if not (within and detail["type"] == "too_short"):
                yield Problem(file, _line(parsed, location), _words(kind, location, detail))
        return
    if not parsed.problems:
        yield _Object(kind, document.key, document.title, document, file, parsed.lines)


def _words(kind: Kind, location: Location, detail: ErrorDetails) -> str:
    if detail["type"] == "turnscope" and isinstance(detail["input"], dict):
        return ": ".join(filter(None, (dotted(location), detail["msg"])))  # of several fields: no one value to show
    return error_text(location, detail, node_at=partial(_node_at, kind))


def _line(parsed: Document, location: Location) -> int | None:
    """The line of a value, or of what is nearest around it."""
    for length in range(len(location), 0, -1):
        if location[:length] in parsed.lines:
            return parsed.lines[location[:length]]
    return None


@cache
def json_schema(kind: Kind) -> Node:
    """The JSON schema of a kind's documents, without references."""
    schema = described_schema(SCHEMAS[kind])
    definitions = schema.pop("$defs", {})

    def inlined(node: Any) -> Any:
        if isinstance(node, list):
            return [inlined(each) for each in node]
        if not isinstance(node, dict):
            return node
        target = definitions[node["$ref"].rpartition("/")[2]] if "$ref" in node else {}
        return {key: inlined(value) for key, value in {**target, **node}.items() if key != "$ref"}

    return inlined(schema)


def _node_at(kind: Kind, location: Location) -> Node | None:
    node: Node | None = json_schema(kind)
    for part in location:
        node = child(resolved(node), part)
        if node is None:
            return None
    return node


def _rendered(text: str, file: str, numbers: Mapping[str, Any]) -> str:
    environment = jinja2.Environment(  # noqa: S701 (YAML)
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        loader=jinja2.FunctionLoader(lambda _: text),
        bytecode_cache=bytecode_cache("content"),
    )
    try:
        return environment.get_template(file).render(numbers)
    except jinja2.TemplateSyntaxError as error:
        raise UserError(f"{file}:{error.lineno}: not a template: {error.message}") from None
    except jinja2.UndefinedError as error:
        frames = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == "<template>"]
        at = f":{frames[-1]}" if frames else ""
        raise UserError(
            f"{file}{at}: {error.message}: allowed: {', '.join(_names(numbers))}; write the key in a legend in single "
            "braces: {service.name}"
        ) from None
    except Exception as error:  # a template is a program of the user's
        raise UserError(f"{file}: cannot be rendered: {error}") from None


def _names(numbers: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for name, value in numbers.items():
        if isinstance(value, Mapping):
            yield from _names(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


def _raw(path: Path, kind: Kind) -> Iterator[_Object | Problem]:
    file = shown(path)
    text = text_of(path)
    try:
        body = json.loads(text)
    except json.JSONDecodeError as error:
        yield Problem(file, error.lineno, f"not valid JSON: {error.msg}")
        return
    if not isinstance(body, dict):
        yield Problem(file, None, f"allowed: an object, the SigNoz API's request body for a {kind}")
        return
    try:
        lines = parse(text, file).lines
    except UserError:  # JSON that is not YAML, such as with tabs
        lines = {}
    found = _Object(kind, _raw_key(body, kind, path), _raw_title(body, kind), body, file, lines)
    problems = list(_raw_problems(found, body))
    yield from problems or [found]


def _raw_key(body: Mapping[str, Any], kind: Kind, path: Path) -> str:
    """What SigNoz itself finds it by, where that is a key; else the file's name."""
    name = body.get("name") if kind in (Kind.DASHBOARD, Kind.SAVED_VIEW) else None
    return name if isinstance(name, str) else path.stem


def _raw_title(body: Mapping[str, Any], kind: Kind) -> str:
    spec = body.get("spec")
    match kind:
        case Kind.DASHBOARD if isinstance(spec, dict) and isinstance(spec.get("display"), dict):
            title = spec["display"].get("name")
        case Kind.SAVED_VIEW if isinstance(spec, dict):
            title = spec.get("displayName")
        case Kind.ALERT_RULE:
            title = body.get("alert")
        case _:
            title = body.get("name")
    return title if isinstance(title, str) and title else str(body.get("name", ""))


def _raw_problems(found: _Object, body: Mapping[str, Any]) -> Iterator[Problem]:
    kind = found.kind
    if kind is Kind.DASHBOARD and "widgets" in body:
        hint = "import it in SigNoz, then run turnscope content export"
        yield Problem(found.file, None, f"a dashboard in the format before SigNoz 0.135 (widgets): {hint}")
        return
    for field in (*SET_BY_SIGNOZ, *(("source",) if kind is Kind.DASHBOARD else ())):
        if field in body:
            yield found.problem(field, "set by SigNoz: omit it, as turnscope content export does")
    for field in NEEDED[kind]:
        if field not in body:
            yield Problem(found.file, None, f"{field}: missing")
    version = SCHEMA_VERSIONS.get(kind)
    if version and body.get("schemaVersion", version) != version:
        yield found.problem("schemaVersion", f"{json.dumps(body['schemaVersion'])}: allowed: {version}")
    if not KEY.fullmatch(found.key):
        yield found.problem("name", f"{json.dumps(found.key)}: allowed: 1 to 63 lower-case letters, digits and -")
    if kind is Kind.CHANNEL and not any(key.endswith("_configs") and value for key, value in body.items()):
        yield Problem(found.file, None, "no configuration: allowed: slack_configs, webhook_configs, email_configs, ...")
    if kind is Kind.DASHBOARD and isinstance(body.get("spec"), dict):
        yield from _dashboard_problems(found, body["spec"])


def _dashboard_problems(found: _Object, spec: Mapping[str, Any]) -> Iterator[Problem]:
    for field, shape in (("display", dict), ("variables", list), ("panels", dict), ("layouts", list)):
        if not isinstance(spec.get(field), shape):
            yield found.problem("spec", f"{field}: missing")
            return
    placed = re.findall(r'"#/spec/panels/([^"]+)"', json.dumps(spec["layouts"]))
    for key in placed:
        if key not in spec["panels"]:
            yield found.problem("spec", f"layouts: no panel {json.dumps(key)};{nearest(key, spec['panels'])}")
