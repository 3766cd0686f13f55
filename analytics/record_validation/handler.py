"""Record validation, a Lambda function that Firehose calls: keeps events that fit the schema, rejects the rest.

    handler({"deliveryStreamArn": ..., "records": [{"recordId": ..., "data": <base64>, ...}]}, context)

Each record is taken as a sequence of JSON objects, one after the other or line by line, and answered `Ok` with those
that are kept, one compact line each, or `Dropped`. Rejected ones it writes itself, to
`<REJECTED_PREFIX><event>/<yyyy/MM/dd/HH of arrival>/<hash of the content>.json` of `BUCKET`: a batch that Firehose
sends again overwrites its own object. What is no event, but merely mentions one, is dropped. No content makes it fail;
where it cannot write what it rejected it does, and Firehose sends the batch again
(docs.aws.amazon.com/firehose/latest/dev/data-transformation-failure-handling.html).

`analytics.validation_function` says what is in its environment. Needs the standard library and boto3 alone.
"""

from __future__ import annotations

import base64
import datetime
import functools
import hashlib
import json
import math
import os
import re
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

Schema = Mapping[str, Mapping[str, Any]]
"""Of each event its `fields` by dotted path and the `maximum_bytes` of a line (`analytics.plan.record_schema`)."""

EVENT_TYPE, EVENT_ID, AGENT = "_event_type", "_event_id", "agent"
PARTITION_KEY = "agent_name"
RAW_MAXIMUM_CHARACTERS = 64 * 1024
"""So much is kept of what was rejected."""
SHOWN_CHARACTERS = 60
"""So much of a value is shown in a reason."""

_SPACE = re.compile(r"\s*")
# In the same line, and no other object.
_MORE = re.compile(r"[^\S\n]*([^\s{])")
_EXPECTED = {
    "string": "a string",
    "number": "a number",
    "double": "a number that a double can hold",
    "integer": "a 64-bit integer",
    "boolean": "a boolean",
    "array": "an array",
    "object": "an object",
    "time": "an ISO 8601 time",
}
_TYPES = {dict: "object", list: "array", str: "string", bool: "boolean", int: "number", float: "number"}


class Kept(NamedTuple):
    """`line` is the JSON that goes on to the bucket, `event` the same as an object; it has its `_event_id`."""

    line: str
    event: dict[str, Any]


class Rejected(NamedTuple):
    """`raw` is the text as it came; `field` the path of the field (`llm.ttft`, `tool_calls[0].success`), None where the
    text is no JSON or too long."""

    raw: str
    reason: str
    field: str | None


class RejectedError(Exception):
    """`reason` is a sentence; `field` as in `Rejected`."""

    def __init__(self, reason: str, field: str | None = None) -> None:
        super().__init__(reason)
        self.reason, self.field = reason, field


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    stream = event["deliveryStreamArn"].rpartition("/")[2]
    name = json.loads(os.environ["STREAMS"])[stream]
    agents = json.loads(os.environ.get("AGENTS", "[]"))
    rejected: dict[str, list[str]] = {}
    answers = []
    for record in event["records"]:
        arrived = _arrival(record)
        kept, found = examine(base64.b64decode(record["data"]).decode("utf-8", "replace"), name, _schema())
        for each in found:
            rejected.setdefault(f"{name}/{arrived:%Y/%m/%d/%H}/", []).append(
                json.dumps(
                    {
                        "reason": each.reason,
                        "field": each.field,
                        "event": name,
                        "stream": stream,
                        "arrived_at": arrived.isoformat().replace("+00:00", "Z"),
                        "raw": each.raw[:RAW_MAXIMUM_CHARACTERS],
                    }
                )
            )
        answers.append(_answer(record["recordId"], kept, agents))
    for folder, lines in rejected.items():
        content = "".join(f"{line}\n" for line in lines).encode()
        _s3().put_object(
            Bucket=os.environ["BUCKET"],
            Key=f"{os.environ['REJECTED_PREFIX']}{folder}{hashlib.sha256(content).hexdigest()}.json",
            Body=content,
            ContentType="application/x-ndjson",
        )
    return {"records": answers}


def examine(text: str, event: str, schema: Schema) -> tuple[list[Kept], list[Rejected]]:
    """What becomes of a log line, or of several: the events that are kept, and what is rejected. Nothing of either is
    no event of this name, which is no mistake."""
    kept: list[Kept] = []
    rejected: list[Rejected] = []
    for raw, found in _documents(text):
        try:
            document = _event(raw, found, event, schema[event])
            if document is not None:
                line = json.dumps(document, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
                kept.append(Kept(line, document))
        except RejectedError as error:
            rejected.append(Rejected(raw, error.reason, error.field))
        except RecursionError:
            rejected.append(Rejected(raw, "objects or arrays are nested too deeply", None))
    return kept, rejected


def event_id(line: str) -> str:
    """The `_event_id` of an event that has none: of the same line the same, however often it is sent."""
    return hashlib.sha256(line.strip().encode("utf-8", "replace")).hexdigest()[:32]


def _answer(record_id: str, kept: list[Kept], agents: list[str]) -> dict[str, Any]:
    if not kept:
        return {"recordId": record_id, "result": "Dropped"}
    # Half a surrogate pair is JSON, and no UTF-8: the conversion would fail over it.
    data = "".join(f"{each.line}\n" for each in kept).encode("utf-8", "replace")
    answer: dict[str, Any] = {"recordId": record_id, "result": "Ok", "data": base64.b64encode(data).decode()}
    if agents:
        named = {each.event.get(AGENT) for each in kept}
        agent = named.pop() if len(named) == 1 else None
        # A record has one partition: with lines of several agents it goes where nobody expects one of them.
        answer["metadata"] = {"partitionKeys": {PARTITION_KEY: agent if agent in agents else agents[-1]}}
    return answer


def _documents(text: str) -> Iterator[tuple[str, dict[str, Any] | Exception]]:
    """Each JSON object of `text` with its own text; and each line that begins none, with why."""
    at = _end_of_space(text, 0)
    while at < len(text):
        try:
            if text[at] != "{":
                _fail(f"an event begins with {{, this line with {text[at]!r}")
            found, end = _DECODER.raw_decode(text, at)
            if rest := _MORE.match(text, end):
                _fail(f"more text after the object, at character {rest.start(1) - at + 1}")
        except (ValueError, RecursionError) as error:
            end = text.find("\n", at)
            end = len(text) if end == -1 else end
            if isinstance(error, json.JSONDecodeError):
                error = ValueError(f"{error.msg.removesuffix(' at')} at character {min(error.pos, end) - at + 1}")
            yield text[at:end].rstrip(), error
        else:
            yield text[at:end], found
        at = _end_of_space(text, end)


def _end_of_space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _event(raw: str, found: dict[str, Any] | Exception, event: str, schema: Mapping[str, Any]) -> dict[str, Any] | None:
    """The event as it is kept; None where it is another event, or none. Raises `RejectedError`."""
    if isinstance(found, Exception):
        if f'"{EVENT_TYPE}"' not in raw:
            return None
        why = "nested too deeply" if isinstance(found, RecursionError) else str(found)
        raise RejectedError(f"not JSON: {why}")
    document = _with_lower_keys(found)
    if document.get(EVENT_TYPE) != event:
        return None
    size, most = len(raw.encode("utf-8", "replace")), schema["maximum_bytes"]
    if size > most:
        raise RejectedError(f"{size} bytes; at most {most}")
    _fit(document, schema["fields"], "")
    # An empty one would make one event of all that have it.
    document[EVENT_ID] = document.get(EVENT_ID) or event_id(raw)
    return document


def _with_lower_keys(value: Any) -> Any:
    """Firehose's deserializer does not tell `Agent` from `agent`, and fails over both in one object."""
    if isinstance(value, dict):
        result = {key: _with_lower_keys(each) for key, each in value.items() if key.islower() or key == key.lower()}
        for key, each in value.items():
            if key.lower() not in result:
                result[key.lower()] = _with_lower_keys(each)
        return result
    if isinstance(value, list):
        return [_with_lower_keys(each) for each in value]
    return value


def _fit(document: dict[str, Any], fields: Mapping[str, Any], where: str) -> None:
    """Make `document` fit, in place: null is as absent, and 3.0 is the integer 3."""
    for path, field in fields.items():
        *parents, name = path.split(".")
        holder: dict[str, Any] | None = document
        for depth, parent in enumerate(parents, 1):
            inner = holder.get(parent)
            if inner is None:
                holder.pop(parent, None)
                holder = None
                break
            if not isinstance(inner, dict):
                raise _unexpected(inner, "object", f"{where}{'.'.join(parents[:depth])}")
            holder = inner
        value = holder.get(name) if holder is not None else None
        if holder is None or value is None:
            if field["required"]:
                raise RejectedError(f"{where}{path} is missing", f"{where}{path}")
            if holder is not None:
                holder.pop(name, None)
        else:
            holder[name] = _fitting(value, field, f"{where}{path}")


def _fitting(value: Any, field: Mapping[str, Any], at: str) -> Any:
    pattern = field.get("time_pattern")
    match field["type"], value:
        case "string", str():
            if pattern is None or _is_time(value, pattern):
                return value
        case "boolean", bool():
            return value
        case (("number" | "integer"), bool()):
            pass
        case "number", int() | float():
            # An integer of JSON may be larger than any double.
            if abs(value) <= sys.float_info.max:
                return value
            raise _unexpected(value, "double", at)
        case "integer", int() | float():
            if value == int(value) and -(2**63) <= value < 2**63:
                return int(value)
        case "array", list():
            items = [(index, each) for index, each in enumerate(value) if each is not None]
            for index, each in items:
                if not isinstance(each, dict):
                    raise _unexpected(each, "object", f"{at}[{index}]")
                _fit(each, field.get("items", {}), f"{at}[{index}].")
            return [each for _, each in items]
    raise _unexpected(value, "time" if pattern else field["type"], at)


def _is_time(text: str, pattern: str) -> bool:
    """Of the right form, and a day of the calendar."""
    if not re.fullmatch(pattern, text):
        return False
    try:
        datetime.datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _unexpected(value: Any, expected: str, at: str) -> RejectedError:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    cut = f"{text[:SHOWN_CHARACTERS]}..." if len(text) > SHOWN_CHARACTERS else text
    shown = repr(cut) if isinstance(value, str) else cut
    return RejectedError(f"{at}: expected {_EXPECTED[expected]}, got {_TYPES[type(value)]} {shown}", at)


def _fail(message: str) -> NoReturn:
    raise ValueError(message)


def _finite(text: str) -> float:
    value = float(text)
    return value if math.isfinite(value) else _fail(f"{text[:SHOWN_CHARACTERS]} is too large for a number")


_DECODER = json.JSONDecoder(parse_float=_finite, parse_constant=lambda text: _fail(f"{text} is not a JSON number"))


def _arrival(record: Mapping[str, Any]) -> datetime.datetime:
    milliseconds = record.get("approximateArrivalTimestamp") or time.time() * 1000
    return datetime.datetime.fromtimestamp(milliseconds / 1000, datetime.UTC)


@functools.cache
def _schema() -> Schema:
    return json.loads(Path(__file__).with_name("schema.json").read_text())


@functools.cache
def _s3() -> Any:
    # Takes long, and most batches have nothing to refuse.
    import boto3

    return boto3.client("s3")
