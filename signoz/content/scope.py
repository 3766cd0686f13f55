"""Conditions on alerts' labels: of one rule, and of all rules of a stack. Pure.

They are in the language of github.com/expr-lang/expr, for route policies and planned downtimes alike.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from signoz.content.model import ContentObject


@dataclass(frozen=True)
class Only:
    """A stack on a server that others use too: what it does with alerts is for its own alone."""

    stack: str
    alerts: str
    """A condition that alerts of its rules meet, and no others."""

    def title(self, title: str) -> str:
        """With the stack's name: policies and downtimes are found by theirs."""
        return f"{self.stack}: {title}"


def only_of(stack: str, rules: Sequence[ContentObject]) -> Only:
    """`rules` are all that the stack has; those that are JSON have no label of ours."""
    unlabelled = [rule for rule in rules if rule.body.get("labels", {}).get("stack") != stack]
    conditions = [f"stack == {json.dumps(stack)}", *map(_titled, unlabelled)]
    alerts = " || ".join(conditions)
    return Only(stack, f"({alerts})" if unlabelled else alerts)


def alerts_of(rule: ContentObject) -> str:
    """True for the alerts of a rule. One that came as JSON has no label of ours, and for missing data another name."""
    return labelled(rule.key) if rule.body.get("labels", {}).get("rule") == rule.key else _titled(rule)


def labelled(label: str) -> str:
    """True for the alerts of rules with this label `rule`."""
    return f"rule == {json.dumps(label)}"


def _titled(rule: ContentObject) -> str:
    return f"alertname in {json.dumps([rule.title, f'[No data] {rule.title}'], ensure_ascii=False)}"
