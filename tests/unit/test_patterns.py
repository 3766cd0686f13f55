"""Filter patterns: the documented examples and the documented limits."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulate.patterns import PatternError, metric_value, parse, parse_selector

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
TURN = {
    "llm": {"ttft": 0.75, "model": "gpt"},
    "count": 3,
    "text": "3",
    "flag": False,
    "big": 1200,
    "code": 404,
    "one": 1,
}


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
        ("{ $.big = 1.2e+3 }", TURN, True),
        ("{ $.big != 1e-3 }", TURN, True),
        ("{ $.code = 404}", TURN, True),
        ("{$.code=404||$.code=410}", TURN, True),
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
        "{ $.one IS TRUE }",
        "{ $.text IS TRUE }",
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


@pytest.mark.parametrize(
    ("selector", "found"),
    [
        ("$.a[0]", [1]),
        ("$.a[1].b", [None]),
        ("$.a[3]", []),
        ("$.a[*].b", [None, 3]),
        ("$.a[2].*", [3]),
        ("$.['c d']", [2]),
        ("$['c d']", [2]),
        ("$.a.b", []),
        ("$.a[0].b", []),
        ("$.*", [[1, {"b": None}, {"b": 3}], 2]),
    ],
)
def test_a_selector_finds_every_value_at_its_place(selector: str, found: list[object]) -> None:
    """In the document's order; a place beyond the data is neither a value nor an error, and null is a value."""
    document = {"a": [1, {"b": None}, {"b": 3}], "c d": 2}
    assert parse_selector(selector).find(document) == found
    assert parse_selector(selector).find([document]) == []


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
    "pattern", ["[...]", "[ip, user, ..., bytes > 1000]", "[w1=ERROR || w1=WARNING, w2]", " [a", "["]
)
def test_space_delimited_patterns_are_refused_by_name(pattern: str) -> None:
    """Whatever is in them: half a reading would count other events than CloudWatch Logs does."""
    with pytest.raises(PatternError, match=r"space-delimited patterns .* are not supported") as caught:
        parse(pattern)
    assert caught.value.column == pattern.index("[") + 1


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
        ("foo.bar", 1, "double quotes"),
        ("ERROR %x%", 7, "whole pattern"),
        ("{ $.a = 1, $.b = 2 }", 10, "'}'"),
        ("{ $.a. = 1 }", 7, "property's name"),
        ("{ $.a[x] = 1 }", 7, "index"),
        ("{ $.a[1 = 1 }", 8, "']'"),
        ("{ $.a && $.b = 1 }", 7, "NOT EXISTS"),
        ("{ $.a = 1 && }", 14, "'$'"),
        ("{ ($.a = 1 }", 12, "')'"),
        ("{ }", 3, "'$'"),
        ("{" + "(" * 1000, 1, "nested"),
    ],
)
def test_what_cloudwatch_refuses_is_refused_where_it_stands(pattern: str, column: int, said: str) -> None:
    """Documented limits and plain mistakes are errors that point at the place and say what is allowed."""
    with pytest.raises(PatternError, match=re.escape(said)) as caught:
        parse(pattern)
    if said != "nested":
        assert caught.value.column == column


def test_a_backslash_escapes_only_a_quote_and_a_backslash() -> None:
    """Before any other character it stands for itself."""
    pattern = parse('{ $.a = "C:\\temp \\"x\\" \\\\" }')
    assert pattern.matches(json.dumps({"a": 'C:\\temp "x" \\'}))


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


@given(st.text(min_size=1, max_size=8), st.text(max_size=30))
def test_a_quoted_term_is_a_part_of_the_message(term: str, message: str) -> None:
    """Whatever its characters, and excluded where a minus is before it."""
    quoted = '"' + term.replace("\\", "\\\\").replace('"', '\\"') + '"'
    for text in (message, message + term):
        assert parse(quoted).matches(text) == (term in text or not term.strip())
        assert parse(f"-{quoted}").matches(text) == (term not in text)


@pytest.mark.parametrize("text", ["", "  ", '" "', "a b", 'ERROR -"not this"', "?a ?b", r"%\d+ms$%"])
def test_patterns_without_conditions_extract_no_field(text: str) -> None:
    """A metric filter with one of them can publish a constant only."""
    assert parse(text).fields == frozenset()
    assert parse(text).field('{"a": 1}', "$.a") is None
