"""Saved queries from `templates/insights/*.insights.j2`, each checked before anyone needs it.

A template starts with `# name: Folder/Name` and `# description: ...`; Logs Insights ignores lines that start with
`#` (docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_QuerySyntax-alias.html), so they stay in what is deployed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from cloudwatch import insights
from cloudwatch.plan.model import SavedQuery
from core.templating import TEMPLATES_FOLDER, Templates, decimal

SUFFIX = ".insights.j2"

NAME_MAXIMUM_CHARACTERS = 255
"""docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutQueryDefinition.html, `name`."""

_HEADER = re.compile(r"# name: (?P<name>\S.*)\n# description: (?P<description>\S.*)\n")


def plan_saved_queries(
    context: Mapping[str, object], prefix: str, log_group_names: Sequence[str]
) -> tuple[SavedQuery, ...]:
    """Every template as a saved query named `<prefix>/<Folder>/<Name>`, in the order of their keys (file names).

    Raises `ValueError` that names the template and the place for one that CloudWatch would refuse.
    """
    return tuple(_plan(file, context, prefix, tuple(log_group_names)) for file in TEMPLATES.names(SUFFIX))


def _plan(file: str, context: Mapping[str, object], prefix: str, log_group_names: tuple[str, ...]) -> SavedQuery:
    text = TEMPLATES.render(file, context)
    header = _HEADER.match(text)
    if header is None:
        raise ValueError(f"{file}: must start with the lines # name: ... and # description: ...")
    name = f"{prefix}/{header['name']}"
    if len(name) > NAME_MAXIMUM_CHARACTERS:
        raise ValueError(
            f"{file}: a name has at most {NAME_MAXIMUM_CHARACTERS} characters, this one {len(name)}: {name}"
        )
    try:
        insights.parse(text)
    except insights.InsightsError as error:
        line = text.split("\n")[error.line - 1]
        raise ValueError(f"{file}, as rendered, {error}\n  {line.strip()}") from error
    return SavedQuery(file.removesuffix(SUFFIX), name, header["description"], log_group_names, text)


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
