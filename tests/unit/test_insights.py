"""The Logs Insights check: what CloudWatch takes is taken, what it refuses is refused, in the right place."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudwatch.insights import InsightsError, parse, syntax
from cloudwatch.insights.language import FUNCTIONS, PERIOD_ARGUMENT, RESERVED
from cloudwatch.insights.syntax import Field, Item, Number, Text

TAKEN = [
    # The forms of the documentation's pages, one a line at least.
    "fields @timestamp, @message | sort @timestamp desc | limit 25",
    'filter level = "ERROR" and (turns >= 3 or not ispresent(close_reason))',
    "where turns > 1",
    "filter @message like /(?i)(timeout|refused)/ | fields @message",
    "filter name not like 'livekit' and @message =~ /retrying in \\d+/",
    'filter level in ["ERROR", "CRITICAL", 50] and name not in ["a"]',
    "filterIndex _session_id in ['a', 'b'] | limit 5",
    "fields (total_latency - llm.ttft) * 1000 / 2 ^ 2 % 7 as rest, -eou.delay as negative",
    "fields `code.file.path`, `x-request-id`, @`aws.tag.aws:stack`, tool_calls.0.tool, tool_calls[1].tool",
    "fields jsonParse(payload).user.name as user_name, jsonParse(@message) as event | filter event.turns > 1",
    "fields jsonParse(@message) as event | unnest event.tool_calls into call | filter call.success = 0",
    'fields if(turns > 9, "long", "short") as length, case(a = 1, "x", a = 2, "y", "z") as kind, coalesce(a, b) as c',
    "fields tool | expand tool | stats count(*) by tool",
    'parse @message "took * of *" as spent, total | display spent, total > 5 as slow',
    "parse /(?<code>\\d+)/ | filter code = 404",
    "parse @message /(\\d+)ms/ as took multi | stats max(took)",
    "parse @message logfmt as lf | filter lf.level = 'error'",
    "parse @message csv as time, level",
    "stats count(*), count() by bin(5m)",
    "stats pct(total_latency, 99.9) as p, latest(@timestamp) as last by bin(1hr), name as by_name | sort p desc, last",
    "stats sum(turns) as n, count(*) as all_of_them, 100 * n / all_of_them as share | filter share > 5 | limit 1",
    "stats count(*) as n by bin(5m) as t | stats max(n) by datefloor(t, 1h)",
    "stats count(*) as n by a, b | stats count(*) as pairs, sum(n) / count(*) as mean by a",
    "stats count(*) by close_reason, bin(1d) offset 7d",
    "filter (a = 1) = 0 and not (b = 1 or c = 1) and (a - (b - c)) / (d / e) > -1",
    "stats count(*) by `x-y` | sort `count(*)`",
    "stats max(turns) by a | sort max(turns) desc",
    "STATS AVG(turns) AS mean BY BIN(2weeks)",
    "sort by turns | dedup _session_id, name | limit 10",
    "fields @timestamp | limit any 100000",
    "filter level = 'ERROR' | pattern @message | sort @sampleCount desc",
    "pattern @message | anomaly",
    "pattern @message | diff previousWeek",
    "lookup customers id as customer.id, region OUTPUTNEW name, plan | stats count(*) by plan",
    "fields unmask(@message) as clear, sha256(caller) as caller_hash, now() - 5 as then",
    '# what it answers\nfields a # the rest of the line, with | and " and /\n# | filter nothing\n| limit 1',
    'filter @message like "a # is no comment | here"',
]

REFUSED = [
    # text, part of the message, line and column
    ("stats percentile(total_latency, 95)", "use pct(field, percent)", 1, 7),
    ("stats p95(total_latency)", "use pct(field, 95)", 1, 7),
    ("fields strlength(a)", "did you mean strlen?", 1, 8),
    ("fields toUper(a)", "did you mean toupper?", 1, 8),
    ("filter ispresent(a, b)", "ispresent takes 1 argument, not 2", 1, 8),
    ("stats pct(a)", "pct takes 2 arguments, not 1", 1, 7),
    ("stats sum(a, b)", "sum takes 1 argument, not 2", 1, 7),
    ("stats pct(a, 195)", "percentage from 0 to 100", 1, 14),
    ("stats pct(95, a)", "percentage from 0 to 100", 1, 15),
    ("stats avg(*)", "did not expect *", 1, 11),
    (
        "fields case(" + ", ".join(f"a = {n}, {n}" for n in range(11)) + ")",
        "case takes 2 to 21 arguments, not 22",
        1,
        8,
    ),
    ("filtr a = 1", "did you mean filter?", 1, 1),
    ("fields a | head 5", "use limit", 1, 12),
    ("fields a | join b", "exists but is not supported by this check", 1, 12),
    ("fields a\n| eval b = 1", "use fields <expression> as <name>", 2, 3),
    ("fields a filter b = 1", "put | before it", 1, 10),
    ("fields a\nlimit 5", "put | before it", 2, 1),
    ("fields a |", "expected a command", 1, 11),
    ("| fields a", "expected a command", 1, 1),
    ("fields a,", "the query ends here", 1, 10),
    ("  # only a comment", "needs a command", 1, 1),
    ("fields a || fields b", "write or", 1, 10),
    ("fields a; fields b", "separated with |", 1, 9),
    ('filter a = "b', "never closed", 1, 12),
    ("filter a = 'b\n| limit 1", "never closed", 1, 12),
    ("fields `a", "never closed", 1, 8),
    ("filter (a = 1", "expected )", 1, 14),
    ("filter a = 1)", "has no opening counterpart", 1, 13),
    ("filter a in [1, 2", "expected ]", 1, 18),
    ("filter a in (1, 2)", "expected [", 1, 13),
    ("filter a in []", "expected a number or a text", 1, 14),
    ("filter a like", "like takes a text", 1, 14),
    ("filter a like b", "like takes a text", 1, 15),
    ("filter a like /b", "has no / at its end", 1, 15),
    ("filter a like //", "is empty", 1, 15),
    ("filter a like /(b/", "malformed", 1, 15),
    ("filter a =~ 'b'", "takes a regular expression", 1, 13),
    ("filter a = /b/", "allowed only after like or =~", 1, 12),
    ("filter a not b", "not must be followed by like or in", 1, 10),
    ("filter a == 1", "equality is one =", 1, 10),
    ("filter a <> 1", "inequality is !=", 1, 10),
    ("filter a = 1 && b = 2", "write and", 1, 14),
    ("filter 1 < a < 3", "comparisons cannot be chained", 1, 14),
    ('filter a like "x" or "y"', "repeat the comparison", 1, 22),
    ("filter 'error'", "needs a condition", 1, 8),
    ("filter a + 1", "needs a condition", 1, 10),
    ("filter interrupted = true", "are 1 and 0", 1, 22),
    ('fields "a" + b', "concat", 1, 8),
    ("fields a as by", "write it in back-ticks", 1, 13),
    ("fields and", "write it in back-ticks", 1, 8),
    ("fields a$b", "back-ticks", 1, 9),
    ("filterIndex a like 'b'", "filterIndex takes", 1, 15),
    ("fields avg(a)", "only stats computes one", 1, 8),
    ("filter count(*) > 5", "only stats computes one", 1, 8),
    ("stats count(*) by max(a)", "only stats computes one", 1, 19),
    ("stats sum(avg(a))", "not inside another", 1, 11),
    ("stats a by b", "neither aggregated nor grouped", 1, 7),
    ("stats sum(a) / b by c", "neither aggregated nor grouped", 1, 16),
    ("stats 5", "this is not an aggregation", 1, 7),
    ("stats by a", "write it in back-ticks", 1, 7),
    ("stats count(*) by", "the query ends here", 1, 18),
    ("stats count(*) by bin(5)", "expected a period", 1, 23),
    ("stats count(*) by bin(5 m)", "expected a period", 1, 23),
    ("stats count(*) by bin(5x)", "not a unit of time", 1, 23),
    ("stats count(*) by bin(0m)", "from 1", 1, 23),
    ("stats count(*) by bin(300s)", "silently use 60s", 1, 23),
    ("stats count(*) by bin(90m)", "silently use 60m", 1, 23),
    ("stats count(*) as n by a | sort m desc", "after stats there is no m", 1, 33),
    ("stats count(*) by a\n| fields @message", "after stats there is no @message", 2, 10),
    ("stats count(*) as n by a | stats max(n) by bin(5m)", "after stats there is no @timestamp", 1, 44),
    ("stats count(*) as n by a | stats max(n) as n by a | stats min(n)", "at most 2 stats", 1, 53),
    ("stats count(*) as n by a | sort n | stats max(n)", "must follow the second", 1, 28),
    ("limit 5 | stats count(*) as n | stats max(n)", "must follow the second", 1, 1),
    ("dedup a | sort b", "only limit may follow dedup", 1, 11),
    ("fields jsonParse(@message) as e | sort e", "no map or list", 1, 40),
    ("stats count(*) by jsonParse(a)", "no map or list", 1, 19),
    ("limit 0", "from 1 to 100000", 1, 7),
    ("limit 100001", "from 1 to 100000", 1, 7),
    ("limit", "from 1 to 100000", 1, 6),
    ("limit 2.5", "from 1 to 100000", 1, 7),
    ("limit " + "9" * 5000, "from 1 to 100000", 1, 7),
    ("diff lastWeek", "diff takes previousDay", 1, 6),
    ('parse @message "a * b *" as x', "extracts 2 here, but 1", 1, 1),
    ('parse @message "a"', "needs a *", 1, 16),
    ("parse @message /\\d+/", "named group", 1, 16),
    ("parse @message b", "parse takes a glob", 1, 16),
    ("unnest a as b", "into <name>", 1, 10),
    ("lookup t id name", "OUTPUT or OUTPUTNEW", 1, 13),
    ("filter " + "(" * 9000, "nested too deeply", 1, 1),
    ("fields a" * 2000, "at most 10000 characters", 1, 10_001),
]

SEED = {
    "latency": """fields @timestamp, total_latency
| filter _event_type = "voice_metrics"
| stats percentile(total_latency, 95) as p95_latency,
       percentile(total_latency, 99) as p99_latency,
       avg(total_latency) as avg_latency
by bin(5m)""",
    "tools": """fields @timestamp, _session_id, tool_calls
| filter _event_type = "session_analytics"
| filter tool_calls like /success.*false/
| stats count() by tool_calls.0.tool""",
    "cost": """fields @timestamp,
       metrics_summary.llm_tokens as tokens,
       metrics_summary.stt_audio_seconds as stt_seconds,
       metrics_summary.tts_audio_seconds as tts_seconds
| filter _event_type = "session_analytics"
| stats sum(tokens) as total_tokens,
       sum(stt_seconds) as total_stt,
       sum(tts_seconds) as total_tts
by bin(1d)""",
}


@pytest.mark.parametrize("text", TAKEN)
def test_a_documented_form_is_taken_and_its_canonical_text_means_the_same(text: str) -> None:
    query = parse(text)
    again = parse(str(query))
    assert (again.commands, again.fields, again.columns) == (query.commands, query.fields, query.columns)


@pytest.mark.parametrize(("text", "message", "line", "column"), REFUSED)
def test_a_mistake_is_refused_where_it_stands_with_what_to_write(
    text: str, message: str, line: int, column: int
) -> None:
    with pytest.raises(InsightsError) as caught:
        parse(text)
    assert message in caught.value.message
    assert (caught.value.line, caught.value.column) == (line, column)


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("fields sum(a) | dedup b | sort c | stats d", 8),
        ("fields a | dedup b | sort c | stats d", 22),
        ("fields a | sort c | stats d", 27),
    ],
)
def test_the_first_broken_rule_of_a_query_is_reported(text: str, column: int) -> None:
    with pytest.raises(InsightsError) as caught:
        parse(text)
    assert caught.value.column == column


def test_the_first_version_of_the_latency_query_is_refused_with_the_function_to_use() -> None:
    with pytest.raises(InsightsError) as caught:
        parse(SEED["latency"])
    assert (caught.value.line, caught.value.column) == (3, 9)
    assert caught.value.message == "there is no function percentile: use pct(field, percent)"


def test_the_first_version_of_the_tools_query_shows_that_it_counts_only_the_first_call() -> None:
    """It is good grammar, but what it reads is an element of a fixed index, which no event schema has."""
    assert parse(SEED["tools"]).fields >= {"tool_calls", "tool_calls.0.tool"}


def test_fields_are_those_of_the_event_and_not_the_names_that_the_query_gives() -> None:
    query = parse(SEED["cost"])
    assert query.fields == {
        "@timestamp",
        "_event_type",
        "metrics_summary.llm_tokens",
        "metrics_summary.stt_audio_seconds",
        "metrics_summary.tts_audio_seconds",
    }
    assert query.columns == ("bin(1d)", "total_tokens", "total_stt", "total_tts")


def test_fields_are_followed_through_json_lists_and_renaming_back_to_the_event() -> None:
    query = parse(
        "fields jsonParse(@message) as event, event.discovered_signals as signals"
        " | unnest event.tool_calls into call"
        " | filter call.success = 0 and signals.team_size > 3"
        " | stats count(*) as n, max(jsonParse(payload).size) by call.tool as tool | sort n, tool"
    )
    assert query.fields == {
        "@message", "discovered_signals", "discovered_signals.team_size", "payload", "payload.size",
        "tool_calls", "tool_calls.success", "tool_calls.tool",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("filter a = 1", ("@timestamp", "@message")),
        ("fields a | fields b as c, a", ("a", "c")),
        ("fields a | display b | display c, d as e", ("c", "e")),
        ("stats count(*), max(a) as b by c, bin(1h)", ("c", "bin(1h)", "count(*)", "b")),
        ("display a | stats count(*) as n | fields n * 2 as twice", ("n", "twice")),
        ("pattern @message", ("@pattern", "@ratio", "@sampleCount", "@severityLabel")),
        ("parse @message logfmt as lf", ()),
    ],
)
def test_columns_are_what_the_result_shows(text: str, columns: tuple[str, ...]) -> None:
    assert parse(text).columns == columns


# -- generated queries -------------------------------------------------------------------------------------------

plain_names = st.from_regex(r"@?[a-z_]{1,5}(\.([a-z]{1,3}|[0-9]))?", fullmatch=True)
odd_names = st.text(st.characters(exclude_characters="`\n", exclude_categories=("Cs",)), min_size=1, max_size=6)
names = plain_names | odd_names | st.sampled_from(sorted(RESERVED))
texts = st.builds(Text, st.text(st.characters(exclude_characters="\n", exclude_categories=("Cs",)), max_size=8))
numbers = st.builds(Number, st.decimals(0, 10**6, places=2).map(str) | st.integers(0, 10**6).map(str))
regexes = st.sampled_from(["a", r"\d+\/", "(?i)x|y", "[^#|]*", r"(?<n>\w)"]).map(syntax.Regex)
periods = st.builds(syntax.Period, st.integers(1, 24), st.sampled_from(["ms", "s", "m", "h", "d", "weeks", "q", "yr"]))
SCALAR_FUNCTIONS = sorted(
    name for name, each in FUNCTIONS.items() if not each.aggregates and name not in ("jsonparse", "split")
)


@st.composite
def calls(draw: st.DrawFn, arguments: st.SearchStrategy[syntax.Expression]) -> syntax.Call:
    function = FUNCTIONS[draw(st.sampled_from(SCALAR_FUNCTIONS))]
    count = draw(st.integers(function.minimum, min(function.maximum or 3, 4)))
    period = PERIOD_ARGUMENT.get(function.name)
    return syntax.Call(function.name, tuple(draw(periods if at == period else arguments) for at in range(count)))


def compound(inner: st.SearchStrategy[syntax.Expression]) -> st.SearchStrategy[syntax.Expression]:
    numeric = inner.filter(lambda each: not isinstance(each, Text))
    compared = inner.filter(lambda each: not isinstance(each, syntax.Boolean))
    condition = inner.filter(lambda each: not isinstance(each, Text | Number))
    return st.one_of(
        calls(inner),
        st.builds(syntax.Member, st.builds(syntax.Call, st.just("jsonParse"), st.tuples(inner)), names),
        st.builds(syntax.Unary, st.just("-"), inner),
        st.builds(syntax.Unary, st.just("not"), inner),
        st.builds(syntax.Binary, st.sampled_from("+-*/%^"), numeric, numeric),
        st.builds(syntax.Binary, st.sampled_from(syntax.COMPARISONS), compared, compared),
        st.builds(syntax.Binary, st.sampled_from(("and", "or")), condition, condition),
        st.builds(syntax.Match, st.sampled_from(("like", "not like")), inner, texts | regexes),
        st.builds(syntax.Match, st.just("=~"), inner, regexes),
        st.builds(
            syntax.Membership,
            st.sampled_from(("in", "not in")),
            inner,
            st.lists(texts | numbers, min_size=1, max_size=3).map(tuple),
        ),
    )


fields = st.builds(Field, names)
expressions = st.recursive(fields | numbers | texts | st.builds(syntax.Boolean, st.booleans()), compound, max_leaves=6)
items = st.builds(Item, expressions, st.none() | names)


def some(strategy: st.SearchStrategy, most: int = 3) -> st.SearchStrategy[tuple]:
    return st.lists(strategy, min_size=1, max_size=most).map(tuple)


conditions = expressions.filter(
    lambda each: (
        not isinstance(each, Text | Number) and not (isinstance(each, syntax.Binary) and each.operator in "+-*/%^")
    )
)
row_commands = st.one_of(
    st.builds(syntax.Fields, some(items)),
    st.builds(syntax.Display, some(items)),
    st.builds(syntax.Filter, conditions),
    st.builds(syntax.Parse, fields, st.just(Text("a=* *")), st.tuples(names, names)),
    st.builds(syntax.Parse, fields, regexes, st.just(("x",)), st.booleans()).filter(lambda each: "(?<" in str(each.by)),
    st.builds(syntax.Parse, fields, st.just("csv"), some(names)),
    st.builds(syntax.Unnest, expressions, names),
    st.builds(syntax.Expand, fields),
    st.builds(
        syntax.Lookup,
        st.just("table-1"),
        some(st.tuples(names, fields)),
        st.sampled_from(("OUTPUT", "OUTPUTNEW")),
        some(names),
    ),
)
aggregations = st.one_of(
    st.builds(syntax.Call, st.sampled_from(("avg", "count_distinct", "latest", "sum")), st.tuples(expressions)),
    st.builds(syntax.Call, st.just("count"), st.just((syntax.Star(),)) | st.just(())),
    st.builds(syntax.Call, st.just("pct"), st.tuples(expressions, st.integers(0, 100).map(str).map(Number))),
)
ends = st.one_of(
    st.just(()),
    st.tuples(
        st.builds(syntax.Sort, some(st.builds(syntax.SortKey, expressions, st.sampled_from((None, "asc", "desc")))))
    ),
    st.tuples(st.builds(syntax.Dedup, some(fields)), st.builds(syntax.Limit, st.integers(1, 100_000), st.booleans())),
    st.tuples(
        st.builds(
            syntax.Stats,
            some(st.builds(Item, aggregations, st.none() | names)),
            some(items),
            st.none() | periods,
        )
    ),
)
queries = (
    st.tuples(st.lists(row_commands, max_size=3).map(tuple), ends).map(lambda parts: parts[0] + parts[1]).filter(bool)
)


@given(queries)
def test_any_query_survives_being_written_and_read(commands: tuple[syntax.Command, ...]) -> None:
    """Precedence, quoting, escapes and back-ticks: the text of a query means that query."""
    assert parse("\n| ".join(map(str, commands))).commands == commands


@given(st.text(st.sampled_from(string.ascii_lowercase[:6] + " \n|,.()[]=<>!&+-*/^%\"'`#@\\0159"), max_size=60))
def test_any_text_gets_a_verdict(text: str) -> None:
    """Whatever someone types, the check answers with a place in the text; it never fails in another way."""
    for start in ("", "filter ", "stats count(*) by ", "parse @message "):
        error = refusal(start + text)
        assert error is None or 1 <= error.column <= len((start + text).split("\n")[error.line - 1]) + 1


def refusal(text: str) -> InsightsError | None:
    try:
        parse(text)
    except InsightsError as error:
        return error
    return None
