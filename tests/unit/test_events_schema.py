"""The published JSON Schema of the events, against record validation, and the files that it is published in."""

from __future__ import annotations

import copy
import datetime
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jsonschema
import jsonschema.validators
import pytest
from hypothesis import assume, example, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from analytics.plan.record_schema import shipped_record_schema
from analytics.record_validation import handler, lines
from core import event_reference
from core.event_schema import BEYOND, json_schema
from core.events import EVENTS, SESSION_ANALYTICS, TIME_PATTERN, VOICE_METRICS, Field
from simulate import recording
from tests.unit.conftest import ROOT
from turnscope import generated

SCHEMA = shipped_record_schema()
TURN = {"_event_type": VOICE_METRICS, "_timestamp": "2026-03-10T11:59:58Z", "_session_id": "room"}


def _pattern(validator: Any, pattern: str, instance: Any, schema: Any) -> Iterator[jsonschema.ValidationError]:
    """As JSON Schema defines it: in ECMAScript, `$` is the end, and not also the place before a final newline."""
    if isinstance(instance, str) and not re.search(pattern.replace("$", r"\Z"), instance):
        yield jsonschema.ValidationError(f"{instance!r} does not match {pattern!r}")


Validator = jsonschema.validators.extend(jsonschema.Draft202012Validator, {"pattern": _pattern})
PUBLISHED = {
    event: Validator(json.loads((ROOT / event_reference.FOLDER / f"{event}.schema.json").read_text()))
    for event in EVENTS
}


# -- generated events --------------------------------------------------------------------------------------------------

VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 2.5, 3.0, 1e308, 10**400, -(10**400)),
    *(2**63 - 1, 2**63, -(2**63), -(2**63) - 1, 2.0**63),
    *("", "x", "3", "true", VOICE_METRICS, "2026-03-10", "2026-03-10T11:59", "2026-03-10T11:59:58.123456789+14:00"),
    *([], [None], [{}], [1], ["x"], [[]], [{"tool": 1}], [{"success": None}], {}, {"x": 1}, {"ttft": "x"}),
)
"""One of each kind, and both sides of each limit."""
FULL: dict[str, dict[str, Any]] = {
    line["_event_type"]: line
    for line in (json.loads(each.message) for each in recording.recorded("healthy"))
    if "_event_type" in line
}
"""A real agent's line of each event: with every field."""
KEYS = st.text(max_size=5).filter(lambda key: key == key.lower())
ANY = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([2**63 - 1, 2**63, -(2**63) - 1, 10**400, 3.0, 2.0**63, "2026-03-10T11:59Z", ""])
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=5,
)


def good(field: Field) -> st.SearchStrategy[Any]:
    if field.is_time:
        return st.datetimes(timezones=st.just(datetime.UTC)).map(lambda moment: moment.isoformat())
    return {
        "string": st.text(max_size=5),
        "number": st.floats(allow_nan=False, allow_infinity=False) | st.integers(),
        "integer": st.integers(-(2**63), 2**63 - 1) | st.integers(-1000, 1000).map(float),
        "boolean": st.booleans(),
        "array": st.lists(st.none() | below(field.items), max_size=3),
    }[field.type]


def below(fields: Sequence[Field], prefix: str = "") -> st.SearchStrategy[dict[str, Any]]:
    """Good objects with the fields whose paths begin with `prefix`."""
    keys: dict[str, list[Field]] = {}
    for field in fields:
        keys.setdefault(field.path.removeprefix(prefix).split(".")[0], []).append(field)
    required, optional = {}, {}
    for key, found in keys.items():
        path = prefix + key
        value = good(found[0]) if found[0].path == path else below(found, f"{path}.")
        if any(field.required for field in found):
            required[key] = value
        else:
            optional[key] = st.none() | value
    return st.fixed_dictionaries(required, optional=optional)


def good_events(event: str) -> st.SearchStrategy[dict[str, Any]]:
    return below(EVENTS[event]).map(lambda found: {**found, "_event_type": event})


def places(value: Any, at: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Where something can be changed: each value, and a new key of each object."""
    if isinstance(value, dict):
        yield (*at, "unknown")
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in entries:
        yield (*at, key)
        yield from places(inner, (*at, key))


def put(document: Any, place: tuple[str | int, ...], value: Any, *, remove: bool = False) -> None:
    *above, key = place
    for each in above:
        document = document[each]
    if not remove:
        document[key] = value
    elif isinstance(document, dict):
        document.pop(key, None)


@st.composite
def events(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """Good events, and such that were broken in one or two places."""
    name = draw(st.sampled_from(sorted(EVENTS)))
    found = draw(good_events(name))
    for _ in range(draw(st.integers(0, 2))):
        place = draw(st.sampled_from(list(places(found))))
        put(found, place, draw(ANY), remove=draw(st.booleans()))
    return name, found


def dotted(path: Sequence[str | int]) -> str:
    return "".join(f"[{each}]" if isinstance(each, int) else f".{each}" for each in path).removeprefix(".")


def wrong_fields(validator: Any, document: Mapping[str, Any]) -> set[str]:
    """The paths that a JSON Schema validator complains about."""
    found = set()
    for error in validator.iter_errors(document):
        if error.validator == "required":
            missing = set(error.validator_value) - set(error.instance)
            found |= {dotted([*error.absolute_path, name]) for name in missing}
        else:
            found.add(dotted(error.absolute_path))
    return found


@examples(max_examples=100)
@given(events())
@example((VOICE_METRICS, {**TURN, "total_latency": 10**400}))
@example((VOICE_METRICS, {**TURN, "_timestamp": "2026-03-10T11:59:58Z\n"}))
@example((VOICE_METRICS, {**TURN, "llm": None, "eou": {"delay": None}, "tenant": None}))
@example((SESSION_ANALYTICS, {**TURN, "_event_type": SESSION_ANALYTICS, "tool_calls": [None, {}, {"success": 1}]}))
def test_the_json_schema_accepts_just_what_record_validation_keeps(case: tuple[str, dict[str, Any]]) -> None:
    name, document = case
    assume(is_of_the_calendar(document.get("_timestamp")))
    assert_agree(name, document)


@pytest.mark.parametrize("event", EVENTS)
def test_every_field_takes_and_refuses_the_same_values(event: str) -> None:
    """At every field, every object around it, and every field of an array's entries."""
    for place in places(FULL[event]):
        for value in VALUES:
            document = copy.deepcopy(FULL[event])
            put(document, place, value)
            assert_agree(event, document)
        document = copy.deepcopy(FULL[event])
        put(document, place, None, remove=True)
        assert_agree(event, document)


def assert_agree(name: str, document: dict[str, Any]) -> None:
    """Where the schema refuses, it names the field that record validation names."""
    kept, rejected = handler.examine(json.dumps(document), name, SCHEMA)
    wrong = wrong_fields(PUBLISHED[name], document)
    if kept:
        assert wrong == set()
        assert PUBLISHED[name].is_valid(kept[0].event)
    elif rejected:
        assert rejected[0].field in wrong
    else:
        assert "_event_type" in wrong


def is_of_the_calendar(time: object) -> bool:
    """Where it looks like a time at all."""
    if not (isinstance(time, str) and re.fullmatch(TIME_PATTERN, time)):
        return True
    try:
        datetime.date.fromisoformat(time[:10])
    except ValueError:
        return False
    return True


@given(
    st.from_regex(
        r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,11})?)?(Z|[+-][0-9]{2}(:?[0-9]{2})?)?",
        fullmatch=True,
    )
    | st.datetimes(timezones=st.timezones()).map(lambda moment: moment.isoformat())
)
def test_both_read_the_same_times(time: str) -> None:
    assume(is_of_the_calendar(time))
    document = {**TURN, "_timestamp": time}
    kept, _ = handler.examine(json.dumps(document), VOICE_METRICS, SCHEMA)
    assert bool(kept) == PUBLISHED[VOICE_METRICS].is_valid(document)


# -- what JSON Schema cannot say ---------------------------------------------------------------------------------------


class Difference(NamedTuple):
    """A line that both see otherwise; `document` is what a JSON parser gives of it, None where it gives nothing."""

    line: str | bytes
    accepted: bool
    document: Any


def nested(levels: int) -> list[Any]:
    found: list[Any] = []
    for _ in range(levels):
        found = [found]
    return found


LINE = json.dumps(TURN)
FEBRUARY, YEAR_0 = ({**TURN, "_timestamp": f"{day}T11:59Z"} for day in ("2026-02-30", "0000-01-01"))
UPPER = {key.upper(): value for key, value in TURN.items()}
DIFFERENCES = (
    [Difference(json.dumps({**TURN, "x": "y" * 256 * 1024}), False, {**TURN, "x": "y" * 256 * 1024})],
    [
        Difference(f"{LINE} and more", False, TURN),
        Difference(f"INFO {LINE}", False, TURN),
        Difference(f"{LINE}{LINE}", True, None),
        Difference(json.dumps(TURN, indent=2), False, TURN),
    ],
    [Difference(LINE.replace("voice_metrics", "voice\\u005fmetrics"), False, TURN)],
    [
        Difference(f'{LINE[:-1]}, "x": {number}}}', False, {**TURN, "x": 0})
        for number in ("NaN", "-Infinity", "1e999", "9" * 4301)
    ],
    [
        Difference(json.dumps(FEBRUARY), False, FEBRUARY),
        Difference(json.dumps(YEAR_0), False, YEAR_0),
    ],
    [
        Difference(json.dumps(UPPER), True, UPPER),
        Difference(json.dumps({**TURN, "Tenant": 4}), False, {**TURN, "Tenant": 4}),
    ],
    [
        Difference(f'{LINE[:-1]}, "tenant": 4, "tenant": "acme"}}', True, {**TURN, "tenant": 4}),
        Difference(f'{LINE[:-1]}, "tenant": "acme", "tenant": 4}}', False, {**TURN, "tenant": "acme"}),
    ],
    [Difference(LINE.encode().replace(b"room", b"\xff"), True, None)],
    [Difference(f'{LINE[:-1]}, "x": {"[" * 5000}{"]" * 5000}}}', False, {**TURN, "x": nested(5000)})],
)


@pytest.mark.parametrize(("statement", "differences"), [*zip(BEYOND, DIFFERENCES, strict=True)])
def test_what_json_schema_cannot_say_is_said_in_words(statement: str, differences: list[Difference]) -> None:
    """Each statement is needed: there is a line that record validation and a JSON Schema validator see otherwise."""
    assert f"- {statement}\n" in (ROOT / event_reference.FOLDER / "README.md").read_text()
    for line, accepted, document in differences:
        data = line if isinstance(line, bytes) else line.encode()
        checked = lines.check(data.splitlines(keepends=True), SCHEMA)
        assert bool(checked.accepted.total()) == accepted
        assert (document is not None and PUBLISHED[VOICE_METRICS].is_valid(document)) != accepted


# -- what is published -------------------------------------------------------------------------------------------------


def test_the_files_are_up_to_date(tmp_path: Path) -> None:
    """`turnscope settings --write` makes them; `turnscope settings` and `make lint` find a stale one."""
    files = {path: text for path, text in generated.render(ROOT).items() if path.is_relative_to(event_reference.FOLDER)}
    assert {path.name for path in files} == {*(f"{event}.schema.json" for event in EVENTS), "README.md"}
    assert {path: (ROOT / path).read_text() for path in files} == files


@pytest.mark.parametrize("event", EVENTS)
def test_a_schema_is_one_of_the_draft_that_it_names_and_has_no_keyword_of_its_own(event: str) -> None:
    """Strict validators (Ajv, say) refuse a schema with keywords or formats that they do not know."""
    schema = json_schema(event, EVENTS[event])
    assert schema["$schema"] == jsonschema.Draft202012Validator.META_SCHEMA["$id"]
    jsonschema.Draft202012Validator.check_schema(schema)
    known = {"$schema", "$id", "title", "description", "type", "const", "pattern", "properties", "required", "items"}
    assert keywords(schema) <= known | {"additionalProperties", "minimum", "maximum"}


def keywords(schema: Mapping[str, Any]) -> set[str]:
    inner = [*schema.get("properties", {}).values(), *([schema["items"]] if "items" in schema else [])]
    return set(schema).union(*map(keywords, inner))


def described(schema: Mapping[str, Any], path: str) -> Mapping[str, Any]:
    for key in path.split("."):
        schema = schema["properties"][key.removesuffix("[]")]
        schema = schema["items"] if key.endswith("[]") else schema
    return schema


@pytest.mark.parametrize("event", EVENTS)
def test_every_field_has_its_meaning_and_unit_in_the_schema_and_a_row_on_the_page(event: str) -> None:
    page = (ROOT / event_reference.FOLDER / "README.md").read_text().split("\n## ")
    (section,) = (part for part in page if part.startswith(f"`{event}`"))
    for field in EVENTS[event]:
        for path, each in [(field.path, field), *((f"{field.path}[].{item.path}", item) for item in field.items)]:
            text = described(json_schema(event, EVENTS[event]), path)["description"]
            assert each.meaning in text
            assert each.unit in text
            row = f"| `{path}` | {each.type} | {each.unit} | {'yes' if each.required else ''} | {each.meaning} |"
            assert row in section


@pytest.mark.parametrize("event", EVENTS)
def test_the_page_shows_a_line_of_a_real_agent(event: str) -> None:
    page = (ROOT / event_reference.FOLDER / "README.md").read_text()
    shown = [json.loads(block) for block in re.findall(r"```json\n(.*)\n```", page)]
    (line,) = (each for each in shown if each["_event_type"] == event)
    assert line in [json.loads(each.message) for each in recording.recorded("healthy")]
    assert PUBLISHED[event].is_valid(line)


@pytest.mark.parametrize(
    ("over", "good"),
    [
        ({}, False),
        ({"a": None}, False),
        ({"a": {"b": None}}, False),
        ({"a": {"c": 1}}, False),
        ({"a": {"b": "x"}}, True),
    ],
)
def test_a_field_that_is_required_below_another_requires_that_too(over: dict[str, Any], good: bool) -> None:
    """No shipped one is, yet."""
    fields = (*EVENTS[VOICE_METRICS], Field("a.b", "string", "", "", required=True), Field("a.c", "number", "", ""))
    own = {field.path: {"type": field.type, "required": field.required} for field in fields}
    kept, _ = handler.examine(
        json.dumps({**TURN, **over}), VOICE_METRICS, {VOICE_METRICS: {"fields": own, "maximum_bytes": 1000}}
    )
    assert bool(kept) == Validator(json_schema(VOICE_METRICS, fields)).is_valid({**TURN, **over}) == good
