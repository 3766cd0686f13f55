"""What the Athena queries must answer, worked out from the events themselves: plain Python, no SQL."""

from __future__ import annotations

import datetime
import json
import math
import statistics
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest

from analytics.plan.model import EventTable
from core.events import SESSION_ANALYTICS, VOICE_METRICS
from stacks.settings.model import Prices, SavedQueries
from stacks.settings.targets import Targets

Event = dict[str, Any]
Record = dict[str, Any]

MILLIONTH_USD = 1e-6
DAY = datetime.timedelta(days=1)
KINDS = ("llm", "stt", "tts")


@dataclass(frozen=True)
class Given:
    """What there is to answer from. `events` holds each event once."""

    events: Sequence[Event]
    tables: Sequence[EventTable]
    prices: Prices
    targets: Targets
    numbers: SavedQueries
    now: datetime.datetime

    @property
    def today(self) -> datetime.datetime:
        return utc(self.now).replace(hour=0, minute=0, second=0, microsecond=0)

    def happened(self, event_type: str, since: datetime.datetime) -> list[Event]:
        return [each for each in self.events if each["_event_type"] == event_type and moment(each) >= since]

    def calls(self, since: datetime.datetime) -> list[Event]:
        return self.happened(SESSION_ANALYTICS, since)

    def turns(self, since: datetime.datetime) -> list[Event]:
        return self.happened(VOICE_METRICS, since)

    def days(self, number: int) -> datetime.datetime:
        return self.today - number * DAY

    @property
    def eleven_weeks(self) -> datetime.datetime:
        return self.today - (self.today.weekday() + 77) * DAY

    @property
    def eleven_months(self) -> datetime.datetime:
        months = self.today.year * 12 + self.today.month - 1 - 11
        return self.today.replace(year=months // 12, month=months % 12 + 1, day=1)


def utc(when: datetime.datetime) -> datetime.datetime:
    return when.astimezone(datetime.UTC).replace(tzinfo=None) if when.tzinfo else when


def moment(event: Event) -> datetime.datetime:
    return utc(datetime.datetime.fromisoformat(event["_timestamp"]))


def at(event: Event, path: str) -> Any:
    value: Any = event
    for key in path.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return value


def grouped(events: Iterable[Event], key: Callable[[Event], Hashable]) -> dict[Any, list[Event]]:
    groups: dict[Any, list[Event]] = defaultdict(list)
    for event in events:
        groups[key(event)].append(event)
    return groups


def nearest_rank(values: Iterable[float | None], percent: int) -> float | None:
    known = sorted(value for value in values if value is not None)
    return known[-(-percent * len(known) // 100) - 1] if known else None


def mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.fmean(known) if known else None


def cost(event: Event, kind: str, prices: Prices) -> tuple[float, bool]:
    """US dollars, and whether the model has no price."""
    summary = event.get("metrics_summary") or {}
    price: Any = getattr(prices, kind).get(summary.get(f"{kind}_model"))
    if price is None:
        return 0.0, summary.get(f"{kind}_model") is not None
    if kind == "llm":
        microdollars = (
            (summary.get("llm_input_tokens") or 0) * price.input_usd_per_million_tokens,
            (summary.get("llm_output_tokens") or 0) * price.output_usd_per_million_tokens,
        )
        return math.fsum(microdollars) / 1e6, False
    if kind == "stt":
        return (summary.get("stt_audio_seconds") or 0) / 60 * price.usd_per_minute, False
    return (summary.get("tts_characters") or 0) / 1000 * price.usd_per_thousand_characters, False


def usd(calls: Iterable[Event], prices: Prices, *kinds: str) -> float:
    return math.fsum(cost(call, kind, prices)[0] for call in calls for kind in kinds or KINDS)


def unpriced(calls: Iterable[Event], prices: Prices, *kinds: str) -> int:
    return sum(any(cost(call, kind, prices)[1] for kind in kinds or KINDS) for call in calls)


def money(calls: Sequence[Event], prices: Prices) -> Record:
    total = usd(calls, prices)
    return {
        "calls": len(calls),
        **{f"{kind}_usd": usd(calls, prices, kind) for kind in KINDS},
        "total_usd": total,
        "usd_per_call": total / len(calls),
        "unpriced_calls": unpriced(calls, prices),
    }


# -- the answers, each by the query's name -----------------------------------------------------------------------------


def calls_per_tenant_and_day(given: Given) -> list[Record]:
    groups = grouped(given.calls(given.days(30)), lambda call: (moment(call).date(), call.get("tenant")))
    return [
        {
            "day": day,
            "tenant": tenant,
            "calls": len(calls),
            "minutes": math.fsum(call["duration_seconds"] for call in calls) / 60,
            "turns": sum(call["turns"] for call in calls),
        }
        for (day, tenant), calls in groups.items()
    ]


def qualified_leads_per_week(given: Given) -> list[Record]:
    def qualified(call: Event) -> bool:
        team, volume = at(call, "discovered_signals.team_size"), at(call, "discovered_signals.monthly_volume")
        return (team or 0) >= given.numbers.lead_team_size_minimum or (
            volume or 0
        ) >= given.numbers.lead_monthly_volume_minimum

    groups = grouped(given.calls(given.eleven_weeks), lambda call: (moment(call) - moment(call).weekday() * DAY).date())
    records, before = [], None
    for week in sorted(groups):
        leads = sum(map(qualified, groups[week]))
        records.append(
            {
                "week": week,
                "calls": len(groups[week]),
                "qualified_leads": leads,
                "qualified_percent": round(100 * leads / len(groups[week]), 2),
                "more_than_the_week_before": None if before is None else leads - before,
            }
        )
        before = leads
    return records


def interruptions_per_day(given: Given) -> list[Record]:
    known = (turn for turn in given.turns(given.days(30)) if turn.get("interrupted") is not None)
    return [
        {
            "day": day,
            "agent": agent,
            "turns": len(turns),
            "interrupted_turns": sum(turn["interrupted"] for turn in turns),
            "interrupted_percent": round(100 * sum(turn["interrupted"] for turn in turns) / len(turns), 2),
        }
        for (day, agent), turns in grouped(known, lambda turn: (moment(turn).date(), turn.get("agent"))).items()
    ]


def length_per_day(given: Given) -> list[Record]:
    records = []
    for day, calls in grouped(given.calls(given.days(30)), lambda call: moment(call).date()).items():
        seconds, turns = ([call.get(key) for call in calls] for key in ("duration_seconds", "turns"))
        records.append(
            {
                "day": day,
                "calls": len(calls),
                "mean_seconds": mean(seconds),
                "p50_seconds": nearest_rank(seconds, 50),
                "p95_seconds": nearest_rank(seconds, 95),
                "mean_turns": mean(turns),
                "p50_turns": nearest_rank(turns, 50),
                "p95_turns": nearest_rank(turns, 95),
            }
        )
    return records


def close_reasons_per_day(given: Given) -> list[Record]:
    known = [call for call in given.calls(given.days(30)) if call.get("close_reason") is not None]
    of_day = grouped(known, lambda call: (moment(call).date(), call.get("agent")))
    return [
        {
            "day": day,
            "agent": agent,
            "close_reason": reason,
            "failed": reason == "error",
            "calls": len(calls),
            "calls_percent": round(100 * len(calls) / len(all_calls), 2),
            "mean_seconds": mean(call.get("duration_seconds") for call in calls),
        }
        for (day, agent), all_calls in of_day.items()
        for reason, calls in grouped(all_calls, lambda call: call["close_reason"]).items()
    ]


def cost_anomalies(given: Given) -> list[Record]:
    by_day = grouped(given.calls(given.days(37)), lambda call: moment(call).date())
    if not by_day:
        return []
    first, today = min(by_day), given.today.date()
    days = [first + number * DAY for number in range((today - first).days + 1)]
    spent = [usd(by_day.get(day, ()), given.prices) for day in days]
    records = []
    for number, day in enumerate(days):
        before = spent[max(0, number - 7) : number]
        usual = mean(before)
        deviation = statistics.stdev(before) if len(before) > 1 else None
        records.append(
            {
                "day": day,
                "calls": len(by_day.get(day, ())),
                "total_usd": spent[number],
                "days_before": len(before),
                "mean_before_usd": usual,
                "standard_deviation_before_usd": deviation,
                "anomaly": len(before) >= 4
                and usual is not None
                and deviation is not None
                and spent[number] > usual + 3 * deviation
                and spent[number] > 1.25 * usual,
            }
        )
    return [record for record in records if record["day"] >= given.days(30).date()]


def most_expensive_calls(given: Given) -> list[Record]:
    calls = sorted(
        given.calls(given.days(30)), key=lambda call: (usd([call], given.prices), moment(call)), reverse=True
    )
    return [
        {
            "session_id": call["_session_id"],
            "agent": call.get("agent"),
            "tenant": call.get("tenant"),
            "trace_id": call.get("trace_id"),
            "happened_at": moment(call),
            "duration_seconds": call.get("duration_seconds"),
            "turns": call.get("turns"),
            **{f"{kind}_usd": usd([call], given.prices, kind) for kind in KINDS},
            "total_usd": (total := usd([call], given.prices)),
            "usd_per_minute": total * 60 / seconds if (seconds := call.get("duration_seconds")) else None,
            "above_call_target": total > given.targets.cost_per_call_usd,
            "above_minute_target": (
                None if seconds is None else total * 60 > seconds * given.targets.cost_per_minute_usd
            ),
            "unpriced": bool(unpriced([call], given.prices)),
        }
        for call in calls[: given.numbers.row_limit]
    ]


def month(event: Event) -> str:
    return moment(event).strftime("%Y-%m")


def cost_per_month(given: Given) -> list[Record]:
    groups = grouped(given.calls(given.eleven_months), month)
    return [{"month": each, **money(calls, given.prices)} for each, calls in groups.items()]


def cost_per_tenant_and_month(given: Given) -> list[Record]:
    groups = grouped(given.calls(given.eleven_months), lambda call: (month(call), call.get("tenant")))
    return [{"month": each, "tenant": tenant, **money(calls, given.prices)} for (each, tenant), calls in groups.items()]


def cost_per_provider_and_month(given: Given) -> list[Record]:
    records = []
    for kind in KINDS:

        def whose(call: Event, kind: str = kind) -> tuple[str, str | None]:
            return month(call), at(call, f"metrics_summary.{kind}_provider")

        using = [
            call
            for call in given.calls(given.eleven_months)
            if whose(call)[1] or at(call, f"metrics_summary.{kind}_model")
        ]
        for (each, provider), calls in grouped(using, whose).items():
            records.append(
                {
                    "month": each,
                    "kind": kind,
                    "provider": provider,
                    "calls": len(calls),
                    "total_usd": usd(calls, given.prices, kind),
                    "unpriced_calls": unpriced(calls, given.prices, kind),
                }
            )
    return records


def unpriced_models(given: Given) -> list[Record]:
    amounts = {
        "llm": ("llm_tokens", "tokens"),
        "stt": ("stt_audio_seconds", "seconds"),
        "tts": ("tts_characters", "characters"),
    }
    records = []
    for kind, (amount, unit) in amounts.items():
        calls = [call for call in given.calls(given.days(30)) if cost(call, kind, given.prices)[1]]
        for model, using in grouped(calls, lambda call, kind=kind: at(call, f"metrics_summary.{kind}_model")).items():
            records.append(
                {
                    "kind": kind,
                    "model": model,
                    "calls": len(using),
                    "used": math.fsum(call["metrics_summary"][amount] for call in using),
                    "unit": unit,
                    "last_used": max(map(moment, using)),
                }
            )
    return records


STAGES = {
    "total": "total_latency",
    "end of utterance": "eou.delay",
    "transcription": "stt.transcription_delay",
    "llm time to first token": "llm.ttft",
    "tts time to first byte": "tts.ttfb",
}


def latency_by_stage_and_day(given: Given) -> list[Record]:
    records = []
    for stage, path in STAGES.items():
        known = (turn for turn in given.turns(given.days(30)) if at(turn, path) is not None)
        for (day, agent), turns in grouped(known, lambda turn: (moment(turn).date(), turn.get("agent"))).items():
            seconds = [at(turn, path) for turn in turns]
            percentiles = {
                f"p{percent}_seconds": nearest_rank(seconds, percent) for percent in {50, given.targets.percentile, 99}
            }
            records.append({"day": day, "agent": agent, "stage": stage, "turns": len(turns), **percentiles})
    return records


def slowest_calls(given: Given) -> list[Record]:
    known = (turn for turn in given.turns(given.days(30)) if turn.get("total_latency") is not None)
    groups = grouped(
        known, lambda turn: (turn["_session_id"], turn.get("agent"), turn.get("tenant"), turn.get("trace_id"))
    )
    column = f"p{given.targets.percentile}_seconds"
    records = [
        {
            "session_id": session,
            "agent": agent,
            "tenant": tenant,
            "trace_id": trace,
            column: nearest_rank((turn["total_latency"] for turn in turns), given.targets.percentile),
            "worst_seconds": max(turn["total_latency"] for turn in turns),
            "slow_turns": sum(turn["total_latency"] > given.targets.total_latency.warning_seconds for turn in turns),
            "turns": len(turns),
            "first_turn": min(map(moment, turns)),
        }
        for (session, agent, tenant, trace), turns in groups.items()
    ]
    records.sort(key=lambda record: (-record[column], -record["worst_seconds"], record["session_id"]))
    return records[: given.numbers.row_limit]


def tools_success(given: Given) -> list[Record]:
    uses = [
        {"call": call, **use}
        for call in given.calls(given.days(30))
        for use in call.get("tool_calls") or ()
        if use.get("tool") is not None
    ]
    records = []
    for tool, used in grouped(uses, lambda use: use["tool"]).items():
        failed = [use["call"] for use in used if use.get("success") is False]
        last_failed = max(failed, key=moment, default={})
        seconds = [use["duration_seconds"] for use in used if use.get("duration_seconds") is not None]
        records.append(
            {
                "tool": tool,
                "calls": len(used),
                "failures": len(failed),
                "success_percent": round(100 * sum(use.get("success") is True for use in used) / len(used), 2),
                "mean_seconds": mean(seconds),
                "worst_seconds": max(seconds, default=None),
                "last_failed_session": last_failed.get("_session_id"),
                "last_failed_trace": last_failed.get("trace_id"),
            }
        )
    return records


def exported_columns(given: Given, event_type: str) -> dict[str, str]:
    """Name of a column -> path of the field."""
    names = {"_timestamp": "occurred_at"}
    (table,) = (table for table in given.tables if table.event == event_type)
    return {names.get(field.path, field.path.removeprefix("_")).replace(".", "_"): field.path for field in table.fields}


def snowflake(given: Given, event_type: str) -> list[Record]:
    columns = exported_columns(given, event_type)
    return [
        {"happened_at": moment(event), **{name: at(event, path) for name, path in columns.items()}}
        for event in given.happened(event_type, given.days(7))
    ]


def amplitude(given: Given, event_type: str) -> list[Record]:
    lists = {field.path for table in given.tables for field in table.fields if field.type == "array"}
    columns = exported_columns(given, event_type)
    epoch = datetime.datetime(1970, 1, 1)
    return [
        {
            "user_id": event.get("tenant"),
            "device_id": event["_session_id"],
            "event_type": event_type,
            "time": (moment(event) - epoch) // datetime.timedelta(milliseconds=1),
            "insert_id": event["_event_id"],
            "event_properties": {
                name: at(event, path)
                for name, path in columns.items()
                if not path.startswith("_") and path not in lists
            },
        }
        for event in given.happened(event_type, given.days(7))
    ]


ANSWERS: dict[str, Callable[[Given], list[Record]]] = {
    "Business/Calls per tenant and day": calls_per_tenant_and_day,
    "Business/Qualified leads per week": qualified_leads_per_week,
    "Conversation/Close reasons per day": close_reasons_per_day,
    "Conversation/Interruptions per day": interruptions_per_day,
    "Conversation/Length per day": length_per_day,
    "Cost/Anomalies": cost_anomalies,
    "Cost/Most expensive calls": most_expensive_calls,
    "Cost/Per month": cost_per_month,
    "Cost/Per provider and month": cost_per_provider_and_month,
    "Cost/Per tenant and month": cost_per_tenant_and_month,
    "Cost/Unpriced models": unpriced_models,
    "Latency/By stage and day": latency_by_stage_and_day,
    "Latency/Slowest calls": slowest_calls,
    "Tools/Success": tools_success,
    "Export/Amplitude calls": lambda given: amplitude(given, SESSION_ANALYTICS),
    "Export/Amplitude turns": lambda given: amplitude(given, VOICE_METRICS),
}

UNLOADED: dict[str, Callable[[Given], list[Record]]] = {
    "Export/Snowflake calls": lambda given: snowflake(given, SESSION_ANALYTICS),
    "Export/Snowflake turns": lambda given: snowflake(given, VOICE_METRICS),
}
"""Those that write what they answer into a bucket."""


# -- comparing ---------------------------------------------------------------------------------------------------------


def assert_same(name: str, found: Sequence[Record], expected: Sequence[Record]) -> None:
    """Equal rows, whatever their order: exact but for what sums of floating point numbers leave open."""
    assert len(found) == len(expected), f"{name}: {len(found)} rows, not {len(expected)}"
    for row, other in zip(sorted(found, key=_order), sorted(expected, key=_order), strict=True):
        plain = {column: _plain(value) for column, value in row.items()}
        assert plain == {column: _close(column, value) for column, value in other.items()}, name


def _order(record: Record) -> str:
    """What identifies a row: everything that was not worked out."""
    return str([(key, value) for key, value in sorted(record.items()) if _identifies(value)])


def _identifies(value: object) -> bool:
    return value is None or (isinstance(value, str | datetime.date) and not str(value).startswith("{"))


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, str) and value.startswith("{"):
        return json.loads(value)
    return value


def _close(column: str, value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _close(name, each) for name, each in value.items()}
    if isinstance(value, float) and ("usd" in column):
        return pytest.approx(value, rel=1e-9, abs=MILLIONTH_USD)
    if isinstance(value, float) and "percent" in column:
        return pytest.approx(value, abs=0.0100001)
    return pytest.approx(value, rel=1e-9) if isinstance(value, float) else value
