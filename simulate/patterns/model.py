"""The kinds of filter pattern, and which log events each lets through."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from simulate.patterns.conditions import Condition, Regex, selectors_of
from simulate.patterns.json_values import json_object
from simulate.patterns.selectors import parse_selector


class Pattern(ABC):
    """A parsed filter pattern."""

    @abstractmethod
    def matches(self, message: str) -> bool:
        """Whether the log event passes. A message in another format never does."""

    @property
    def fields(self) -> frozenset[str]:
        """The selectors whose values the pattern extracts.

        A metric value or dimension must be among them: a metric filter publishes only what its pattern extracts
        (https://docs.aws.amazon.com/cdk/api/v2/docs/aws-cdk-lib.aws_logs.MetricFilterOptions.html, metricValue).
        """
        return frozenset()

    def field(self, message: str, selector: str) -> object:
        """The value of one of `fields` in a message; None where it is null or missing."""
        return None


@dataclass(frozen=True)
class AllEvents(Pattern):
    """The empty pattern."""

    def matches(self, message: str) -> bool:
        return True


@dataclass(frozen=True)
class Terms(Pattern):
    """Case-sensitive terms: all of `required`, none of `excluded`, one of `optional`.

    As documented, optional terms count only when there are no others.
    """

    required: tuple[str, ...]
    excluded: tuple[str, ...]
    optional: tuple[str, ...]

    def matches(self, message: str) -> bool:
        if not self.required and not self.excluded:
            return any(term in message for term in self.optional)
        return all(term in message for term in self.required) and not any(term in message for term in self.excluded)


@dataclass(frozen=True)
class RegexPattern(Pattern):
    """A pattern that is one regular expression."""

    regex: Regex

    def matches(self, message: str) -> bool:
        return self.regex.equals(message) is True


@dataclass(frozen=True)
class JsonPattern(Pattern):
    """`{ ... }`: conditions on a log event that is a JSON object."""

    condition: Condition

    def matches(self, message: str) -> bool:
        document = json_object(message)
        return document is not None and self.condition.holds(document)

    @property
    def fields(self) -> frozenset[str]:
        return frozenset(map(str, selectors_of(self.condition)))

    def field(self, message: str, selector: str) -> object:
        return parse_selector(selector).first(json_object(message))
