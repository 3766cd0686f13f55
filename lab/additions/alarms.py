"""Alarms: composite alarms, and an alarm's state when it is made or changed.

AWS makes composite alarms with PutCompositeAlarm, with an action suppressor; a new alarm begins in
INSUFFICIENT_DATA; putting an alarm that exists changes its configuration and leaves its state.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutCompositeAlarm.html

moto takes a composite alarm as a metric alarm with a rule, forgets its suppressor, begins in OK, and sets the
state back to OK at each put.
"""

from __future__ import annotations

from typing import Any

from moto.cloudwatch.models import Alarm, CloudWatchBackend
from moto.cloudwatch.responses import CloudWatchResponse
from moto.core.responses import ActionResult

_put_metric_alarm = CloudWatchBackend.put_metric_alarm
_put_alarm_answer = CloudWatchResponse.put_metric_alarm

_STATE = ("state_value", "state_reason", "state_reason_data", "state_updated_timestamp", "history")
# Moto's serializer finds an attribute by the API's name for it, in snake case.
_SUPPRESSION = {
    "ActionsSuppressor": "actions_suppressor",
    "ActionsSuppressorWaitPeriod": "actions_suppressor_wait_period",
    "ActionsSuppressorExtensionPeriod": "actions_suppressor_extension_period",
}


def put_metric_alarm(self: CloudWatchBackend, name: str, *args: Any, **kwargs: Any) -> Alarm:
    previous = self.alarms.get(name)
    alarm = _put_metric_alarm(self, name, *args, **kwargs)
    if previous is None:
        alarm.state_value = "INSUFFICIENT_DATA"
    else:
        for attribute in _STATE:
            setattr(alarm, attribute, getattr(previous, attribute))
    return alarm


def put_composite_alarm(self: CloudWatchResponse) -> ActionResult:
    answer = _put_alarm_answer(self)
    alarm = self.cloudwatch_backend.alarms[self._get_param("AlarmName")]
    for name, attribute in _SUPPRESSION.items():
        setattr(alarm, attribute, self._get_param(name))
    return answer


def install() -> None:
    CloudWatchBackend.put_metric_alarm = put_metric_alarm
    setattr(CloudWatchResponse, put_composite_alarm.__name__, put_composite_alarm)
