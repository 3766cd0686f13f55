"""Checks a CloudWatch Logs Insights query before CloudWatch sees it.

CloudWatch takes any text as a saved query and refuses it only when someone runs it, which is the night that it is
needed. `parse` refuses what CloudWatch would refuse, and three things that it answers wrongly without a word: a
period above its unit's cap (`bin(300s)` is a minute), a comparison with `true` or `false` (JSON's booleans are 1
and 0), and a literal beside `and` or `or`.

The language as documented; where the documentation is silent the check lets a query through.
"""

from __future__ import annotations

from cloudwatch.insights.error import InsightsError
from cloudwatch.insights.language import QUERY_MAXIMUM_CHARACTERS
from cloudwatch.insights.parser import Parser
from cloudwatch.insights.reader import Refused
from cloudwatch.insights.rules import Rules
from cloudwatch.insights.syntax import Query

__all__ = ["InsightsError", "Query", "check", "parse"]


def parse(text: str) -> Query:
    """The query in `text`; raises the first `InsightsError`."""
    query, errors = _read(text)
    if query is None:
        raise errors[0]
    return query


def check(text: str) -> list[InsightsError]:
    """All that is wrong with `text`, in order; reading stops at the first mistake of grammar."""
    return _read(text)[1]


def _read(text: str) -> tuple[Query | None, list[InsightsError]]:
    if len(text) > QUERY_MAXIMUM_CHARACTERS:
        message = f"a query has at most {QUERY_MAXIMUM_CHARACTERS} characters, this one {len(text)}"
        return None, [_located(Refused(message, QUERY_MAXIMUM_CHARACTERS), text)]
    try:
        commands = Parser(text).query()
        rules = Rules(commands)
    except Refused as refused:
        return None, [_located(refused, text)]
    except RecursionError:
        return None, [InsightsError("expressions are nested too deeply to be read", 1, 1)]
    if rules.errors:
        return None, [_located(refused, text) for refused in sorted(rules.errors, key=lambda each: each.at)]
    return Query(commands, frozenset(rules.fields), rules.columns), []


def _located(refused: Refused, text: str) -> InsightsError:
    before = text[: refused.at]
    return InsightsError(refused.message, before.count("\n") + 1, len(before) - before.rfind("\n"))
