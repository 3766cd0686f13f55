"""The grammar of commands: query text to commands, by recursive descent."""

from __future__ import annotations

import re
from typing import Literal

from cloudwatch.insights import language, syntax
from cloudwatch.insights.expressions import ExpressionParser
from cloudwatch.insights.reader import Refused
from cloudwatch.insights.syntax import Field, Item

_TABLE = re.compile(r"[A-Za-z0-9_-]+")


class Parser(ExpressionParser):
    """One text's commands: `Parser(text).query()`; raises `Refused`."""

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
                    raise Refused("a glob needs a * for each value that it extracts", by.at)
            case syntax.Regex() if aliases:
                try:
                    wanted = by.group_count()
                except re.error:
                    return
            case syntax.Regex():
                if not by.named_groups:
                    raise Refused("the regular expression needs a named group, (?<name>...), for each value", by.at)
                return
            case "logfmt":
                wanted = 1
            case _:
                wanted = max(1, len(aliases))
        if len(aliases) != wanted:
            raise Refused(f"parse extracts {wanted} here, but {len(aliases)} are named after as", at)

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
        if not re.fullmatch(r"\d{1,6}", token.text) or not 1 <= int(token.text) <= most:
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
