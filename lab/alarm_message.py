"""The message that an alarm sends to a topic, in CloudWatch's own shape.

Receivers (a chat formatter, a paging service) are written for it, so a local stack must send the same. The shape
is the one of
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Notify_Users_Alarm_Changes.html
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping, Sequence
from typing import Any

_SAME_IN_BOTH = ("AlarmName", "AlarmDescription", "AlarmArn", "OKActions", "AlarmActions", "InsufficientDataActions")
_OPTIONAL_IN_QUERY = ("Expression", "Label", "ReturnData")


def subject(name: str, state: str, region: str) -> str:
    """SNS refuses subjects over 100 characters."""
    return f'{state}: "{name}" in {region}'[:100]


def message(description: Mapping[str, Any], state: str, reason: str, at_ms: int, triggering: Sequence[str] = ()) -> str:
    """JSON for an alarm's change to `state`, from its entry in DescribeAlarms as it was before.

    `triggering` are the ARNs of the alarms that set off a composite alarm.
    """
    _, _, _, region, account, *_ = description["AlarmArn"].split(":")
    body: dict[str, Any] = {name: description.get(name) for name in _SAME_IN_BOTH}
    body |= {
        "AWSAccountId": account,
        "Region": region,
        "OldStateValue": description["StateValue"],
        "NewStateValue": state,
        "NewStateReason": reason,
        "StateChangeTime": _time(at_ms),
    }
    if "AlarmRule" in description:
        body["AlarmRule"] = description["AlarmRule"]
        body["TriggeringChildren"] = [
            {"Arn": arn, "State": {"Value": "ALARM", "Timestamp": _time(at_ms)}} for arn in triggering
        ]
    else:
        body["Trigger"] = _trigger(description)
    return json.dumps(body)


def _trigger(description: Mapping[str, Any]) -> dict[str, Any]:
    trigger: dict[str, Any] = {
        "EvaluationPeriods": description["EvaluationPeriods"],
        "DatapointsToAlarm": description.get("DatapointsToAlarm"),
        "ComparisonOperator": description["ComparisonOperator"],
        "TreatMissingData": description.get("TreatMissingData", "missing"),
        "EvaluateLowSampleCountPercentile": description.get("EvaluateLowSampleCountPercentile", ""),
    }
    if "Threshold" in description:
        trigger["Threshold"] = description["Threshold"]
    if description.get("Metrics"):
        trigger["Metrics"] = [_query(query) for query in description["Metrics"]]
        if "ThresholdMetricId" in description:
            trigger["ThresholdMetricId"] = description["ThresholdMetricId"]
        return trigger
    trigger |= {
        "MetricName": description["MetricName"],
        "Namespace": description["Namespace"],
        "Dimensions": _dimensions(description.get("Dimensions", ())),
        "Period": description["Period"],
        "Unit": description.get("Unit"),
    }
    if "ExtendedStatistic" in description:
        return trigger | {
            "StatisticType": "ExtendedStatistic",
            "ExtendedStatistic": description["ExtendedStatistic"],
        }
    return trigger | {"StatisticType": "Statistic", "Statistic": description["Statistic"].upper()}


def _query(query: Mapping[str, Any]) -> dict[str, Any]:
    result = {"Id": query["Id"], **{name: query[name] for name in _OPTIONAL_IN_QUERY if name in query}}
    stat = query.get("MetricStat")
    if stat:
        metric = stat["Metric"]
        result["MetricStat"] = {
            "Metric": {
                "Namespace": metric["Namespace"],
                "MetricName": metric["MetricName"],
                "Dimensions": _dimensions(metric.get("Dimensions", ())),
            },
            "Period": stat["Period"],
            "Stat": stat["Stat"],
        }
    return result


def _dimensions(dimensions: Sequence[Mapping[str, str]]) -> list[dict[str, str]]:
    return [{"name": each["Name"], "value": each["Value"]} for each in dimensions]


def _time(at_ms: int) -> str:
    at = datetime.datetime.fromtimestamp(at_ms / 1000, datetime.UTC)
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at_ms % 1000:03d}+0000"
