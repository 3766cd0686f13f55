"""Tokens, names and literals of the query language.

A token is read where the grammar wants one, because only the grammar knows whether `/` divides or starts a regular
expression.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple, TypeVar

from cloudwatch.insights import language, syntax
from cloudwatch.insights.syntax import Field

_T = TypeVar("_T")


class Refused(Exception):
    """What is wrong at an offset of the text."""

    def __init__(self, message: str, at: int) -> None:
        super().__init__(message)
        self.message = message
        self.at = at


class _Token(NamedTuple):
    kind: str
    text: str
    at: int


_SEGMENT = r"(?:@?`[^`\n]+`|[A-Za-z_@][A-Za-z0-9_@]*)"
_TOKEN = re.compile(
    rf"""
    (?P<space>(?:\s|\#[^\n]*)+)
  | (?P<word>(?:{"|".join(sorted(language.RESERVED))})(?![\w@.]))
  | (?P<name>{_SEGMENT}(?:\.(?:{_SEGMENT}|\d+)|\[\d+\])*)
  | (?P<period>\d+[A-Za-z]+)
  | (?P<number>\d+(?:\.\d+)?|\.\d+)
  | (?P<text>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')
  | (?P<mark>!=|<=|>=|=~|==|<>|&&|\|\||[=<>+\-*/%^()\[\],|.!;])
    """,
    re.VERBOSE | re.IGNORECASE | re.ASCII,
)
_REGEX = re.compile(r"/((?:[^/\\]|\\.)+)/", re.DOTALL)
_NAME_PART = re.compile(r"(@?)`([^`]+)`|([A-Za-z0-9_@]+)")
_MISTAKEN = {
    "==": "equality is one =",
    "<>": "inequality is !=",
    "&&": "write and",
    "||": "write or",
    "!": "write not",
    ";": "a query has no ; commands are separated with |",
}


class Reader:
    """A text and how far it has been read; raises `Refused`."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._position = 0
        self._token = _Token("start", "", -1)

    # -- tokens ------------------------------------------------------------------------------------------------

    def _peek(self) -> _Token:
        if self._token.at != self._position:
            self._token = self._scan()
        return self._token

    def _scan(self) -> _Token:
        while self._position < len(self._text):
            found = _TOKEN.match(self._text, self._position)
            if found is None:
                raise self._unreadable()
            if found.lastgroup != "space":
                return _Token(str(found.lastgroup), found.group(), found.start())
            self._position = found.end()
        return _Token("end", "", self._position)

    def _unreadable(self) -> Refused:
        character = self._text[self._position]
        if character in "\"'`":
            return Refused(f"the {character} that opens here is never closed on its line", self._position)
        return Refused(f"{character} has no meaning here; write such a name in back-ticks", self._position)

    def _next(self) -> _Token:
        token = self._peek()
        self._position = token.at + len(token.text)
        return token

    def _take(self, kind: str, *texts: str) -> _Token | None:
        """The next token, if it is of `kind` and one of `texts` (any, without them; case does not matter)."""
        token = self._peek()
        if token.kind != kind or (texts and token.text.lower() not in texts):
            return None
        return self._next()

    def _take_mark(self, *texts: str) -> _Token | None:
        return self._take("mark", *texts)

    def _expect_mark(self, text: str, why: str) -> None:
        if not self._take_mark(text):
            token = self._peek()
            raise Refused(f"expected {text} {why}; {self._unexpected(token)}", token.at)

    def _unexpected(self, token: _Token) -> str:
        if token.kind == "end":
            return "the query ends here"
        if token.text in _MISTAKEN:
            return _MISTAKEN[token.text]
        if token.text.lower() in (name.lower() for name in language.COMMANDS):
            return f"found the command {token.text}: put | before it"
        if token.text in (")", "]"):
            return f"this {token.text} has no opening counterpart"
        return f"did not expect {token.text}"

    # -- names and literals --------------------------------------------------------------------------------------

    def _name(self, what: str) -> tuple[str, int]:
        token = self._peek()
        if token.kind == "word":
            raise Refused(f"{token.text} is a word of the language; as {what}, write it in back-ticks", token.at)
        if token.kind != "name":
            raise Refused(f"expected {what}; {self._unexpected(token)}", token.at)
        self._next()
        parts = (f"{at}{quoted}" if quoted else plain for at, quoted, plain in _NAME_PART.findall(token.text))
        return ".".join(parts), token.at

    def _field(self) -> Field:
        name, at = self._name("a field's name")
        return Field(name, at=at)

    def _alias(self) -> str:
        return self._name("a name for the result")[0]

    def _listed(self, read: Callable[[], _T]) -> tuple[_T, ...]:
        values = [read()]
        while self._take_mark(","):
            values.append(read())
        return tuple(values)

    def _text_literal(self, token: _Token) -> syntax.Text:
        return syntax.Text(re.sub(r"\\([\\\"'])", r"\1", token.text[1:-1]), at=token.at)

    def _literal(self) -> syntax.Text | syntax.Number:
        minus = self._take_mark("-")
        if number := self._take("number"):
            return syntax.Number(f"-{number.text}" if minus else number.text, at=number.at)
        if not minus and (text := self._take("text")):
            return self._text_literal(text)
        token = self._peek()
        raise Refused(f"expected a number or a text in quotes; {self._unexpected(token)}", token.at)

    def _regex(self) -> syntax.Regex | None:
        """A regular expression, if one starts here."""
        start = self._peek()
        if start.text != "/":
            return None
        found = _REGEX.match(self._text, start.at)
        if found is None:
            raise Refused("the regular expression that starts here is empty or has no / at its end", start.at)
        regex = syntax.Regex(found.group(1), at=start.at)
        try:
            regex.group_count()
        except re.error as error:
            # Dialects differ; only what is malformed in all of them is refused.
            if re.search(r"unterminated|unbalanced|missing \)|nothing to repeat", error.msg):
                raise Refused(f"the regular expression is malformed: {error.msg}", start.at) from error
        self._position = found.end()
        return regex

    def _period(self) -> syntax.Period:
        token = self._peek()
        if token.kind != "period":
            raise Refused(f"expected a period such as 5m or 1h; {self._unexpected(token)}", token.at)
        unit = token.text.lstrip("0123456789")
        known, cap = language.unit_cap(unit)
        if not known:
            raise Refused(f"{unit} is not a unit of time: {', '.join(language.UNIT_CAPS)}", token.at)
        digits = token.text.removesuffix(unit)
        if len(digits) > 4 or int(digits) < 1:
            raise Refused("a period counts from 1 to 9999 of its unit", token.at)
        count = int(digits)
        if cap is not None and count > cap:
            raise Refused(f"CloudWatch would silently use {cap}{unit} for {token.text}: use a larger unit", token.at)
        self._next()
        return syntax.Period(count, unit, at=token.at)
