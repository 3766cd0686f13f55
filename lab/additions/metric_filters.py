"""Metric filters: one per name in a log group.

AWS replaces the filter of the same name in the same group (PutMetricFilter "creates or updates"), notes when it
was made, and forgets a group's filters with the group.
https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutMetricFilter.html

moto adds another filter of that name beside the first, so that a change is never seen, and keeps filters of
deleted groups.
"""

from __future__ import annotations

import threading
import time
from typing import Any

from moto.logs.metric_filters import MetricFilters
from moto.logs.models import LogsBackend

# Requests are served side by side, and every agent's filters come at once.
_changing = threading.Lock()
_add_filter = MetricFilters.add_filter
_delete_filter = MetricFilters.delete_filter
_delete_log_group = LogsBackend.delete_log_group


def add_filter(
    self: MetricFilters, filter_name: str, filter_pattern: str, log_group_name: str, metric_transformations: str
) -> None:
    with _changing:
        kept = [
            each
            for each in self.metric_filters
            if (each["filterName"], each["logGroupName"]) != (filter_name, log_group_name)
        ]
        added = MetricFilters()
        _add_filter(added, filter_name, filter_pattern, log_group_name, metric_transformations)
        added.metric_filters[-1]["creationTime"] = int(time.time() * 1000)
        # At once: who reads meanwhile sees all of the others.
        self.metric_filters = kept + added.metric_filters


def delete_filter(
    self: MetricFilters, filter_name: str | None = None, log_group_name: str | None = None
) -> list[dict[str, Any]]:
    with _changing:
        return _delete_filter(self, filter_name, log_group_name)


def delete_log_group(self: LogsBackend, log_group_name: str) -> None:
    _delete_log_group(self, log_group_name)
    with _changing:
        self.filters.metric_filters = [
            each for each in self.filters.metric_filters if each["logGroupName"] != log_group_name
        ]


def install() -> None:
    MetricFilters.add_filter = add_filter
    MetricFilters.delete_filter = delete_filter
    LogsBackend.delete_log_group = delete_log_group
