"""A stack's agents in parts of at most 50: as many log groups as one Logs Insights query reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cloudwatch.plan.model import AgentPlan

LOG_GROUPS_PER_QUERY = 50
"""docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_StartQuery.html, `logGroupNames`. The API takes a
definition with more (API_PutQueryDefinition.html names no limit), which then no one can run."""


@dataclass(frozen=True)
class Part:
    """The `number`th (from 1) of `count` parts of a stack's agents."""

    number: int
    count: int
    agents: tuple[AgentPlan, ...]

    @property
    def suffix(self) -> str:
        """What tells the name of one part from the others' (` (2 of 4)`); empty for the only part."""
        return f" ({self.number} of {self.count})" if self.count > 1 else ""


def parts(agents: Sequence[AgentPlan]) -> tuple[Part, ...]:
    """The agents in their order, so that an agent that is added at the end moves none of the others."""
    size = LOG_GROUPS_PER_QUERY
    cut = [tuple(agents[start : start + size]) for start in range(0, len(agents), size)]
    return tuple(Part(number, len(cut), each) for number, each in enumerate(cut, 1))
