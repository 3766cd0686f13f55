"""The grammar: query text to commands, by recursive descent.

Tokens are read where the grammar wants them, because only the grammar knows whether `/` divides or starts a
regular expression.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Literal, NamedTuple, TypeVar

from cloudwatch.plan.insights import language, syntax
from cloudwatch.plan.insights.syntax import COMPARISONS, Expression, Field, Item

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
    re.VERBOSE | re.IGNORECASE,
)
_REGEX = re.compile(r"/((?:[^/\\]|\\.)+)/", re.DOTALL)
_NAME_PART = re.compile(r"(@?)`([^`]+)`|([A-Za-z0-9_@]+)")
_TABLE = re.compile(r"[A-Za-z0-9_-]+")
_MISTAKEN = {
    "==": "equality is one =",
    "<>": "inequality is !=",
    "&&": "write and",
    "||": "write or",
    "!": "write not",
    ";": "a query has no ; commands are separated with |",
}
_JOINED_WITH_LITERAL = '{operator} joins conditions, not values: repeat the comparison (x like "a" or x like "b")'


class Parser:
    """One text's commands: `Parser(text).query()`; raises `Refused`."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._position = 0

    def query(self) -> tuple[syntax.Command, ...]:
        if self._peek().kind == "end":
            raise Refused("a query needs a command, such as fields @timestamp, @message", 0)
        commands = [self._command()]
        while self._take_mark("|"):
            commands.append(self._command())
        end = self._peek()
        if end.kind != "end":
            raise Refused(self._unexpected(end), end.at)
        return tuple(commands)

    # -- tokens ------------------------------------------------------------------------------------------------

    def _peek(self) -> _Token:
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
        return Refused(f"{character} means nothing here; such a name goes in back-ticks", self._position)

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
            return f"this {token.text} closes nothing"
        return f"did not expect {token.text}"

    # -- names and literals --------------------------------------------------------------------------------------

    def _name(self, what: str) -> tuple[str, int]:
        token = self._peek()
        if token.kind == "word":
            raise Refused(f"{token.text} is a word of the language; as {what} it goes in back-ticks", token.at)
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
            regex.groups()
        except re.error as error:
            # Dialects differ; only what is malformed in all of them is refused.
            if re.search(r"unterminated|unbalanced|missing \)|nothing to repeat", error.msg):
                raise Refused(f"the regular expression is malformed: {error.msg}", start.at)
        self._position = found.end()
        return regex

    def _period(self) -> syntax.Period:
        token = self._peek()
        digits, unit = re.fullmatch(r"(\d*)(.*)", token.text, re.DOTALL).groups()  # type: ignore[union-attr]
        if token.kind != "period":
            raise Refused(f"expected a period such as 5m or 1h; {self._unexpected(token)}", token.at)
        known, cap = language.unit_cap(unit)
        if not known:
            raise Refused(f"{unit} is no unit of time: {', '.join(language.UNIT_CAPS)}", token.at)
        count = int(digits)
        if count < 1:
            raise Refused("a period is at least 1", token.at)
        if cap is not None and count > cap:
            raise Refused(f"CloudWatch would silently take {cap}{unit} for {token.text}: use a larger unit", token.at)
        self._next()
        return syntax.Period(count, unit, at=token.at)

    # -- expressions ---------------------------------------------------------------------------------------------

    def _expression(self) -> Expression:
        return self._joined("or", self._conjunction)

    def _conjunction(self) -> Expression:
        return self._joined("and", self._negation)

    def _joined(self, operator: str, operand: Callable[[], Expression]) -> Expression:
        left = operand()
        while joint := self._take("word", operator):
            right = operand()
            for side in (left, right):
                if isinstance(side, syntax.Text | syntax.Number):
                    raise Refused(_JOINED_WITH_LITERAL.format(operator=operator), side.at)
            left = syntax.Binary(operator, left, right, at=joint.at)
        return left

    def _negation(self) -> Expression:
        if word := self._take("word", "not"):
            return syntax.Unary("not", self._negation(), at=word.at)
        return self._comparison()

    def _comparison(self) -> Expression:
        left = self._sum()
        compared = self._compared(left)
        if compared is left:
            return left
        again = self._peek()
        if again.text in (*COMPARISONS, "=~") or again.text.lower() in ("like", "in"):
            raise Refused("comparisons don't chain: join two with and", again.at)
        return compared

    def _compared(self, left: Expression) -> Expression:
        if mark := self._take_mark(*COMPARISONS):
            right = self._sum()
            for side in (left, right):
                if isinstance(side, syntax.Boolean):
                    raise Refused("JSON's true and false are 1 and 0 in Logs Insights: compare with those", side.at)
            return syntax.Binary(mark.text, left, right, at=mark.at)
        if mark := self._take_mark("=~"):
            pattern = self._regex()
            if pattern is None:
                raise Refused("=~ takes a regular expression between slashes", self._peek().at)
            return syntax.Match("=~", left, pattern, at=mark.at)
        negation = self._take("word", "not")
        if word := self._take("word", "like"):
            return syntax.Match("not like" if negation else "like", left, self._pattern(), at=word.at)
        if word := self._take("word", "in"):
            return syntax.Membership("not in" if negation else "in", left, self._options(), at=word.at)
        if negation:
            raise Refused("after a value, not goes with like or in", negation.at)
        return left

    def _pattern(self) -> syntax.Text | syntax.Regex:
        if regex := self._regex():
            return regex
        if text := self._take("text"):
            return self._text_literal(text)
        token = self._peek()
        raise Refused(
            f"like takes a text in quotes or a regular expression between slashes; {self._unexpected(token)}", token.at
        )

    def _options(self) -> tuple[syntax.Text | syntax.Number, ...]:
        self._expect_mark("[", "and a list of values after in")
        options = self._listed(self._literal)
        self._expect_mark("]", "after the values")
        return options

    def _sum(self) -> Expression:
        return self._arithmetic(("+", "-"), self._product)

    def _product(self) -> Expression:
        return self._arithmetic(("*", "/", "%"), self._power)

    def _power(self) -> Expression:
        return self._arithmetic(("^",), self._negative)

    def _arithmetic(self, operators: tuple[str, ...], operand: Callable[[], Expression]) -> Expression:
        left = operand()
        while mark := self._take_mark(*operators):
            right = operand()
            for side in (left, right):
                if isinstance(side, syntax.Text):
                    raise Refused(f"{mark.text} takes numbers; texts are joined with concat(...)", side.at)
            left = syntax.Binary(mark.text, left, right, at=mark.at)
        return left

    def _negative(self) -> Expression:
        if mark := self._take_mark("-"):
            return syntax.Unary("-", self._negative(), at=mark.at)
        return self._primary()

    def _primary(self) -> Expression:
        token = self._peek()
        if self._take_mark("("):
            inner = self._expression()
            self._expect_mark(")", "for the ( before")
            return inner
        if token.kind == "number":
            self._next()
            return syntax.Number(token.text, at=token.at)
        if token.kind == "text":
            self._next()
            return self._text_literal(token)
        if word := self._take("word", "true", "false"):
            return syntax.Boolean(word.text.lower() == "true", at=word.at)
        if token.kind == "period":
            raise Refused(f"{token.text} is neither a number nor a name; a period goes into bin(...)", token.at)
        if token.text == "/":
            raise Refused("a regular expression goes after like or =~", token.at)
        name, at = self._name("a field, a value or a function")
        if self._take_mark("("):
            return self._call(name, at)
        return Field(name, at=at)

    def _call(self, name: str, at: int) -> Expression:
        function = language.FUNCTIONS.get(name.lower())
        if function is None:
            raise Refused(language.unknown_function(name), at)
        arguments: list[Expression] = []
        if not self._take_mark(")"):
            while True:
                arguments.append(self._argument(function, len(arguments)))
                if not self._take_mark(","):
                    break
            self._expect_mark(")", f"after the arguments of {function.name}")
        if not function.minimum <= len(arguments) <= (function.maximum or len(arguments)):
            raise Refused(f"{function.name} takes {function.arity}, not {len(arguments)}", at)
        call = syntax.Call(function.name, tuple(arguments), at=at)
        return self._member(call)

    def _argument(self, function: language.Function, index: int) -> Expression:
        if language.PERIOD_ARGUMENT.get(function.name) == index:
            return self._period()
        if function.name == "count" and (star := self._take_mark("*")):
            return syntax.Star(at=star.at)
        argument = self._expression()
        if function.name == "pct" and index == 1:
            self._check_percent(argument)
        return argument

    def _check_percent(self, argument: Expression) -> None:
        if not isinstance(argument, syntax.Number) or not 0 <= float(argument.digits) <= 100:
            raise Refused("pct takes a percentage from 0 to 100 after the field: pct(field, 95)", argument.at)

    def _member(self, call: syntax.Call) -> Expression:
        if not self._take_mark("."):
            return call
        path, _ = self._name("the name of a part")
        return syntax.Member(call, path, at=call.at)

    # -- commands ------------------------------------------------------------------------------------------------

    def _command(self) -> syntax.Command:
        token = self._peek()
        if token.kind != "name":
            raise Refused(f"expected a command; {self._unexpected(token)}", token.at)
        self._next()
        read = {
            "display": self._display,
            "fields": self._fields,
            "filter": self._filter,
            "where": self._filter,
            "filterindex": self._filter_index,
            "pattern": lambda at: syntax.Pattern(self._expression(), at=at),
            "anomaly": lambda at: syntax.Anomaly(at=at),
            "diff": self._diff,
            "parse": self._parse,
            "sort": self._sort,
            "stats": self._stats,
            "limit": self._limit,
            "dedup": lambda at: syntax.Dedup(self._listed(self._field), at=at),
            "unnest": self._unnest,
            "expand": lambda at: syntax.Expand(self._field(), at=at),
            "lookup": self._lookup,
        }.get(token.text.lower())
        if read is None:
            raise Refused(language.unknown_command(token.text), token.at)
        return read(token.at)

    def _item(self) -> Item:
        expression = self._expression()
        alias = self._alias() if self._take("word", "as") else None
        return Item(expression, alias, at=expression.at)

    def _display(self, at: int) -> syntax.Display:
        return syntax.Display(self._listed(self._item), at=at)

    def _fields(self, at: int) -> syntax.Fields:
        return syntax.Fields(self._listed(self._item), at=at)

    def _filter(self, at: int) -> syntax.Filter:
        condition = self._expression()
        arithmetic = isinstance(condition, syntax.Binary) and condition.operator in "+-*/%^"
        if arithmetic or isinstance(condition, syntax.Text | syntax.Number):
            raise Refused('filter needs a condition, such as level = "ERROR"', condition.at)
        return syntax.Filter(condition, at=at)

    def _filter_index(self, at: int) -> syntax.FilterIndex:
        condition = self._expression()
        match condition:
            case syntax.Binary(operator="=", left=Field(), right=syntax.Text() | syntax.Number()):
                pass
            case syntax.Membership(operator="in", subject=Field()):
                pass
            case _:
                raise Refused("filterIndex takes field = value or field in [values]", condition.at)
        return syntax.FilterIndex(condition, at=at)

    def _diff(self, at: int) -> syntax.Diff:
        token = self._take("name")
        if token is None:
            return syntax.Diff(at=at)
        period = {each.lower(): each for each in language.DIFF_PERIODS}.get(token.text.lower())
        if period is None:
            raise Refused(f"diff takes {', '.join(language.DIFF_PERIODS)} or nothing", token.at)
        return syntax.Diff(period, at=at)

    def _parse(self, at: int) -> syntax.Parse:
        token = self._peek()
        source = self._field() if token.kind == "name" else Field("@message", at=at)
        by = self._parse_by()
        aliases = self._listed(self._alias) if self._take("word", "as") else ()
        self._check_aliases(by, aliases, at)
        multi = isinstance(by, syntax.Regex) and self._take("name", "multi") is not None
        return syntax.Parse(source, by, aliases, multi, at=at)

    def _parse_by(self) -> syntax.Text | syntax.Regex | Literal["logfmt", "csv"]:
        if regex := self._regex():
            return regex
        if text := self._take("text"):
            return self._text_literal(text)
        if self._take("name", "logfmt"):
            return "logfmt"
        if self._take("name", "csv"):
            return "csv"
        token = self._peek()
        raise Refused(
            f"parse takes a glob in quotes, a regular expression between slashes, logfmt or csv; "
            f"{self._unexpected(token)}",
            token.at,
        )

    def _check_aliases(
        self, by: syntax.Text | syntax.Regex | Literal["logfmt", "csv"], aliases: tuple[str, ...], at: int
    ) -> None:
        match by:
            case syntax.Text():
                wanted = by.value.count("*")
                if not wanted:
                    raise Refused("a glob needs a * for each value that it takes out", by.at)
            case syntax.Regex() if not aliases:
                if not any(by.groups()):
                    raise Refused("the regular expression needs a named group, (?<name>...), for each value", by.at)
                return
            case syntax.Regex():
                wanted = len(by.groups())
            case "logfmt":
                wanted = 1
            case _:
                wanted = max(1, len(aliases))
        if len(aliases) != wanted:
            raise Refused(f"parse takes out {wanted} here, but {len(aliases)} are named after as", at)

    def _sort(self, at: int) -> syntax.Sort:
        self._take("word", "by")
        return syntax.Sort(self._listed(self._sort_key), at=at)

    def _sort_key(self) -> syntax.SortKey:
        expression = self._expression()
        if self._take("word", "asc"):
            return syntax.SortKey(expression, "asc", at=expression.at)
        return syntax.SortKey(expression, "desc" if self._take("word", "desc") else None, at=expression.at)

    def _stats(self, at: int) -> syntax.Stats:
        items = self._listed(self._item)
        by = self._listed(self._item) if self._take("word", "by") else ()
        offset = self._period() if by and self._take("name", "offset") else None
        return syntax.Stats(items, by, offset, at=at)

    def _limit(self, at: int) -> syntax.Limit:
        early = self._take("name", "any") is not None
        token = self._peek()
        most = language.LIMIT_MAXIMUM_ROWS
        if token.kind != "number" or not token.text.isdecimal() or not 1 <= int(token.text) <= most:
            raise Refused(f"limit takes a number of rows from 1 to {most}", token.at)
        self._next()
        return syntax.Limit(int(token.text), early, at=at)

    def _unnest(self, at: int) -> syntax.Unnest:
        expression = self._expression()
        if not self._take("name", "into"):
            token = self._peek()
            raise Refused(f"unnest <list> needs into <name>; {self._unexpected(token)}", token.at)
        return syntax.Unnest(expression, self._alias(), at=at)

    def _lookup(self, at: int) -> syntax.Lookup:
        start = self._peek().at
        table = _TABLE.match(self._text, start)
        if table is None:
            raise Refused("lookup needs the name of a lookup table", start)
        self._position = table.end()
        matches = self._listed(self._lookup_match)
        mode = self._take("name", "output", "outputnew")
        if mode is None:
            token = self._peek()
            raise Refused(f"lookup needs OUTPUT or OUTPUTNEW and columns; {self._unexpected(token)}", token.at)
        outputs = self._listed(self._alias)
        written: Literal["OUTPUT", "OUTPUTNEW"] = "OUTPUTNEW" if mode.text.lower() == "outputnew" else "OUTPUT"
        return syntax.Lookup(table.group(), matches, written, outputs, at=at)

    def _lookup_match(self) -> tuple[str, Field]:
        column, at = self._name("a column of the lookup table")
        return column, self._field() if self._take("word", "as") else Field(column, at=at)
