"""From the text of a filter pattern to its model: a recursive-descent parser."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import Final

from simulate.patterns.conditions import (
    ORDER,
    And,
    Comparison,
    Condition,
    Is,
    Literal,
    NotExists,
    Number,
    Or,
    Regex,
    Text,
)
from simulate.patterns.error import PatternError
from simulate.patterns.json_values import parse_number
from simulate.patterns.model import AllEvents, JsonPattern, Pattern, RegexPattern, Terms
from simulate.patterns.reader import Reader
from simulate.patterns.regex import compile_regex
from simulate.patterns.selectors import Selector, read_selector

MAX_PATTERN_CHARACTERS: Final = 1024
MAX_REGEX_PER_PATTERN: Final = 2
MAX_WILDCARDS_PER_PATTERN: Final = 3

_BARE = re.compile(r"[A-Za-z0-9_.*+-]+")
_BARE_TEXT = re.compile(r"[A-Za-z0-9_.*]+")
_TERM = re.compile(r"[A-Za-z0-9_]+")
_OPERATOR = re.compile(r"!=|<=|>=|=|<|>")
_IS_VALUES: Final = {"NULL": None, "TRUE": True, "FALSE": False}


@functools.lru_cache(maxsize=512)
def parse(text: str) -> Pattern:
    """Parse a filter pattern, within the documented limits.

    Limits: 1,024 characters; two regular expressions; one wildcard in a property selector, three in a pattern.

    Raises:
        PatternError: CloudWatch Logs would refuse the pattern, its meaning is not documented, or it is a
            space-delimited pattern.
    """
    if len(text) > MAX_PATTERN_CHARACTERS:
        raise PatternError(
            f"a pattern has at most {MAX_PATTERN_CHARACTERS} characters, this one has {len(text)}",
            MAX_PATTERN_CHARACTERS + 1,
        )
    parser = _Parser(text)
    try:
        return parser.pattern()
    except RecursionError:
        raise parser.error("parentheses are nested too deeply") from None


class _Parser(Reader):
    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.regexes = 0
        self.wildcards = 0

    def pattern(self) -> Pattern:
        self.skip_space()
        match self.peek():
            case "":
                return AllEvents()
            case "{":
                pattern = self.json_pattern()
            case "%":
                pattern = RegexPattern(self.regex())
            case "[":
                raise self.error(
                    "space-delimited patterns ([ip, user, ...]) are not supported; allowed: terms, %a regular"
                    " expression% or { $.field = value } for JSON"
                )
            case _:
                pattern = self.terms()
        self.expect_end()
        return pattern

    def json_pattern(self) -> Pattern:
        self.expect("{", "at the start")
        condition = self.alternatives()
        self.expect("}", "at the end of a JSON pattern")
        return JsonPattern(condition)

    def terms(self) -> Pattern:
        groups: dict[str, list[str]] = {"": [], "-": [], "?": []}
        while not self.at_end:
            prefix = next((mark for mark in "-?" if self.accept(mark)), "")
            start = self.at
            if self.peek() == '"':
                term = self.quoted()
            elif self.peek() == "%":
                raise self.error("a regular expression must be the whole pattern")
            else:
                term = self.take(_TERM)
            if self.at == start or not (self.at_end or self.peek().isspace()):
                raise self.error("a term with characters other than letters, digits and '_' needs double quotes", start)
            if term.strip() or prefix:
                groups[prefix].append(term)
            self.skip_space()
        if not any(groups.values()):
            return AllEvents()
        return Terms(tuple(groups[""]), tuple(groups["-"]), tuple(groups["?"]))

    # Conditions: () before && before ||

    def alternatives(self) -> Condition:
        parts = self.joined("||", self.conjunction)
        return parts[0] if len(parts) == 1 else Or(parts)

    def conjunction(self) -> Condition:
        parts = self.joined("&&", self.group)
        return parts[0] if len(parts) == 1 else And(parts)

    def joined(self, token: str, part: Callable[[], Condition]) -> tuple[Condition, ...]:
        parts = [part()]
        while self.accept(token):
            parts.append(part())
        return tuple(parts)

    def group(self) -> Condition:
        self.skip_space()
        if self.accept("("):
            condition = self.alternatives()
            self.expect(")", "to close '('")
        else:
            condition = self.condition()
        self.skip_space()
        return condition

    def condition(self) -> Condition:
        start = self.at
        selector = read_selector(self)
        self.wildcards += selector.wildcards
        if self.wildcards > MAX_WILDCARDS_PER_PATTERN:
            raise self.error(f"a pattern has at most {MAX_WILDCARDS_PER_PATTERN} wildcard selectors", start)
        self.skip_space()
        if self.accept("IS"):
            self.skip_space()
            for name, value in _IS_VALUES.items():
                if self.accept(name):
                    return Is(selector, value)
            raise self.error("IS is followed by NULL, TRUE or FALSE")
        if self.accept("NOT"):
            self.skip_space()
            self.expect("EXISTS", "after NOT")
            return NotExists(selector)
        return self.comparison(selector)

    def comparison(self, selector: Selector) -> Condition:
        sign = self.take(_OPERATOR)
        if not sign:
            allowed = "=, !=, <, <=, > or >=, IS NULL, IS TRUE, IS FALSE or NOT EXISTS"
            raise self.error(f"expected {allowed} after {selector}")
        self.skip_space()
        start = self.at
        literal = self.literal()
        if sign in ORDER and not isinstance(literal, Number):
            raise self.error(f"{sign} compares with a number", start)
        return Comparison(selector, sign, literal)

    # Literals

    def literal(self) -> Literal:
        start = self.at
        if self.peek() == '"':
            return self.text_literal(self.quoted(), quoted=True, start=start)
        if self.peek() == "%":
            return self.regex()
        word = self.take(_BARE)
        number = parse_number(word)
        if number is not None:
            return Number(number)
        if not word:
            raise self.error("expected a number, a string, %a regular expression% or *")
        if not _BARE_TEXT.fullmatch(word):
            raise self.error(f"{word!r} needs double quotes", start)
        return self.text_literal(word, quoted=False, start=start)

    def text_literal(self, text: str, *, quoted: bool, start: int) -> Text:
        if "*" in text.strip("*"):
            raise self.error("an asterisk is allowed only at the start or the end of a string", start)
        return Text(text, quoted)

    def quoted(self) -> str:
        start = self.at
        self.at += 1
        text: list[str] = []
        while not self.at_end:
            character = self.text[self.at]
            self.at += 1
            if character == '"':
                return "".join(text)
            if character == "\\" and self.peek() in {'"', "\\"}:
                character = self.text[self.at]
                self.at += 1
            text.append(character)
        raise self.error("the double quote is not closed", start)

    def regex(self) -> Regex:
        start = self.at
        self.regexes += 1
        if self.regexes > MAX_REGEX_PER_PATTERN:
            raise self.error(f"a pattern has at most {MAX_REGEX_PER_PATTERN} regular expressions", start)
        end = self.text.find("%", start + 1)
        if end == -1:
            raise self.error("the regular expression is not closed with %", start)
        source = self.text[start + 1 : end]
        try:
            compile_regex(source)
        except PatternError as error:
            raise PatternError(error.message, start + 1 + error.column) from None
        self.at = end + 1
        return Regex(source)
