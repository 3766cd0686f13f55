"""What the grammar can't say: which names exist where, and which commands may follow which.

The rules and their documentation, below https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/:
aggregations only in `stats`, at most two `stats`, no `sort` or `limit` before the second, and after a `stats`
only what it defines (CWL_QuerySyntax-Stats.html#CWL_QuerySyntax-stats-multi); an alias of a `stats` may be used
further on in it (CWL_QuerySyntax-examples.html#CWL_QuerySyntax-examples-Lambda); only `limit` after `dedup`
(CWL_QuerySyntax-Dedup.html); maps and lists in `dedup`, `pattern`, `sort` and `stats` are not supported
(CWL_QuerySyntax-operations-functions.html#CWL_QuerySyntax-structure-types).
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum

from cloudwatch.insights import language, syntax
from cloudwatch.insights.reader import Refused
from cloudwatch.insights.syntax import Expression, Field, Item


class _Place(Enum):
    ROW = "row"
    """Once an event: everywhere but in what `stats` computes."""
    STATS = "stats"
    """What `stats` computes, outside aggregations."""
    AGGREGATION = "aggregation"
    """Within an aggregation's argument."""


class Rules:
    """Walks the commands in order; afterwards `errors`, `fields` and `columns` tell what was found."""

    def __init__(self, commands: tuple[syntax.Command, ...]) -> None:
        self.errors: list[Refused] = []
        self.fields: set[str] = set()
        self._names: dict[str, str | None] = {}
        """Aliases: the path in the event that each stands for (`""`: the whole event), None for what is computed."""
        self._closed = False
        """After a `stats` nothing is left but its results."""
        self._shown: list[str] = []
        self._displayed: tuple[str, ...] = ()
        self._undetermined = False
        for index, command in enumerate(commands):
            self._check_order(commands, index)
            self._visit(command)

    @property
    def columns(self) -> tuple[str, ...]:
        if self._displayed:
            return self._displayed
        if self._undetermined:
            return ()
        return tuple(dict.fromkeys(self._shown)) or language.DEFAULT_COLUMNS

    def _refuse(self, message: str, at: int) -> None:
        self.errors.append(Refused(message, at))

    # -- order -------------------------------------------------------------------------------------------------

    def _check_order(self, commands: tuple[syntax.Command, ...], index: int) -> None:
        command, before = commands[index], commands[:index]
        if any(isinstance(each, syntax.Dedup) for each in before) and not isinstance(command, syntax.Limit):
            self._refuse("only limit may follow dedup", command.at)
        if not isinstance(command, syntax.Stats):
            return
        earlier = sum(isinstance(each, syntax.Stats) for each in before)
        if earlier == language.STATS_MAXIMUM:
            self._refuse(f"a query has at most {language.STATS_MAXIMUM} stats commands", command.at)
        if earlier == 1:
            for each in before:
                if isinstance(each, syntax.Sort | syntax.Limit):
                    self._refuse("with two stats commands, sort and limit must follow the second", each.at)

    # -- commands ----------------------------------------------------------------------------------------------

    def _visit(self, command: syntax.Command) -> None:
        match command:
            case syntax.Fields():
                self._define(command.items)
                self._shown += [item.column for item in command.items]
            case syntax.Display():
                self._define(command.items)
                self._displayed = tuple(item.column for item in command.items)
            case syntax.Filter() | syntax.FilterIndex():
                self._read(command.condition)
            case syntax.Pattern():
                self._read_scalar(command.expression, "pattern")
                self._names.update(dict.fromkeys(language.PATTERN_COLUMNS))
                self._shown = list(language.PATTERN_COLUMNS)
            case syntax.Parse():
                self._read(command.source)
                groups = command.by.named_groups if isinstance(command.by, syntax.Regex) else ()
                self._names.update(dict.fromkeys((*command.aliases, *groups)))
                self._undetermined = True
            case syntax.Sort():
                for key in command.keys:
                    self._read_scalar(key.expression, "sort")
            case syntax.Stats():
                self._aggregate(command)
            case syntax.Dedup():
                for each in command.fields:
                    self._read_scalar(each, "dedup")
            case syntax.Unnest():
                self._read(command.expression)
                self._names[command.alias] = self._origin(command.expression)
            case syntax.Expand():
                self._read(command.field)
            case syntax.Lookup():
                for _, matched in command.matches:
                    self._read(matched)
                self._names.update(dict.fromkeys(command.outputs))
            case syntax.Anomaly() | syntax.Diff():
                self._undetermined = True
            case syntax.Limit():
                pass

    def _define(self, items: Iterable[Item]) -> None:
        for item in items:
            self._read(item.expression)
            if item.alias is not None:
                self._names[item.alias] = self._origin(item.expression)

    def _aggregate(self, command: syntax.Stats) -> None:
        results: dict[str, str | None] = {}
        for item in command.items:
            if not self._compute(item.expression, _Place.STATS, results):
                self._refuse(
                    "stats computes aggregations such as count(*) or avg(field); this is not an aggregation", item.at
                )
            # Both names count: the page on stats refers to `max(sum_x)` and to its alias.
            results.update(dict.fromkeys((str(item.expression), item.column)))
        for item in command.by:
            self._read_scalar(item.expression, "stats ... by")
            results[item.column] = None
        self._names, self._closed = results, True
        self._shown = [item.column for item in (*command.by, *command.items)]
        self._displayed, self._undetermined = (), False

    # -- expressions -------------------------------------------------------------------------------------------

    def _read_scalar(self, expression: Expression, where: str) -> None:
        self._read(expression)
        origin = self._origin(expression)
        structured = isinstance(expression, syntax.Call) and expression.name in ("jsonParse", "split")
        if structured or origin == "":
            self._refuse(f"{where} takes no map or list: name the part of it", expression.at)

    def _read(self, expression: Expression) -> None:
        self._compute(expression, _Place.ROW, {})

    def _compute(self, expression: Expression, place: _Place, own: dict[str, str | None]) -> bool:
        """Visits an expression; tells whether it holds an aggregation or a result in `own` (of this `stats`)."""
        if place is _Place.STATS and str(expression) in own and isinstance(expression, Field | syntax.Call):
            return True
        if self._closed and place is not _Place.STATS and str(expression) in self._names:
            return False
        match expression:
            case Field():
                if place is not _Place.STATS:
                    self._resolve(expression.name, expression.at)
                    return False
                self._refuse(
                    f"{expression} is neither aggregated nor grouped: aggregate it or put it after by", expression.at
                )
                return True
            case syntax.Call():
                return self._compute_call(expression, place, own)
            case syntax.Member():
                if (path := self._origin(expression)) is not None:
                    self.fields.add(path)
                parts = (expression.subject,)
            case syntax.Unary():
                parts = (expression.operand,)
            case syntax.Binary():
                parts = (expression.left, expression.right)
            case syntax.Match() | syntax.Membership():
                parts = (expression.subject,)
            case _:
                return False
        return any([self._compute(part, place, own) for part in parts])

    def _compute_call(self, call: syntax.Call, place: _Place, own: dict[str, str | None]) -> bool:
        aggregates = language.FUNCTIONS[call.name.lower()].aggregates
        if aggregates and place is not _Place.STATS:
            where = "not inside another" if place is _Place.AGGREGATION else "only stats computes one, before its by"
            self._refuse(f"{call.name} is an aggregation: {where}", call.at)
        if call.name == "bin":
            self._resolve("@timestamp", call.at)
        within = _Place.AGGREGATION if aggregates else place
        found = [self._compute(argument, within, own) for argument in call.arguments]
        return aggregates or any(found)

    # -- names -------------------------------------------------------------------------------------------------

    def _resolve(self, name: str, at: int) -> None:
        alias, rest = self._alias_of(name)
        if alias is None:
            if self._closed:
                defined = ", ".join(each for each in self._names)
                self._refuse(f"after stats there is no {name}, only what stats defined: {defined}", at)
            else:
                self.fields.add(name)
        elif path := _joined(self._names[alias], rest):
            self.fields.add(path)

    def _alias_of(self, name: str) -> tuple[str | None, str]:
        """The alias that `name` starts with, and the path below it."""
        parts = name.split(".")
        for count in range(len(parts), 0, -1):
            alias = ".".join(parts[:count])
            if alias in self._names:
                return alias, ".".join(parts[count:])
        return None, ""

    def _origin(self, expression: Expression) -> str | None:
        """The path in the event that `expression` gives unchanged; None if it gives something else."""
        match expression:
            case Field(name="@message"):
                return None
            case Field(name=name):
                alias, rest = self._alias_of(name)
                if alias is None:
                    return None if self._closed else name
                return _joined(self._names[alias], rest)
            case syntax.Call(name="jsonParse", arguments=(Field(name="@message"),)):
                return ""
            case syntax.Call(name="jsonParse", arguments=(argument,)):
                return self._origin(argument)
            case syntax.Member(subject=subject, path=path):
                return _joined(self._origin(subject), path)
            case _:
                return None


def _joined(origin: str | None, rest: str) -> str | None:
    return None if origin is None else ".".join(filter(None, (origin, rest)))
