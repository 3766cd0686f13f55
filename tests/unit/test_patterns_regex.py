"""The regular expressions of filter patterns: the documented examples, and properties of all of them."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulate.patterns import PatternError, parse

SYMBOLS = ":_#=@/;,- "
OPERATORS = "^$?[]{}|\\*+."


@pytest.mark.parametrize(
    ("pattern", "found", "not_found"),
    [
        ("%AUTHORIZED%", ["[ERROR 401] UNAUTHORIZED REQUEST", "[SUCCESS 200] AUTHORIZED REQUEST"], ["authorized"]),
        ("%^[hc]at%", ["hat", "cat", "hats"], ["a hat", "bat"]),
        ("%[hc]at$%", ["hat", "cat", "a cat"], ["hats", "bat", "hat\n"]),
        ("%colou?r%", ["color", "colour"], ["colouur"]),
        ("%[abc]%", ["a", "b", "c"], ["d", "A"]),
        ("%[a-z]%", ["a", "m", "z"], ["A", "0"]),
        ("%[abcx-z]%", ["a", "b", "c", "x", "y", "z"], ["d", "w"]),
        ("%^a{3,5}$%", ["aaa", "aaaa", "aaaaa"], ["aa", "aaaaaa"]),
        ("%^a{,2}$%", ["", "a", "aa"], ["aaa"]),
        ("%^a{2,}$%", ["aa", "aaaaaaa"], ["a"]),
        ("%^a{2}$%", ["aa"], ["a", "aaa"]),
        ("%gra|ey%", ["gray", "grey"], ["gry"]),
        (
            "%^starting|^initializing|^shutting down%",
            ["starting ...", "initializing ...", "shutting down"],
            ["skipping initializing ..."],
        ),
        ("%abcc|ab[^c]$%", ["abcc ...", "aba"], ["aac ...", "abc"]),
        (r"%\[.\]%", ["[a]", "[b]", "[7]", "[@]", "[]]", "[ ]"], ["[]", "[ab]"]),
        (r"%10\.10\.0\.1%", ["10.10.0.1"], ["10010,051"]),
        ("%10.10.0.1%", ["10.10.0.1", "10010,051"], ["10.10.0"]),
        ("%ab*c%", ["ac", "abc", "abbbc"], ["adc"]),
        ("%^ab[0-9]*$%", ["ab", "ab0", "ab129"], ["aba"]),
        ("%ab+c%", ["abc", "abbc", "abbbc"], ["ac"]),
        ("%.at%", ["hat", "cat", "bat", "4at", "#at", " at", "\nat"], ["at"]),
        (r"%\x3A%", [":"], [";", "x3A"]),
        (r"%\x28%", ["("], [")"]),
        ("%^[{B[]%", ["{", "B", "["], ["]", "A"]),
        (r"%^[\]a]$%", ["]", "a"], ["\\", "b"]),
    ],
)
def test_regular_expressions_match_as_documented(pattern: str, found: list[str], not_found: list[str]) -> None:
    """https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/regex-expressions.html"""
    assert [text for text in (*found, *not_found) if parse(pattern).matches(text)] == found


@pytest.mark.parametrize(
    ("pattern", "column", "said"),
    [
        ("%something!%", 11, "'!'"),
        ("%a(b)%", 3, "'('"),
        ("%(a)%", 2, "'('"),
        ("%é%", 2, "'é'"),
        ("%a", 1, "not closed"),
        ("%%", 2, "not empty"),
        ("%a[]%", 4, "not empty"),
        ("%a[^]%", 5, "not empty"),
        ("%a{%", 3, "'{'"),
        ("%a}%", 3, "'}'"),
        ("%a++%", 4, "nothing to repeat"),
        ("%*a%", 2, "nothing to repeat"),
        ("%a|?%", 4, "nothing to repeat"),
        ("%^{2}%", 3, "nothing to repeat"),
        ("%[a%", 2, "not a regular expression"),
        ("%[z-a]%", 2, "not a regular expression"),
        ("%a{3,2}%", 2, "not a regular expression"),
        (r"%\b%", 2, r"'\\'"),
        (r"%\x3%", 2, r"'\\'"),
        ("%a% b", 5, "nothing may follow"),
        ("{ $.a = %a(% }", 11, "'('"),
    ],
)
def test_what_cloudwatch_refuses_is_refused_where_it_is(pattern: str, column: int, said: str) -> None:
    """Groups, other characters and quantifiers of nothing; the column counts in the whole pattern."""
    with pytest.raises(PatternError, match=re.escape(said)) as caught:
        parse(pattern)
    assert caught.value.column == column


ascii_texts = st.text(st.characters(max_codepoint=127), min_size=1, max_size=8)


@given(ascii_texts, st.text(max_size=20))
def test_hexadecimal_escapes_stand_for_any_ascii_character(text: str, message: str) -> None:
    """Found where the text is, anchored where the text is all; none of its characters means anything else."""
    escaped = "".join(f"\\x{ord(character):02x}" for character in text)
    for each in (message, text, message + text, text + message):
        assert parse(f"%{escaped}%").matches(each) == (text in each)
        assert parse(f"%^{escaped}$%").matches(each) == (text == each)


@given(st.text(st.sampled_from(SYMBOLS + "aZ0"), min_size=1, max_size=6), st.text(SYMBOLS + "aZ0", max_size=9))
def test_the_supported_symbols_stand_for_themselves(text: str, message: str) -> None:
    """Without an escape."""
    for each in (message, message + text):
        assert parse(f"%{text}%").matches(each) == (text in each)


@given(st.text(OPERATORS, min_size=1, max_size=6), st.text(OPERATORS, max_size=9))
def test_a_backslash_takes_an_operators_meaning_away(text: str, message: str) -> None:
    """From each operator."""
    escaped = "".join(f"\\{character}" for character in text)
    for each in (message, message + text):
        assert parse(f"%{escaped}%").matches(each) == (text in each)


@given(st.characters(), st.sampled_from(["d", "s", "w"]))
def test_a_class_in_capitals_is_the_inverse(character: str, name: str) -> None:
    """Every character is in exactly one of the two; those beyond ASCII are no digits, letters or spaces."""
    inside, outside = (parse(f"%^\\{each}$%").matches(character) for each in (name, name.upper()))
    assert inside != outside
    assert not inside or character.isascii()


@given(st.characters())
def test_classes_are_what_their_ranges_say(character: str) -> None:
    """`\\d` is `[0-9]` and `\\w` is `[a-zA-Z_0-9]`, as documented; inside a class they mean the same."""
    for short, range_ in ((r"\d", "0-9"), (r"\w", "a-zA-Z_0-9")):
        expected = parse(f"%^[{range_}]$%").matches(character)
        assert parse(f"%^{short}$%").matches(character) == expected
        assert parse(f"%^[{short}]$%").matches(character) == expected
        assert parse(f"%^[^{range_}]$%").matches(character) == (not expected)


@given(st.integers(0, 5), st.integers(0, 5), st.integers(0, 12))
def test_quantifiers_count(least: int, more: int, count: int) -> None:
    """`{m,n}`, with either end left out too, and the three signs."""
    text = "a" * count
    for quantifier, expected in (
        (f"{{{least},{least + more}}}", least <= count <= least + more),
        (f"{{{least}}}", count == least),
        (f"{{{least},}}", least <= count),
        (f"{{,{more}}}", count <= more),
        ("*", True),
        ("+", count > 0),
        ("?", count <= 1),
    ):
        assert parse(f"%^a{quantifier}$%").matches(text) == expected


@given(ascii_texts, st.text(max_size=12))
def test_a_regex_in_a_json_pattern_searches_strings_only(text: str, value: str) -> None:
    """As it does alone; a number, a flag or null never matches, not even under !=."""
    regex = "%" + "".join(f"\\x{ord(character):02x}" for character in text) + "%"
    equal, unequal = parse(f"{{ $.a = {regex} }}"), parse(f"{{ $.a != {regex} }}")
    for each in (value, value + text):
        message = json.dumps({"a": each})
        assert equal.matches(message) == (text in each)
        assert unequal.matches(message) == (text not in each)
    for other in ("3", "true", "null", '["x"]'):
        assert not equal.matches(f'{{"a": {other}}}')
        assert not unequal.matches(f'{{"a": {other}}}')
