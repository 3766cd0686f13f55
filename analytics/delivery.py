"""Firehose streams: from the log groups, through the record validation, into Parquet in the bucket."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pulumi
import pulumi_aws as aws

from analytics.catalogue import Catalogue
from analytics.plan.model import AnalyticsPlan, DeliveryStream, EventTable
from analytics.resolved import Known
from analytics.role import AnalyticsRole
from core.component import Component

PARTITION_RETRY_SECONDS = 300


class Delivery(Component):
    """A Firehose stream for each event, their log group of errors, and the subscription filters of the agents' log
    groups that feed them.

    A stream buffers by the plan's seconds or MiB, whichever comes first, calls the record validation and writes
    Parquet. `roles` has `delivery` and `subscription`; `log_groups` maps a planned name to the log group that exists;
    `ready` is what must be there before the first record is written. Raises `KeyError` for a log group that is missing.
    Deletion, and a change that replaces a stream, may lose what it has buffered; delivered files stay.
    """

    def __init__(
        self,
        name: str,
        plan: AnalyticsPlan,
        *,
        known: Known,
        roles: Mapping[str, AnalyticsRole],
        bucket_arn: pulumi.Input[str],
        catalogue: Catalogue,
        log_groups: Mapping[str, pulumi.Input[str]],
        ready: Sequence[pulumi.Resource],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(name, opts)
        self._role, self._bucket_arn, self._catalogue = roles["delivery"], bucket_arn, catalogue
        errors = aws.cloudwatch.LogGroup(
            f"{name}-errors",
            name=plan.error_log_group,
            retention_in_days=plan.error_log_retention_days,
            opts=self.child(),
        )
        check_arn = known.names.apply(lambda names: names.check)
        streams = {
            stream.key: self._stream(name, stream, plan.table(stream.event), known, check_arn, errors, ready)
            for stream in plan.streams
        }
        subscription = roles["subscription"]
        for each in plan.subscriptions:
            aws.cloudwatch.LogSubscriptionFilter(
                f"{name}-{each.key}",
                name=each.name,
                log_group=log_groups[each.log_group_name],
                filter_pattern=each.pattern,
                destination_arn=streams[each.stream_key].arn,
                role_arn=subscription.arn,
                # CloudWatch Logs tries the role at once.
                opts=self.child(pulumi.ResourceOptions(depends_on=[subscription.allowed])),
            )
        self.register_outputs({})

    def _stream(
        self,
        name: str,
        stream: DeliveryStream,
        table: EventTable,
        known: Known,
        check_arn: pulumi.Input[str],
        errors: aws.cloudwatch.LogGroup,
        ready: Sequence[pulumi.Resource],
    ) -> aws.kinesis.FirehoseDeliveryStream:
        log_stream = aws.cloudwatch.LogStream(
            f"{name}-{stream.key}-errors", name=stream.event, log_group_name=errors.name, opts=self.child()
        )
        destination: aws.kinesis.FirehoseDeliveryStreamExtendedS3ConfigurationArgsDict = {
            "role_arn": self._role.arn,
            "bucket_arn": self._bucket_arn,
            "prefix": stream.prefix,
            "error_output_prefix": stream.error_prefix,
            "buffering_interval": stream.buffer_seconds,
            "buffering_size": stream.buffer_mib,
            "custom_time_zone": "UTC",
            # Parquet is compressed inside.
            "compression_format": "UNCOMPRESSED",
            "cloudwatch_logging_options": {
                "enabled": True,
                "log_group_name": errors.name,
                "log_stream_name": log_stream.name,
            },
            "processing_configuration": {"enabled": True, "processors": processors(check_arn)},
            "data_format_conversion_configuration": self._conversion(table),
        }
        if known.key_arn is not None:
            destination["kms_key_arn"] = known.key_arn
        if stream.by_agent:
            destination["dynamic_partitioning_configuration"] = {
                "enabled": True,
                "retry_duration": PARTITION_RETRY_SECONDS,
            }
        return aws.kinesis.FirehoseDeliveryStream(
            f"{name}-{stream.key}",
            name=stream.name,
            destination="extended_s3",
            server_side_encryption={"enabled": True, "key_type": "AWS_OWNED_CMK"},
            extended_s3_configuration=destination,
            # Its name is taken until it is gone.
            opts=self.child(
                pulumi.ResourceOptions(depends_on=[self._role.allowed, *ready], delete_before_replace=True)
            ),
        )

    def _conversion(
        self, table: EventTable
    ) -> aws.kinesis.FirehoseDeliveryStreamExtendedS3ConfigurationDataFormatConversionConfigurationArgsDict:
        glue = self._catalogue.tables[table.event]
        # The deserializer knows keys in lower case only, and takes a column's name for its key.
        renamed = {column.name: column.json_key for column in table.columns if column.name != column.json_key}
        return {
            "enabled": True,
            "input_format_configuration": {
                "deserializer": {"open_x_json_ser_de": {"column_to_json_key_mappings": renamed}}
            },
            "output_format_configuration": {"serializer": {"parquet_ser_de": {"compression": "SNAPPY"}}},
            "schema_configuration": {
                "database_name": glue.database_name,
                "table_name": glue.name,
                "role_arn": self._role.arn,
            },
        }


def processors(
    check_arn: pulumi.Input[str],
) -> list[aws.kinesis.FirehoseDeliveryStreamExtendedS3ConfigurationProcessingConfigurationProcessorArgsDict]:
    """In order: unpack CloudWatch Logs' batches, take the lines out, check them, end each with a newline."""
    return [
        {
            "type": "Decompression",
            "parameters": [{"parameter_name": "CompressionFormat", "parameter_value": "GZIP"}],
        },
        {
            "type": "CloudWatchLogProcessing",
            "parameters": [{"parameter_name": "DataMessageExtraction", "parameter_value": "true"}],
        },
        {"type": "Lambda", "parameters": [{"parameter_name": "LambdaArn", "parameter_value": check_arn}]},
        {"type": "AppendDelimiterToRecord"},
    ]
