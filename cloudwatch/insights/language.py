"""What the Logs Insights query language (Logs Insights QL) knows, as tables, each with its documentation.

Pages are below `DOCUMENTATION`, as of autumn 2026; limits that the API sets are from API_PutQueryDefinition.html and
API_StartQuery.html in its reference.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

DOCUMENTATION = "https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/"

QUERY_MAXIMUM_CHARACTERS = 10_000
"""API_PutQueryDefinition.html and API_StartQuery.html, `queryString`."""
LIMIT_MAXIMUM_ROWS = 100_000
"""CWL_QuerySyntax-Limit.html; 10,000 until May 2026."""
STATS_MAXIMUM = 2
"""CWL_QuerySyntax-Stats.html#CWL_QuerySyntax-stats-multi: a quota that can't be changed."""

DEFAULT_COLUMNS = ("@timestamp", "@message")
"""What a query shows that selects nothing (CWL_QuerySyntax-Filter.html)."""
PATTERN_COLUMNS = ("@pattern", "@ratio", "@sampleCount", "@severityLabel")
"""CWL_QuerySyntax-Pattern.html."""

DIFF_PERIODS = ("previousDay", "previousWeek", "previousMonth")
"""CWL_QuerySyntax-Diff.html."""


@dataclass(frozen=True)
class Function:
    """A function: its documented spelling, how many arguments it takes (`maximum` None: any number) and its page."""

    name: str
    minimum: int
    maximum: int | None
    documentation: str
    aggregates: bool = False

    @property
    def arity(self) -> str:
        if self.maximum == self.minimum:
            return f"{self.minimum} argument{'' if self.minimum == 1 else 's'}"
        if self.maximum is None:
            return f"at least {self.minimum} argument{'' if self.minimum == 1 else 's'}"
        return f"{self.minimum} to {self.maximum} arguments"


def _functions(table: dict[str, str], *, aggregates: bool = False) -> dict[str, Function]:
    """Reads `name/arguments` words, where arguments are `2`, `1-2` or `1+`; the key is the documentation.

    `case` takes 21 at most: ten branches and a default.
    """
    functions: dict[str, Function] = {}
    for documentation, words in table.items():
        for word in words.split():
            name, arguments = word.split("/")
            minimum, _, maximum = arguments.rstrip("+").partition("-")
            most = None if arguments.endswith("+") else int(maximum or minimum)
            functions[name.lower()] = Function(name, int(minimum), most, documentation, aggregates)
    return functions


_FUNCTIONS_PAGE = "CWL_QuerySyntax-operations-functions.html#CWL_QuerySyntax-"

FUNCTIONS: dict[str, Function] = {
    **_functions(
        {
            f"{_FUNCTIONS_PAGE}operations-numeric": """
                abs/1 ceil/1 floor/1 greatest/1+ least/1+ log/1 round/1-2 sqrt/1 haversine/4
                toNumber/1 toInt/1 toLong/1 toDouble/1""",
            f"{_FUNCTIONS_PAGE}datetime": """
                bin/1 datefloor/2 dateceil/2 fromMillis/1 toMillis/1 now/0
                parseDate/2-3 formatDate/2-3 strftime/2-3""",
            f"{_FUNCTIONS_PAGE}general-functions": """
                ispresent/1 coalesce/1+ case/2-21 if/3 isNumeric/1 messageSize/1
                queryStartTime/0 queryEndTime/0 queryTimeRange/0""",
            f"{_FUNCTIONS_PAGE}json-functions": "jsonParse/1 jsonStringify/1 jsonArraySize/1 jsonArrayContains/2",
            f"{_FUNCTIONS_PAGE}IPaddress-functions": """
                isValidIp/1 isValidIpV4/1 isValidIpV6/1 isIpInSubnet/2 isIpv4InSubnet/2 isIpv6InSubnet/2
                ipv4ToNumber/1 isPrivateIP/1 isPublicIP/1 isReservedIP/1""",
            f"{_FUNCTIONS_PAGE}string-functions": """
                isempty/1 isblank/1 concat/1+ ltrim/1-2 rtrim/1-2 trim/1-2 strlen/1 toupper/1 tolower/1 substr/2-3
                replace/3 regexReplace/3 strcontains/2-3 startsWith/2 endsWith/2 urlencode/1 urldecode/1
                base64encode/1 base64decode/1 split/2 hexToAscii/1 hexToDec/1 decToHex/1""",
            "CWL_QuerySyntax-hash-functions.html": "md5/1 sha256/1",
            "CWL_QuerySyntax-Unmask.html": "unmask/1",
        }
    ),
    **_functions(
        {
            "CWL_QuerySyntax-Stats.html#CWL_Insights_Aggregation_Functions": """
                avg/1 count/0-1 count_distinct/1 max/1 min/1 pct/2 stddev/1 sum/1""",
            "CWL_QuerySyntax-Stats.html#CWL_Insights_Non-Aggregation_Functions": """
                earliest/1 latest/1 sortsFirst/1 sortsLast/1""",
            "CWL_QuerySyntax-timeseries-functions.html": "rate/2 countOverTime/1 sumOverTime/1 histogram/2",
        },
        aggregates=True,
    ),
}
"""Functions by lower-case name: the language ignores case (its pages write `isPresent`, `BIN` and `SUM` too)."""

PERIOD_ARGUMENT = {"bin": 0, "datefloor": 1, "dateceil": 1, "rate": 1}
"""Which argument of a function is a period such as `5m`."""

COMMANDS: dict[str, str] = {
    "display": "CWL_QuerySyntax-Display.html",
    "fields": "CWL_QuerySyntax-Fields.html",
    "filter": "CWL_QuerySyntax-Filter.html",
    "where": "CWL_QuerySyntax-Where.html",
    "filterIndex": "CWL_QuerySyntax-FilterIndex.html",
    "pattern": "CWL_QuerySyntax-Pattern.html",
    "anomaly": "CWL_QuerySyntax-Anomaly.html",
    "diff": "CWL_QuerySyntax-Diff.html",
    "parse": "CWL_QuerySyntax-Parse.html",
    "sort": "CWL_QuerySyntax-Sort.html",
    "stats": "CWL_QuerySyntax-Stats.html",
    "limit": "CWL_QuerySyntax-Limit.html",
    "dedup": "CWL_QuerySyntax-Dedup.html",
    "unnest": "CWL_QuerySyntax-Unnest.html",
    "expand": "CWL_QuerySyntax-Expand.html",
    "lookup": "CWL_QuerySyntax-Lookup.html",
}
"""The commands that are read here, with their pages. `unmask` is a function: `fields unmask(@message)`."""

UNREAD_COMMANDS = frozenset(
    """addtotals relevantfields join autoregress logcompare filldown fillmissing cidrlookup outlier accum appendcols
    sessionize countFrequent count_frequent json""".lower().split()
)
"""Documented commands (CWL_QuerySyntax.html) that are not read: a query with one can't be vouched for."""

UNIT_CAPS: dict[str, int | None] = {
    "ms": 1000, "msec": 1000, "millisecond": 1000,
    "s": 60, "sec": 60, "second": 60,
    "m": 60, "min": 60, "minute": 60,
    "h": 24, "hr": 24, "hour": 24,
    "d": None, "day": None,
    "w": None, "week": None,
    "mo": None, "mon": None, "month": None,
    "q": None, "qtr": None, "quarter": None,
    "y": None, "yr": None, "year": None,
}  # fmt: skip
"""Units of a period (CWL_QuerySyntax-Stats.html) and the count above which CloudWatch silently takes the cap
(CWL_QuerySyntax-operations-functions.html#CWL_QuerySyntax-datetime)."""


def unit_cap(unit: str) -> tuple[bool, int | None]:
    """Whether `unit` is one, and its cap; those of more than one character may have an `s` at the end."""
    lower = unit.lower()
    if lower not in UNIT_CAPS and len(lower) > 2:
        lower = lower.removesuffix("s")
    return lower in UNIT_CAPS, UNIT_CAPS.get(lower)


RESERVED = frozenset(("and", "or", "not", "in", "like", "as", "by", "asc", "desc", "true", "false"))
"""Words that are not field names unless in back-ticks."""

_FUNCTION_HINTS = {
    **dict.fromkeys(("percentile", "perc", "percentile_cont", "quantile", "p"), "use pct(field, percent)"),
    **{f"p{percent}": f"use pct(field, {percent})" for percent in (50, 75, 90, 95, 99)},
    "median": "use pct(field, 50)",
    **dict.fromkeys(("mean", "average"), "use avg(field)"),
    **dict.fromkeys(("dc", "distinct", "distinct_count", "countdistinct"), "use count_distinct(field)"),
    **dict.fromkeys(("length", "len", "size"), "use strlen(field)"),
    **dict.fromkeys(("contains", "includes"), "use strcontains(text, part)"),
    **dict.fromkeys(("upper", "uppercase"), "use toupper(text)"),
    **dict.fromkeys(("lower", "lowercase"), "use tolower(text)"),
    **dict.fromkeys(("exists", "isnotnull"), "use ispresent(field)"),
    **dict.fromkeys(("isnull", "ismissing"), "use not ispresent(field)"),
    "stdev": "use stddev(field)",
    "iff": "use if(condition, then, otherwise)",
    "substring": "use substr(text, start, length)",
    "regex_replace": "use regexReplace(text, pattern, replacement)",
}
_COMMAND_HINTS = {
    **dict.fromkeys(("head", "tail", "take", "top"), "use limit"),
    **dict.fromkeys(("select", "project", "table"), "use display"),
    **dict.fromkeys(("eval", "extend", "let", "rename"), "use fields <expression> as <name>"),
    **dict.fromkeys(("group", "summarize", "aggregate"), "use stats <aggregation> by <field>"),
    **dict.fromkeys(("order", "orderby"), "use sort"),
    **dict.fromkeys(("search", "grep"), "use filter @message like /.../"),
    "unmask": "unmask is a function: fields unmask(@message)",
    "source": "SOURCE is for the API only; a saved query names its log groups beside its text",
}


def _nearest(name: str, known: Iterable[str]) -> str:
    spelled = {each.lower(): each for each in known}
    near = difflib.get_close_matches(name.lower(), spelled, n=1, cutoff=0.6)
    return f"did you mean {spelled[near[0]]}?" if near else f"known: {', '.join(sorted(spelled.values()))}"


def unknown_function(name: str) -> str:
    """The message for a function that there is not, with what to write instead."""
    hint = _FUNCTION_HINTS.get(name.lower()) or _nearest(name, (each.name for each in FUNCTIONS.values()))
    return f"there is no function {name}: {hint}"


def unknown_command(name: str) -> str:
    """The message for a command that there is not (or is not read here), with what to write instead."""
    if name.lower() in UNREAD_COMMANDS:
        return f"the command {name} exists but is not supported by this check, so a saved query cannot use it"
    hint = _COMMAND_HINTS.get(name.lower()) or _nearest(name, COMMANDS)
    return f"there is no command {name}: {hint}"
