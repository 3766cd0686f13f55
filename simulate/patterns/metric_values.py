"""The value that a metric filter publishes."""

from __future__ import annotations

from simulate.patterns.json_values import is_number, json_object, parse_number
from simulate.patterns.selectors import parse_selector


def metric_value(message: str, value_selector: str) -> float | None:
    """The number that a metric filter publishes for a matching message.

    `value_selector` is a number as text, or a selector into a JSON message (`$.latency`). None where the value is
    absent or not a number; a JSON string is not one.

    Raises:
        PatternError: `value_selector` is neither a number nor a selector.
    """
    constant = parse_number(value_selector)
    if constant is not None:
        return constant
    value = parse_selector(value_selector).first(json_object(message))
    if not is_number(value):
        return None
    try:
        return float(value)
    except OverflowError:
        return None
