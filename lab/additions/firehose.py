"""Firehose, and what CloudWatch Logs sends to it.

AWS delivers records through a stream's processors and conversion, buffered; and of a log group's events a
subscription filter sends those that match its pattern.
https://docs.aws.amazon.com/firehose/latest/dev/what-is-this-service.html
https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/SubscriptionFilters.html

moto writes raw records to the bucket at once, and sends every event whatever the pattern. Of a log group that has the
two filters that it may have, it refuses to change one (PutSubscriptionFilter "creates or updates" the one of its name).
"""

from __future__ import annotations

import logging
import uuid
from typing import Any

from moto.firehose.exceptions import ResourceNotFoundException
from moto.firehose.models import FirehoseBackend
from moto.logs.models import LogGroup, logs_backends

from lab.firehose import emulated, subscriptions
from simulate.patterns import PatternError

log = logging.getLogger("lab")

_put_record_batch = FirehoseBackend.put_record_batch
_put_subscription_filter = LogGroup.put_subscription_filter


def put_record_batch(self: FirehoseBackend, delivery_stream_name: str, records: list[dict[str, Any]]) -> dict[str, Any]:
    stream = self.delivery_streams.get(delivery_stream_name)
    if stream is None:
        raise ResourceNotFoundException(f"Firehose {delivery_stream_name} under account {self.account_id} not found.")
    if not {"ExtendedS3", "HttpEndpoint"} & stream.destinations[0].keys():
        return _put_record_batch(self, delivery_stream_name, records)
    emulated.stream(stream.delivery_stream_arn).put([record["Data"] for record in records])
    responses = [{"RecordId": uuid.uuid4().hex} for _ in records]
    return {"FailedPutCount": 0, "Encrypted": False, "RequestResponses": responses}


def send_log_event(
    self: FirehoseBackend,
    delivery_stream_arn: str,
    filter_name: str,
    log_group_name: str,
    log_stream_name: str,
    log_events: list[dict[str, Any]],
) -> None:
    group = logs_backends[self.account_id][self.region_name].groups[log_group_name]
    try:
        found = subscriptions.matching(group.subscription_filters[filter_name].filter_pattern, log_events)
    except PatternError as error:
        log.warning("lab: subscription filter %s sends no events: %s", filter_name, error)
        return
    if found and self.lookup_name_from_arn(delivery_stream_arn) is not None:
        batches = subscriptions.records(self.account_id, filter_name, log_group_name, log_stream_name, found)
        emulated.stream(delivery_stream_arn).put(list(batches))


def put_subscription_filter(
    self: LogGroup, filter_name: str, filter_pattern: str, destination_arn: str, role_arn: str
) -> None:
    known = self.subscription_filters.get(filter_name)
    if known is None:
        _put_subscription_filter(self, filter_name, filter_pattern, destination_arn, role_arn)
    else:
        known.update(filter_pattern, destination_arn, role_arn)


def install() -> None:
    LogGroup.put_subscription_filter = put_subscription_filter
    FirehoseBackend.put_record_batch = put_record_batch
    FirehoseBackend.send_log_event = send_log_event
