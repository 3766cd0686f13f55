"""CloudWatch Logs filter patterns: which log events a metric filter or a subscription filter lets through.

`parse` reads the empty pattern, terms (`ERROR -"bad request"`), a regular expression (`%[Ee]rror%`, without
groups) and JSON patterns (`{ $.latency > 2 }`), as documented at
https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html and, for metric values,
https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntaxForMetricFilters.html. Space-delimited
patterns (`[ip, user, ...]`) are refused: agents log JSON. Where the documentation is silent, a value that does not
fit a condition never matches, and a pattern whose meaning is not documented is refused.
"""

from simulate.patterns.error import PatternError
from simulate.patterns.metric_values import metric_value
from simulate.patterns.model import Pattern
from simulate.patterns.parser import parse
from simulate.patterns.selectors import parse_selector

__all__ = ["Pattern", "PatternError", "metric_value", "parse", "parse_selector"]
