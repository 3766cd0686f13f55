"""Firehose's expressions in S3 prefixes, evaluated. Pure.

Source: docs.aws.amazon.com/firehose/latest/dev/s3-prefixes.html
"""

from __future__ import annotations

import datetime
import re
import uuid
from collections.abc import Mapping

_EXPRESSION = re.compile(r"!\{(?P<namespace>\w+):(?P<value>[^}]*)\}")
# Java's letters (DateTimeFormatter), as far as prefixes use them; the rest stands for itself.
_LETTERS = {"yyyy": "%Y", "MM": "%m", "dd": "%d", "HH": "%H", "mm": "%M", "ss": "%S"}
_DATE = re.compile(r"'([^']*)'|yyyy|MM|dd|HH|mm|ss|[A-Za-z]+")
DEFAULT_FOLDERS = "!{timestamp:yyyy/MM/dd/HH}/"
"""Added to a prefix without a time."""


class PrefixError(ValueError):
    """An expression that cannot be evaluated."""


def evaluate(
    prefix: str, moment: datetime.datetime, *, error_type: str = "", keys: Mapping[str, str] | None = None
) -> str:
    """`prefix` for records that arrived at `moment` (UTC).

    Args:
        error_type: what `!{firehose:error-output-type}` is.
        keys: what `!{partitionKeyFromLambda:...}` are.

    Raises:
        PrefixError: a partition key is not given, or the expression is none that is known here.
    """

    def value(expression: re.Match[str]) -> str:
        match expression["namespace"], expression["value"]:
            case "timestamp", pattern:
                return _date(pattern, moment)
            case "firehose", "error-output-type":
                return error_type
            case "firehose", "random-string":
                return uuid.uuid4().hex[:11]
            case "partitionKeyFromLambda", name if name in (keys or {}):
                return (keys or {})[name]
        raise PrefixError(f"{expression[0]} has no value")

    return _EXPRESSION.sub(value, prefix if "!{timestamp:" in prefix else prefix + DEFAULT_FOLDERS)


def _date(pattern: str, moment: datetime.datetime) -> str:
    def part(found: re.Match[str]) -> str:
        if found[1] is not None:
            return found[1] or "'"
        if found[0] not in _LETTERS:
            raise PrefixError(f"{found[0]} in a time is not known here; known: {', '.join(_LETTERS)}")
        return moment.strftime(_LETTERS[found[0]])

    return _DATE.sub(part, pattern)
