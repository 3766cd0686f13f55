"""Metric filters: one per name in a log group.

AWS replaces the filter of the same name in the same group (PutMetricFilter "creates or updates"), notes when it
was made, and forgets a group's filters with the group.
https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutMetricFilter.html

moto adds another filter of that name beside the first, so that a change is never seen, and keeps filters of
deleted groups.
"""

from __future__ import annotations

import time

from moto.logs.metric_filters import MetricFilters
from moto.logs.models import LogsBackend

_add_filter = MetricFilters.add_filter
_delete_log_group = LogsBackend.delete_log_group


def add_filter(
    self: MetricFilters, filter_name: str, filter_pattern: str, log_group_name: str, metric_transformations: str
) -> None:
    self.metric_filters = [
        each
        for each in self.metric_filters
        if (each["filterName"], each["logGroupName"]) != (filter_name, log_group_name)
    ]
    _add_filter(self, filter_name, filter_pattern, log_group_name, metric_transformations)
    self.metric_filters[-1]["creationTime"] = int(time.time() * 1000)


def delete_log_group(self: LogsBackend, log_group_name: str) -> None:
    _delete_log_group(self, log_group_name)
    self.filters.metric_filters = [
        each for each in self.filters.metric_filters if each["logGroupName"] != log_group_name
    ]


def install() -> None:
    MetricFilters.add_filter = add_filter
    LogsBackend.delete_log_group = delete_log_group
