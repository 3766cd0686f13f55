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

__all__ = ["InsightsError", "Query", "parse"]


def parse(text: str) -> Query:
    """The query in `text`. Raises `InsightsError` for the first mistake in it; one of grammar comes before others."""
    if len(text) > QUERY_MAXIMUM_CHARACTERS:
        message = f"a query has at most {QUERY_MAXIMUM_CHARACTERS} characters, this one {len(text)}"
        raise _located(Refused(message, QUERY_MAXIMUM_CHARACTERS), text)
    try:
        commands = Parser(text).query()
        rules = Rules(commands)
    except Refused as refused:
        raise _located(refused, text) from None
    except RecursionError:
        raise InsightsError("expressions are nested too deeply to be read", 1, 1) from None
    if rules.errors:
        raise _located(min(rules.errors, key=lambda each: each.at), text)
    return Query(commands, frozenset(rules.fields), rules.columns)


def _located(refused: Refused, text: str) -> InsightsError:
    before = text[: refused.at]
    return InsightsError(refused.message, before.count("\n") + 1, len(before) - before.rfind("\n"))
