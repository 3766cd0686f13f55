"""The reference of the events as files: a JSON Schema of each, and a page for people."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from core.event_schema import BEYOND, json_schema
from core.events import EVENTS, MEANINGS, Field

FOLDER = Path("docs/reference/events")


def files(examples: Mapping[str, str]) -> dict[Path, str]:
    """Each file's path in the project and what is in it. `examples`: a line of each event, by its name."""
    return {
        **{
            FOLDER / _schema_name(event): json.dumps(json_schema(event, fields), indent=2, ensure_ascii=False) + "\n"
            for event, fields in EVENTS.items()
        },
        FOLDER / "README.md": page(examples),
    }


def page(examples: Mapping[str, str]) -> str:
    parts = [_INTRODUCTION]
    for event, fields in EVENTS.items():
        parts += [
            f"## `{event}`",
            f"{MEANINGS[event]}. [JSON Schema]({_schema_name(event)})\n",
            "| Field | Type | Unit | Required | Description |\n|---|---|---|---|---|",
            *("| " + " | ".join(row) + " |" for field in fields for row in _rows(field)),
            f"\n```json\n{examples[event]}\n```\n",
        ]
    parts += ["## What the JSON Schema does not say", *(f"- {each}" for each in BEYOND)]
    return "\n".join(parts) + "\n"


def _rows(field: Field, above: str = "") -> Iterator[tuple[str, ...]]:
    path = f"{above}{field.path}"
    yield f"`{path}`", field.type, field.unit, "yes" if field.required else "", field.meaning
    for item in field.items:
        yield from _rows(item, f"{path}[].")


def _schema_name(event: str) -> str:
    return f"{event}.schema.json"


_INTRODUCTION = """\
# Events
<!-- Generated from core/events.py; change it there. -->
An agent writes two events to its log, each as one JSON object on one line. Metrics, saved queries and the analytics are
made from them. `turnscope_agent` [writes them for LiveKit agents](../../how-to/agent.md); any other program can
[write and test them](../../how-to/events.md).

- **Required** fields must be there. All others may be absent; `null` is as absent.
- **Nested**: `llm.ttft` is `{"llm": {"ttft": 0.24}}`, `tool_calls[].tool` is `{"tool_calls": [{"tool": "book"}]}`.
- **Types** are those of JSON. An `integer` has 64 bits, and `3.0` is one; a `number` is read as a double. Nothing is
  converted: `"3"` is no number, `1` is no boolean.
- **Times** are ISO 8601, such as `2026-03-10T11:59:58.25+01:00`: `T` between date and time, at least minutes, at most
  nanoseconds, `Z` or an offset of up to 14 hours; UTC without an offset.
- **Unknown fields** are allowed at every level. The analytics keep those that
  [`extra_fields`](../../how-to/analytics.md) names, and then check their type.

An event that does not fit is rejected by the [record validation](../../how-to/analytics.md) of the
analytics, as a whole. Metric filters and saved queries read every line that has the fields they name.
"""
