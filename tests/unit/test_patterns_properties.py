"""JSON patterns: properties that hold for any condition, any document and any spelling."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from simulate.patterns import Pattern, parse, parse_selector
from simulate.patterns.conditions import And, Comparison, Condition, Is, NotExists, Number, Or, Text
from simulate.patterns.model import JsonPattern
from simulate.patterns.selectors import AnyField, AnyIndex, Field, Index, Selector

names = st.from_regex(r"[a-c]", fullmatch=True) | st.just("odd name.x")
scalars = st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["", "x", "xy", "3", 'q"\\'])
documents = st.dictionaries(names, scalars | st.lists(scalars, max_size=2), max_size=3)
selectors = st.builds(
    lambda name, index: ("$." + name if "." not in name else f"$.['{name}']") + index,
    names,
    st.sampled_from(["", "[0]", "[1]"]),
)
literals = st.sampled_from(["3", "-1", "0", "2.5", "x", "x*", '"xy"', '""', '"q\\"\\\\"', "*"])
comparisons = (
    st.builds("{} {} {}".format, selectors, st.sampled_from(["=", "!="]), literals)
    | st.builds("{} {} {}".format, selectors, st.sampled_from(["<", "<=", ">", ">="]), st.sampled_from(["0", "2"]))
    | st.builds("{} {}".format, selectors, st.sampled_from(["IS NULL", "IS TRUE", "IS FALSE", "NOT EXISTS"]))
)
conditions = st.recursive(
    comparisons, lambda inner: st.builds("({}) {} {}".format, inner, st.sampled_from(["&&", "||"]), inner), max_leaves=4
)


def _parsed(condition: str) -> Pattern:
    return parse(f"{{ {condition} }}")


def _holds(condition: str, document: object) -> bool:
    return _parsed(condition).matches(json.dumps(document))


@settings(max_examples=60)
@given(conditions, conditions, documents)
def test_and_or_are_and_or(left: str, right: str, document: dict[str, object]) -> None:
    """A compound pattern matches as Python combines its parts."""
    parts = [_holds(left, document), _holds(right, document)]
    assert _holds(f"({left}) && ({right})", document) == all(parts)
    assert _holds(f"({left}) || ({right})", document) == any(parts)


@given(comparisons, comparisons, comparisons, documents)
def test_and_binds_before_or(a: str, b: str, c: str, document: dict[str, object]) -> None:
    """The documented order of operations, without parentheses."""
    assert _holds(f"{a} || {b} && {c}", document) == _holds(f"{a} || ({b} && {c})", document)


@given(literals, scalars)
def test_unequal_is_the_opposite_of_equal_where_either_can_hold(literal: str, value: object) -> None:
    """Never both; neither where the types differ, which a literal of the value's own type shows."""
    equal, unequal = (_holds(f"$.a {sign} {literal}", {"a": value}) for sign in ("=", "!="))
    assert not (equal and unequal)
    if isinstance(value, str) and literal[0] in 'x"':
        assert equal or unequal
    if value is None or (isinstance(value, bool) and literal != "*"):
        assert not equal
        assert not unequal


@given(st.integers(-3, 3) | st.floats(-3, 3), st.integers(-3, 3) | st.floats(-3, 3))
def test_numbers_are_ordered_as_numbers(value: float, literal: float) -> None:
    """Each operator agrees with Python's of the same meaning."""
    found = [_holds(f"$.a {sign} {literal!r}", {"a": value}) for sign in ("<", "<=", "=", "!=", ">=", ">")]
    assert found == [
        value < literal, value <= literal, value == literal, value != literal, value >= literal, value > literal
    ]  # fmt: skip


@given(selectors, documents)
def test_a_field_exists_or_not(selector: str, document: dict[str, object]) -> None:
    """NOT EXISTS is exactly where the selector finds nothing, and null exists."""
    found = parse_selector(selector).find(document)
    assert _holds(f"{selector} NOT EXISTS", document) == (not found)
    assert _holds(f"{selector} IS NULL", document) == (found == [None])


@given(st.lists(scalars, max_size=4), st.sampled_from(["= 3", "!= x", "> 0", "IS TRUE", "= *"]))
def test_a_wildcard_holds_where_any_element_does(values: list[object], condition: str) -> None:
    """Of an array and of an object alike."""
    expected = any(_holds(f"$.a[{at}] {condition}", {"a": values}) for at in range(len(values)))
    assert _holds(f"$.a[*] {condition}", {"a": values}) == expected
    assert _holds(f"$.* {condition}", {str(at): value for at, value in enumerate(values)}) == expected


@given(st.text(max_size=6), st.text(max_size=6), st.text(max_size=6))
def test_asterisks_stand_for_any_text(before: str, core: str, after: str) -> None:
    """At the start, the end or both of a quoted string, over any text at all."""
    core, value = core.replace("*", "+"), before + core.replace("*", "+") + after
    quoted = core.replace("\\", "\\\\").replace('"', '\\"')
    assert _holds(f'$.a = "*{quoted}*"', {"a": value})
    assert _holds(f'$.a = "{quoted}*"', {"a": value}) == (value.startswith(core) or core == "")
    assert _holds(f'$.a = "*{quoted}"', {"a": value}) == (value.endswith(core) or core == "")
    assert _holds(f'$.a = "{quoted}"', {"a": value}) == (value == core)


plain_selectors = st.builds(
    lambda first, more: Selector((first, *more)),
    st.builds(Field, st.from_regex(r"[A-Za-z0-9_-]{1,5}", fullmatch=True) | st.sampled_from(["a.b", "ü", "x y", "'"])),
    st.lists(st.builds(Field, st.sampled_from(["b", "c-d", "e f"])) | st.builds(Index, st.integers(0, 99)), max_size=3),
)
wild_selectors = st.builds(
    lambda selector, wild: Selector((*selector.steps, wild)), plain_selectors, st.sampled_from([AnyField(), AnyIndex()])
)
stars = st.sampled_from(["", "*"])
bare = st.from_regex(r"[A-Za-z_][A-Za-z0-9_.]{0,4}", fullmatch=True)
texts = st.builds(Text, st.text(max_size=8).map(lambda text: text.replace("*", "")), st.just(True)) | st.builds(
    lambda start, core, end: Text(start + core + end, False), stars, bare, stars
)
numbers = st.builds(Number, st.floats(allow_nan=False, allow_infinity=False))
leaves = (
    st.builds(Comparison, plain_selectors, st.sampled_from(["=", "!="]), texts | numbers)
    | st.builds(Comparison, plain_selectors, st.sampled_from(["<", "<=", ">", ">="]), numbers)
    | st.builds(Is, plain_selectors, st.sampled_from([None, True, False]))
    | st.builds(NotExists, plain_selectors)
)
trees = st.recursive(
    leaves,
    lambda inner: st.builds(
        lambda kind, parts: kind(tuple(parts)), st.sampled_from([And, Or]), st.lists(inner, min_size=2, max_size=3)
    ),
    max_leaves=6,
)


def _spelt(condition: Condition, space: str) -> str:
    """A condition as one would write it, with no more parentheses than its meaning needs."""
    match condition:
        case Or(parts):
            return f"{space}||{space}".join(_within(part, Or, space=space) for part in parts)
        case And(parts):
            return f"{space}&&{space}".join(_within(part, And, Or, space=space) for part in parts)
        case Is(selector, value):
            return f"{selector} IS {'NULL' if value is None else str(value).upper()}"
        case NotExists(selector):
            return f"{selector} NOT EXISTS"
        case Comparison(selector, operator, Number(value)):
            return f"{selector}{space}{operator}{space}{value!r}"
        case Comparison(selector, operator, Text(text, quoted)):
            escaped = text.replace("\\", "\\\\").replace('"', '\\"')
            return f"{selector}{space}{operator}{space}" + (f'"{escaped}"' if quoted else text)
    raise AssertionError(condition)


def _within(part: Condition, *parenthesised: type, space: str) -> str:
    text = _spelt(part, space)
    return f"({space}{text}{space})" if isinstance(part, parenthesised) else text


@given(trees, st.sampled_from(["", " ", "\n  "]))
def test_what_is_written_is_what_is_read(condition: Condition, space: str) -> None:
    """Every condition comes back from its text, with any spaces."""
    text = f"{{{space}{_spelt(condition, space)}{space}}}"
    if len(text) <= 1024:
        assert parse(text) == JsonPattern(condition)


@given(plain_selectors | wild_selectors)
def test_a_selector_comes_back_from_its_text(selector: Selector) -> None:
    """Which is therefore the same for every spelling, and names one selector only."""
    assert parse_selector(str(selector)) == selector
    assert parse_selector(str(selector).replace("$.['", "$['", 1)) == selector


@given(trees)
def test_a_pattern_extracts_every_field_that_it_names(condition: Condition) -> None:
    """Those of the conditions inside parentheses too."""

    def named(part: Condition) -> set[str]:
        return set().union(*map(named, part.parts)) if isinstance(part, And | Or) else {str(part.selector)}

    assert JsonPattern(condition).fields == named(condition)
