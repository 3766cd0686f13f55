"""Saved queries from `templates/insights/*.insights.j2`, each checked before anyone needs it.

They are a stack's: one definition reads the log groups of up to 50 agents, because an account may have 1,000 in a
region (`cloudwatch.plan.quotas`).

A template starts with `# name: Folder/Name` and `# description: ...`; Logs Insights ignores lines that start with
`#` (docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_QuerySyntax-alias.html), so they stay in what is deployed.
"""

from __future__ import annotations

import functools
import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cloudwatch import insights
from cloudwatch.insights.language import QUERY_MAXIMUM_CHARACTERS
from cloudwatch.plan.model import AgentPlan, SavedQuery
from cloudwatch.plan.parts import Part, parts
from core.checked import EVERY_TIME, Checked, of_files
from core.templating import TEMPLATES_FOLDER, Templates, decimal

SUFFIX = ".insights.j2"

NAME_MAXIMUM_CHARACTERS = 255
"""docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutQueryDefinition.html, `name`."""


class QueryTooLongError(ValueError):
    """A query of more characters than CloudWatch allows."""


_HEADER = re.compile(r"# name: (?P<name>\S.*)\n# description: (?P<description>\S.*)\n")


def plan_saved_queries(
    context: Mapping[str, object], stack: str, agents: Sequence[AgentPlan], checked: Checked = EVERY_TIME
) -> tuple[SavedQuery, ...]:
    """Every template as a saved query over all `agents`, named `<stack>/<Folder>/<Name>`, in the order of their keys
    (file names). Of more than 50 agents, each part has a query of its own (`cloudwatch.plan.parts`): `<Name> (2 of 4)`.

    `context` is what the templates may name, besides `agent` and `log_group`: those of the part's first agent, in the
    line that narrows a query to one. Raises `ValueError` that names the template and the place for one that CloudWatch
    would refuse, and `QueryTooLongError` for one that is too long.
    """
    return tuple(
        _plan(file, context, stack, part, checked) for file in TEMPLATES.names(SUFFIX) for part in parts(agents)
    )


def too_many_prices(context: Mapping[str, Any], agents: Sequence[AgentPlan]) -> str | None:
    """Which price table makes a query longer than CloudWatch allows and how many of its models fit; None where it is
    not the prices."""
    prices: Mapping[str, Sequence[object]] = context["prices"]

    def longest(kind: str, models: int) -> int:
        cut = {**context, "prices": {**prices, kind: prices[kind][:models]}}
        files, of = TEMPLATES.names(SUFFIX), parts(agents)
        return max(len(TEMPLATES.render(file, _of_part(cut, part))) for file in files for part in of)

    because = f"a saved query has at most {QUERY_MAXIMUM_CHARACTERS} characters, and those about cost name every model"
    for kind in sorted(prices, key=lambda each: -len(prices[each])):
        if prices[kind] and longest(kind, 0) <= QUERY_MAXIMUM_CHARACTERS:
            counts = range(len(prices[kind]) + 1)
            fitting = bisect_right(counts, QUERY_MAXIMUM_CHARACTERS, key=functools.partial(longest, kind)) - 1
            return f"prices.{kind}: {len(prices[kind])} models: allowed: at most the first {fitting}; {because}"
    models = sum(map(len, prices.values()))
    return f"prices: {models} models: allowed: fewer; {because}" if models else None


def _of_part(context: Mapping[str, object], part: Part) -> dict[str, object]:
    return {**context, "agent": part.agents[0].name, "log_group": part.agents[0].log_group.name}


def _plan(file: str, context: Mapping[str, object], stack: str, part: Part, checked: Checked) -> SavedQuery:
    text = TEMPLATES.render(file, _of_part(context, part))
    header = _HEADER.match(text)
    if header is None:
        raise ValueError(f"{file}: must start with the lines # name: ... and # description: ...")
    name = f"{stack}/{header['name']}{part.suffix}"
    if len(name) > NAME_MAXIMUM_CHARACTERS:
        raise ValueError(
            f"{file}: a name has at most {NAME_MAXIMUM_CHARACTERS} characters, this one {len(name)}: {name}"
        )
    if len(text) > QUERY_MAXIMUM_CHARACTERS:
        raise QueryTooLongError(
            f"{file}: a query has at most {QUERY_MAXIMUM_CHARACTERS} characters, this one {len(text)}"
        )
    try:
        checked.check(lambda: insights.parse(text), _checker(), text)
    except insights.InsightsError as error:
        line = text.split("\n")[error.line - 1]
        raise ValueError(f"{file}, as rendered, {error}\n  {line.strip()}") from error
    # The first part's key has no number: it stays what it is when a second part comes.
    key = file.removesuffix(SUFFIX) + (f"-{part.number}" if part.number > 1 else "")
    return SavedQuery(key, name, header["description"], tuple(each.log_group.name for each in part.agents), text)


@functools.cache
def _checker() -> str:
    return of_files(sorted(Path(insights.__file__).parent.glob("*.py")))


def quoted(value: str) -> str:
    """A text literal. How a quote would be escaped is not documented, so a value with both kinds is refused."""
    for quote in "\"'":
        if not re.search(rf"[{quote}\\\n]", value):
            return f"{quote}{value}{quote}"
    raise ValueError(f"{value!r} can't be written in a query: it contains both kinds of quotes, a \\ or a line's end")


def period(minutes: int) -> str:
    """A period of `bin`; above 60 minutes it is in hours, because CloudWatch silently takes 60m for more."""
    if 1 <= minutes <= 60:
        return f"{minutes}m"
    hours, rest = divmod(minutes, 60)
    if rest or not 1 <= hours <= 24:
        raise ValueError(f"{minutes} minutes are not a valid period; allowed: 1 to 60, or whole hours up to 1440")
    return f"{hours}h"


TEMPLATES = Templates(TEMPLATES_FOLDER / "insights", {"decimal": decimal, "period": period, "quoted": quoted})
