"""The notifications that the emulator sent, kept for whoever wants to see them: there is no inbox behind it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Notification:
    """One message to one topic."""

    time: str
    """UTC, ISO 8601."""
    topic: str
    subject: str
    alarm: str
    state: str
    reason: str
    receivers: tuple[str, ...]
    """Who would have got it, as `protocol: address`; what is secret in an address is masked."""


def receiver(subscription: Mapping[str, str]) -> str:
    """`protocol: address` of one entry of ListSubscriptionsByTopic.

    A web address is secret past its host: who knows it can post there.
    """
    protocol, endpoint = subscription["Protocol"], subscription["Endpoint"]
    if protocol in ("http", "https"):
        parts = urlsplit(endpoint)
        endpoint = f"{parts.scheme}://{parts.hostname}/***"
    elif protocol == "lambda":
        endpoint = endpoint.split(":function:", 1)[-1]
    return f"{protocol}: {endpoint}"


def append(path: Path, notifications: Sequence[Notification]) -> None:
    """Add one line of JSON for each."""
    with path.open("a") as file:
        for each in notifications:
            file.write(json.dumps(asdict(each)) + "\n")


def read(path: Path) -> Iterator[Notification]:
    """Those in `path`, oldest first; none if there is no such file."""
    try:
        lines = path.read_text().splitlines()
    except FileNotFoundError:
        return
    for line in lines:
        fields = json.loads(line)
        yield Notification(**{**fields, "receivers": tuple(fields["receivers"])})
