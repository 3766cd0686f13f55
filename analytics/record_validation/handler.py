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
from typing import Any, NoReturn

Schema = Mapping[str, Mapping[str, Any]]
"""Of each event its `fields` by dotted path, and `maximum_bytes` of a line."""

EVENT_TYPE, EVENT_ID, TIMESTAMP, AGENT = "_event_type", "_event_id", "_timestamp", "agent"
PARTITION_KEY = "agent_name"
RAW_MAXIMUM_CHARACTERS = 64 * 1024
"""So much is kept of what was rejected."""
SHOWN_CHARACTERS = 60
"""So much of a value is shown in a reason."""

_SPACE = re.compile(r"\s*")
# In the same line, and no other object.
_MORE = re.compile(r"[^\S\n]*([^\s{])")
# Stricter than Python, which takes times that Athena's from_iso8601_timestamp does not.
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d(:?\d\d)?)?")
_KINDS = {dict: "an object", list: "a list", str: "text", bool: "boolean", int: "number", float: "number"}
_WANTED = {
    "text": "text",
    "number": "a number",
    "count": "a whole number",
    "boolean": "true or false",
    "list": "a list",
}


class RejectedError(Exception):
    """`reason` is a sentence; `field` the dotted path that it is about, where it is about one."""

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
        kept, found = _sorted_out(base64.b64decode(record["data"]).decode("utf-8", "replace"), name, _schema())
        for raw, why in found:
            rejected.setdefault(f"{name}/{arrived:%Y/%m/%d/%H}/", []).append(
                json.dumps(
                    {
                        "reason": why.reason,
                        "field": why.field,
                        "event": name,
                        "stream": stream,
                        "arrived_at": arrived.isoformat().replace("+00:00", "Z"),
                        "raw": raw[:RAW_MAXIMUM_CHARACTERS],
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


def examine(line: str, event: str, schema: Schema) -> tuple[dict[str, Any] | None, bool]:
    """What becomes of a log line: the event as it is kept (None where there is none), and whether it is rejected.

    The event carries its `_event_id`.
    """
    kept, rejected = _sorted_out(line, event, schema)
    return (kept[0][1] if kept else None), bool(rejected and not kept)


def event_id(line: str) -> str:
    """The `_event_id` of an event that has none: of the same line the same, however often it is sent."""
    return hashlib.sha256(line.strip().encode("utf-8", "replace")).hexdigest()[:32]


def _sorted_out(
    text: str, event: str, schema: Schema
) -> tuple[list[tuple[str, dict[str, Any]]], list[tuple[str, RejectedError]]]:
    """Of `text` the kept lines, each with its event, and what is rejected."""
    kept: list[tuple[str, dict[str, Any]]] = []
    rejected: list[tuple[str, RejectedError]] = []
    for raw, found in _documents(text):
        try:
            document = _event(raw, found, event, schema[event])
            if document is not None:
                line = json.dumps(document, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
                kept.append((line, document))
        except RejectedError as error:
            rejected.append((raw, error))
        except RecursionError:
            rejected.append((raw, RejectedError("objects or lists are nested too deeply")))
    return kept, rejected


def _answer(record_id: str, kept: list[tuple[str, dict[str, Any]]], agents: list[str]) -> dict[str, Any]:
    if not kept:
        return {"recordId": record_id, "result": "Dropped"}
    # Half a surrogate pair is JSON, and no UTF-8: the conversion would fail over it.
    data = "".join(f"{line}\n" for line, _ in kept).encode("utf-8", "replace")
    answer: dict[str, Any] = {"recordId": record_id, "result": "Ok", "data": base64.b64encode(data).decode()}
    if agents:
        named = {document.get(AGENT) for _, document in kept}
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
    if not _is_time(document[TIMESTAMP]):
        raise RejectedError(f"{TIMESTAMP}: {_shown(document[TIMESTAMP])} where an ISO 8601 time belongs", TIMESTAMP)
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
    """Make `document` fit, in place: null is as absent, and 3.0 is 3 where a whole number belongs."""
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
                at = f"{where}{'.'.join(parents[:depth])}"
                raise RejectedError(f"{at}: {_shown(inner)} where an object belongs", at)
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
    match field["type"], value:
        case "text", str():
            return value
        case "boolean", bool():
            return value
        case (("number" | "count"), bool()):
            pass
        case "number", int() | float():
            # A whole number may be larger than any decimal one.
            if abs(value) <= sys.float_info.max:
                return value
        case "count", int() | float():
            if value == int(value) and -(2**63) <= value < 2**63:
                return int(value)
        case "list", list():
            items = [each for each in value if each is not None]
            for index, each in enumerate(items):
                if not isinstance(each, dict):
                    raise RejectedError(f"{at}[{index}]: {_shown(each)} where an object belongs", at)
                _fit(each, field.get("items", {}), f"{at}[{index}].")
            return items
    raise RejectedError(f"{at}: {_shown(value)} where {_WANTED[field['type']]} belongs", at)


def _is_time(text: str) -> bool:
    try:
        datetime.datetime.fromisoformat(text)
    except ValueError:
        return False
    return _TIME.fullmatch(text) is not None


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    cut = f"{text[:SHOWN_CHARACTERS]}..." if len(text) > SHOWN_CHARACTERS else text
    return f"{_KINDS[type(value)]} {cut!r}" if isinstance(value, str) else f"{_KINDS[type(value)]} {cut}"


def _fail(message: str) -> NoReturn:
    raise ValueError(message)


def _finite(text: str) -> float:
    value = float(text)
    return value if math.isfinite(value) else _fail(f"{text[:SHOWN_CHARACTERS]} is too large a number")


_DECODER = json.JSONDecoder(parse_float=_finite, parse_constant=lambda text: _fail(f"{text} is no number of JSON"))


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
