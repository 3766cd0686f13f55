"""Filter patterns: the documented examples, the documented limits, and laws that any pattern obeys."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulate.patterns import MISSING, Pattern, PatternError, metric_value, parse, select

# The log events of the documentation
# (https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html).
TRAIL = {
    "eventType": "UpdateTrail",
    "sourceIPAddress": "111.111.111.111",
    "arrayKey": ["value", "another value"],
    "objectList": [{"name": "a", "id": 1}, {"name": "b", "id": 2}],
    "SomeObject": None,
    "ThisFlag": True,
    "cluster.name": "c",
}
USERS = {
    "user": {"id": 1, "email": "John.Stiles@example.com"},
    "users": [{"id": 2, "email": "John.Doe@example.com"}, {"id": 3, "email": "Jane.Doe@example.com"}],
    "actions": ["GET", "PUT", "DELETE"],
    "coordinates": [[0, 1, 2], [4, 5, 6], [7, 8, 9]],
}
TURN = {"llm": {"ttft": 0.75, "model": "gpt"}, "count": 3, "text": "3", "flag": False, "big": 1200, "code": 404}
APACHE = '127.0.0.1 Prod frank [10/Oct/2000:13:25:15 -0700] "GET /index.html HTTP/1.0" 404 1534'


@pytest.mark.parametrize(
    ("pattern", "document", "expected"),
    [
        ('{ $.eventType = "UpdateTrail" }', TRAIL, True),
        ("{ $.eventType = UpdateTrail }", TRAIL, True),
        ("{ $.eventType = updatetrail }", TRAIL, False),
        ("{ $.eventType = Update* }", TRAIL, True),
        ("{ $.eventType = *Trail }", TRAIL, True),
        ("{ $.eventType = *ateTr* }", TRAIL, True),
        ("{ $.eventType = *Update }", TRAIL, False),
        ("{ $.sourceIPAddress != 123.123.* }", TRAIL, True),
        ("{ $.sourceIPAddress != 111.111.* }", TRAIL, False),
        ('{ $.arrayKey[0] = "value" }', TRAIL, True),
        ('{ $.arrayKey[1] = "value" }', TRAIL, False),
        ("{ $.objectList[1].id = 2 }", TRAIL, True),
        ("{ $.eventType = %Trail% }", TRAIL, True),
        ("{ $.eventType = %^Trail% }", TRAIL, False),
        ("{ $.eventType != %Trail% }", TRAIL, False),
        ("{ $.arrayKey[*] = %val.{2}% }", TRAIL, True),
        (r"{ $.* = %111\.111\.111\.1[0-9]{1,2}% }", TRAIL, True),
        ("{ $.['cluster.name'] = \"c\" }", TRAIL, True),
        ("{ $.SomeObject IS NULL }", TRAIL, True),
        ("{ $.SomeObject NOT EXISTS }", TRAIL, False),
        ("{ $.SomeOtherObject NOT EXISTS }", TRAIL, True),
        ("{ $.SomeOtherObject IS NULL }", TRAIL, False),
        ("{ $.ThisFlag IS TRUE }", TRAIL, True),
        ("{ $.ThisFlag IS FALSE }", TRAIL, False),
        ('{ ($.user.id = 1) && ($.users[0].email = "John.Doe@example.com") }', USERS, True),
        ('{ ($.user.id = 2 && $.users[0].email = "nonmatch") || $.actions[2] = "GET" }', USERS, False),
        (
            '{ $.user.email = "John.Stiles@example.com" || $.coordinates[0][1] = "nonmatch"'
            ' && $.actions[2] = "nonmatch" }',
            USERS,
            True,
        ),
        (
            '{ ($.user.email = "John.Stiles@example.com" || $.coordinates[0][1] = "nonmatch")'
            ' && $.actions[2] = "nonmatch" }',
            USERS,
            False,
        ),
        ("{ $.users = 1 }", USERS, False),
        ("{ $.users != 1 }", USERS, False),
        ("{ $.llm.ttft = * }", TURN, True),
        ("{ $.llm.ttft > 0.5 }", TURN, True),
        ("{ $.llm.ttft >= 0.75 }", TURN, True),
        ("{ $.llm.ttft > 0.75 }", TURN, False),
        ("{ $.llm.ttft < 75e-2 }", TURN, False),
        ("{ $.llm.ttft <= 75e-2 }", TURN, True),
        ("{ $.big = 1.2e3 }", TURN, True),
        ("{ $.big != +1200 }", TURN, False),
        ("{ $.code = 4* }", TURN, True),
        ("{ $.code = 5* }", TURN, False),
    ],
)
def test_json_patterns_match_as_documented(pattern: str, document: object, expected: bool) -> None:
    """Each documented example gives the documented result."""
    assert parse(pattern).matches(json.dumps(document)) is expected


@pytest.mark.parametrize(
    "pattern",
    [
        "{ $.nothing = 1 }",
        "{ $.nothing != 1 }",  # https://github.com/DataBiosphere/azul/issues/5884: seen on AWS
        "{ $.nothing = * }",
        "{ $.text = 3 }",
        "{ $.text != 4 }",
        "{ $.text < 4 }",
        '{ $.count = "3" }',
        '{ $.count != "4" }',
        '{ $.count = "3*" }',
        "{ $.flag = 0 }",
        "{ $.flag < 1 }",
        "{ $.flag IS NULL }",
        "{ $.llm = * }",
        "{ $.llm[0] = * }",
        "{ $.count.more = * }",
    ],
)
def test_a_value_that_does_not_fit_never_matches(pattern: str) -> None:
    """A missing field, another type, an object or a place beyond the data is false, even under !=."""
    assert not parse(pattern).matches(json.dumps(TURN))


@pytest.mark.parametrize("message", ["", "plain text", "[1, 2]", "3", "null", '{"a": NaN}', '{"a": 1} trailing', "{"])
def test_json_patterns_skip_what_is_no_json_object(message: str) -> None:
    """NOT EXISTS holds for every object without the field, so it shows that other messages are not looked at."""
    assert parse("{ $.b NOT EXISTS }").matches('{"a": 1}')
    assert not parse("{ $.b NOT EXISTS }").matches(message)


def test_an_index_past_the_end_selects_nothing() -> None:
    """Neither a value nor an error, and null is told apart from nothing."""
    document = {"a": [1, {"b": None}], "c d": 2}
    assert select(document, "$.a[0]") == 1
    assert select(document, "$.a[1].b") is None
    assert select(document, "$.a[2]") is MISSING
    assert select(document, "$.a[*].b") is None
    assert select(document, "$.['c d']") == 2
    assert select(document, "$.a.b") is MISSING
    assert select([1], "$.a") is MISSING


ERRORS = ["[ERROR 400] BAD REQUEST", "[ERROR 401] UNAUTHORIZED REQUEST", "[ERROR 419] MISSING ARGUMENTS"]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("", [True, True, True]),
        ('" "', [True, True, True]),
        ("ERROR", [True, True, True]),
        ("error", [False, False, False]),
        ("ERROR ARGUMENTS", [False, False, True]),
        ("ERROR -ARGUMENTS", [True, True, False]),
        ("-ARGUMENTS", [True, True, False]),
        ("?BAD ?ARGUMENTS", [True, False, True]),
        ("?BAD ?ARGUMENTS REQUEST", [True, True, False]),
        ('"BAD REQUEST"', [True, False, False]),
        ('"[ERROR 4"', [True, True, True]),
        ("%AUTHORIZED%", [False, True, False]),
        (r"%\[ERROR 4[01]\d\]%", [True, True, True]),
        (r"%^ERROR%", [False, False, False]),
        (r"%ARGUMENTS$%", [False, False, True]),
        (r"%\x28|BAD%", [True, False, False]),
        (r"%[{B[]A{1,2}D%", [True, False, False]),
    ],
)
def test_terms_and_regular_expressions_match_as_documented(pattern: str, expected: list[bool]) -> None:
    """Terms are case-sensitive parts of the message; optional ones do not count beside others."""
    assert [parse(pattern).matches(message) for message in ERRORS] == expected


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        (r"[ip=%127\.0\.0\.[1-9]%, user, username, timestamp, request =*.html*, status_code = 4*, bytes]", True),
        ("[..., request =*.html*, status_code = 4*, bytes]", True),
        ("[ip, user, ..., status_code, bytes > 1000]", True),
        ("[ip, user, ..., status_code, bytes > 1534]", False),
        ("[ip, user, username, timestamp, request, status_code = 404 || status_code = 410, bytes]", True),
        ("[ip, user, username, timestamp, request, status_code = 4* && status_code != 404, bytes]", False),
        ("[ip != %^127%, ...]", False),
        ("[ip > 5, ...]", False),
        ("[a, b, c, d, e, f, g, h]", False),
        ("[w1=127.0.0.1, w2]", True),
        ("[w1=Prod, w2]", False),
        ("[...]", True),
    ],
)
def test_space_delimited_patterns_match_as_documented(pattern: str, expected: bool) -> None:
    """Brackets and quotes hold a field together; `...` stands for any number of fields."""
    assert parse(pattern).matches(APACHE) is expected


def test_space_delimited_fields_are_extracted_by_name_or_place() -> None:
    """The documented fields of the documented event, unnamed ones by their place in the event."""
    pattern = parse("[..., request=*.html*, status_code=4*,]")
    assert pattern.field(APACHE, "$request") == "GET /index.html HTTP/1.0"
    assert pattern.field(APACHE, "$status_code") == "404"
    assert pattern.field(APACHE, "$7") == "1534"
    assert metric_value(APACHE, "$status_code", pattern) == 404
    assert metric_value(APACHE, "$request", pattern) is None
    assert parse("[a, ]").field("one two three", "$2") == "two three"
    assert parse("[ip, server, username, timestamp, ...]").field(APACHE, "$timestamp") == "10/Oct/2000:13:25:15 -0700"


@pytest.mark.parametrize(
    ("pattern", "column", "said"),
    [
        ("{ $.a = foo-bar }", 9, "double quotes"),
        ("{ $.a > x }", 9, "number"),
        ("{ $.a IS NOT NULL }", 10, "NULL, TRUE or FALSE"),
        ("{ $.a EXISTS }", 7, "NOT EXISTS"),
        ("{ $.a = 1", 10, "'}'"),
        ("{ $.a = 1 } x", 13, "nothing may follow"),
        ("{ a = 1 }", 3, "'$'"),
        ('{ $.a = "x }', 9, "not closed"),
        ("{ $.a = Ev*nt }", 9, "asterisk"),
        ("{ $.*.* = 1 }", 3, "1 wildcard"),
        ("{ $.a[*] = 1 || $.b[*] = 1 || $.c[*] = 1 || $.d[*] = 1 }", 45, "3 wildcard"),
        ("{ $.a = %a% && $.b = %b% && $.c = %c% }", 35, "2 regular expressions"),
        ("%something!%", 11, "'!'"),
        ("%a(b)%", 3, "'('"),
        ("%é%", 2, "'é'"),
        ("%a", 1, "not closed"),
        ("%%", 2, "not empty"),
        ("%a[]%", 4, "not empty"),
        ("%a[^]%", 5, "not empty"),
        ("%a{%", 3, "'{'"),
        ("%a++%", 4, "nothing to repeat"),
        ("foo.bar", 1, "double quotes"),
        ("ERROR %x%", 7, "whole pattern"),
        ("[a, ..., b, ...]", 13, "only one"),
        ("[a = 1 && b = 2, c]", 2, "alone"),
        ("[a, a]", 5, "two fields"),
        ("{" + "(" * 1000, 1, "nested"),
    ],
)
def test_what_cloudwatch_refuses_is_refused_where_it_stands(pattern: str, column: int, said: str) -> None:
    """Documented limits and plain mistakes are errors that point at the place and say what is allowed."""
    with pytest.raises(PatternError, match=re.escape(said)) as caught:
        parse(pattern)
    if said != "nested":
        assert caught.value.column == column


def test_a_pattern_has_at_most_1024_characters() -> None:
    """The documented limit is exact."""
    assert parse("a" * 1024).matches("a" * 1024)
    with pytest.raises(PatternError, match="1024"):
        parse("a" * 1025)


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0.5, 0.5), (7, 7.0), ("7", None), (True, None), (None, None), ([1], None), (10**400, None)],
)
def test_a_metric_value_is_a_number_or_nothing(value: object, expected: float | None) -> None:
    """Text, flags and null are no numbers; a constant is what it says."""
    message = json.dumps({"a": {"b": value}})
    assert metric_value(message, "$.a.b") == expected
    assert metric_value(message, "$.a.c") is None
    assert metric_value("not json", "$.a.b") is None
    assert metric_value(message, "1.5e1") == 15


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


@settings(max_examples=60)
@given(conditions, conditions, documents)
def test_and_or_are_and_or(left: str, right: str, document: dict[str, object]) -> None:
    """A compound pattern matches as Python combines its parts."""
    message = json.dumps(document)
    parts = [_parsed(left).matches(message), _parsed(right).matches(message)]
    assert _parsed(f"({left}) && ({right})").matches(message) == all(parts)
    assert _parsed(f"({left}) || ({right})").matches(message) == any(parts)


@given(comparisons, comparisons, comparisons, documents)
def test_and_binds_before_or(a: str, b: str, c: str, document: dict[str, object]) -> None:
    """The documented order of operations, without parentheses."""
    message = json.dumps(document)
    assert _parsed(f"{a} || {b} && {c}").matches(message) == _parsed(f"{a} || ({b} && {c})").matches(message)


@given(conditions | st.sampled_from(["$.a[*] = 1", "$.* IS NULL", "$.a = %^x% || $.b != %y$%", "$.a-b_c[3][4] = 1e-7"]))
def test_the_canonical_form_means_the_same(condition: str) -> None:
    """Printing a parsed pattern and parsing it again changes nothing."""
    pattern = _parsed(condition)
    assert parse(str(pattern)) == pattern


@pytest.mark.parametrize(
    "text",
    ["", "a b", 'ERROR -"not this" "say \\"hi\\""', "?a ?b", r"%\d+ms$%", "[a, ..., b = 4* || b != 5, ]", "[...]"],
)
def test_the_canonical_form_of_other_patterns_means_the_same(text: str) -> None:
    """As for JSON patterns."""
    assert parse(str(parse(text))) == parse(text)
