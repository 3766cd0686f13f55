"""Alert rules of agents with targets of their own. Pure.

A rule takes its numbers from the stack's `targets`. Where an agent's targets make another rule of the same file, the
stack's rule excludes that agent, and the agent has a rule of its own beside it. Agents are told apart by
`service.name`, which `turnscope env` sets to the agent's name.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from signoz.content.filters import parse_filter
from signoz.content.loader import Written
from signoz.content.schema import AlertRule, Query

LONGEST_KEY = 63
LONGEST_TITLE = 128
"""Those of `signoz.content.schema`."""
DIGEST_LENGTH = 6


@dataclass(frozen=True)
class PlannedRule:
    """A rule, and its file; `of_agent`: for a rule of one agent alone, the key of the stack's rule and the agent."""

    document: AlertRule
    source: str
    of_agent: tuple[str, str] | None = None


def with_overrides(
    shared: Sequence[Written[AlertRule]], by_agent: Mapping[str, Sequence[Written[AlertRule]]]
) -> tuple[PlannedRule, ...]:
    """`shared` are the rules with the stack's targets, `by_agent` the same files with the targets of each agent with
    its own. Rules in PromQL or SQL cannot be restricted to an agent here: they keep the stack's targets for all.
    """
    stacks = {each.document.key: each for each in shared}
    agents = {agent: {each.document.key: each for each in rules} for agent, rules in by_agent.items()}
    planned: list[PlannedRule] = []
    for key in dict.fromkeys([*stacks, *(key for rules in agents.values() for key in rules)]):
        common = stacks.get(key)
        own = {agent: rules.get(key) for agent, rules in agents.items()}
        differing = {agent: rule for agent, rule in own.items() if _differ(common, rule)}
        if common:
            condition = _none_of(list(differing)) if differing else None
            planned.append(PlannedRule(_restricted(common.document, condition), common.source))
        planned += [
            PlannedRule(_of_agent(rule.document, agent), rule.source, (key, agent))
            for agent, rule in differing.items()
            if rule
        ]
    return tuple(planned)


def _differ(common: Written[AlertRule] | None, own: Written[AlertRule] | None) -> bool:
    for rule in (common, own):
        if rule and any(query.promql or query.sql for query in rule.document.queries):
            return False
    return (common and common.document) != (own and own.document)


def _of_agent(rule: AlertRule, agent: str) -> AlertRule:
    suffix = f" ({agent})"
    return _restricted(rule, f"resource.service.name = '{agent}'").model_copy(
        update={"key": _key(rule.key, agent), "title": rule.title[: LONGEST_TITLE - len(suffix)] + suffix}
    )


def _key(rule: str, agent: str) -> str:
    """The rule's key and the agent's name; with a digest where the name itself cannot be in a key."""
    slug = re.sub("[^a-z0-9]+", "-", agent.lower()).strip("-")
    if slug == agent and len(rule) + 1 + len(slug) <= LONGEST_KEY:
        return f"{rule}-{slug}"
    digest = hashlib.sha256(f"{rule}/{agent}".encode()).hexdigest()[:DIGEST_LENGTH]
    return f"{f'{rule}-{slug}'[: LONGEST_KEY - 1 - DIGEST_LENGTH].rstrip('-')}-{digest}"


def _none_of(agents: Sequence[str]) -> str:
    return f"resource.service.name NOT IN ({', '.join(repr(agent) for agent in agents)})"


def _restricted(rule: AlertRule, condition: str | None) -> AlertRule:
    if condition is None:
        return rule
    return rule.model_copy(update={"queries": tuple(_with_condition(query, condition) for query in rule.queries)})


def _with_condition(query: Query, condition: str) -> Query:
    """A formula has no filter: its queries have."""
    if query.formula is not None:
        return query
    own = query.where.strip()
    if own and parse_filter(own).has_or:
        own = f"({own})"
    return query.model_copy(update={"where": f"{own} AND {condition}" if own else condition})
