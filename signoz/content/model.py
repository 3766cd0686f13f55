"""Plan objects of SigNoz' content: what its API is to hold. Frozen, no Pulumi, no I/O.

An object's `body` is what the API of the stack's release takes, with placeholders in its texts, filled at
deployment: those of secrets (`core.secrets.placeholders`), and `{id:<kind>/<key>}` for the identifier that the server
gave another object of the plan.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from core.secrets.placeholders import Secrets

AGENT_LABEL = "targets_of"
"""The label of a rule for one agent with targets of its own: the agent. Other labels are those of the stack's rule."""


class Kind(StrEnum):
    """A kind of content; the value is what users read in messages and file names."""

    CHANNEL = "channel"
    ROUTE_POLICY = "route-policy"
    ALERT_RULE = "alert-rule"
    DOWNTIME = "planned-downtime"
    DASHBOARD = "dashboard"
    SAVED_VIEW = "saved-view"
    RETENTION = "retention"
    LLM_PRICES = "llm-prices"


@dataclass(frozen=True)
class ContentObject:
    """One object of the API.

    `key` is unique in its kind and stays the same when the title changes; `title` is what SigNoz shows. `source` is
    where it is written (a path, with a line where there is one), for messages.
    """

    kind: Kind
    key: str
    title: str
    body: dict[str, Any]
    source: str
    secrets: Secrets = ()

    @property
    def name(self) -> str:
        return f"{self.kind}/{self.key}"


@dataclass(frozen=True)
class Omitted:
    """Shipped content that a stack does not have, because nothing sends what it queries: an object, or of a dashboard
    only `panels`, by title."""

    kind: Kind
    key: str
    panels: tuple[str, ...] = ()


@dataclass(frozen=True)
class ContentPlan:
    """Everything that a stack's SigNoz is to hold, each after what it refers to."""

    objects: tuple[ContentObject, ...] = ()
    omitted: tuple[Omitted, ...] = ()
