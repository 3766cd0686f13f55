"""The Glue database, and a table for each event."""

from __future__ import annotations

import pulumi
import pulumi_aws as aws

from analytics.plan.model import AnalyticsPlan, EventTable
from analytics.plan.schema import refused_table_changes
from core.component import Component

# Hive's names of the format; the reader is Athena's own.
PARQUET_INPUT = "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat"
PARQUET_OUTPUT = "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat"
PARQUET_SERDE = "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"
PARTITION_KEYS = {"agent_name": "Agent", "datehour": "Hour of arrival, UTC"}


class Catalogue(Component):
    """A Glue database, and in it an external table for each event, over the Parquet files in the bucket.

    Partitions are projected from the hour of arrival (UTC), so none is ever added. An update that would lose data (a
    column removed or retyped, another partitioning) fails with a `ValueError` before it is made, also in a preview.
    Deletion removes database and tables; the files stay the bucket's.
    """

    database: pulumi.Output[str]
    """Its name."""
    tables: dict[str, aws.glue.CatalogTable]
    """By event."""

    def __init__(
        self,
        name: str,
        plan: AnalyticsPlan,
        *,
        bucket_name: pulumi.Input[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(name, opts)
        database = aws.glue.CatalogDatabase(
            f"{name}-database",
            name=plan.database,
            description=f"Events of Turnscope, stack {plan.stack}",
            opts=self.child(),
        )
        self.database = database.name
        # Asked by the engine, also in a preview and also where `pulumi up` is called by hand.
        only_grow = pulumi.ResourceHook(
            f"{name}-only-grow", _refuse_loss, opts=pulumi.ResourceHookOptions(on_dry_run=True)
        )
        self.tables = {
            table.event: self._table(name, table, database, pulumi.Output.from_input(bucket_name), only_grow)
            for table in plan.tables
        }
        self.register_outputs({"database": self.database})

    def _table(
        self,
        name: str,
        table: EventTable,
        database: aws.glue.CatalogDatabase,
        bucket_name: pulumi.Output[str],
        only_grow: pulumi.ResourceHook,
    ) -> aws.glue.CatalogTable:
        return aws.glue.CatalogTable(
            f"{name}-{table.event}",
            name=table.event,
            database_name=database.name,
            table_type="EXTERNAL_TABLE",
            parameters=bucket_name.apply(lambda bucket: parameters(table, bucket)),
            # Each with a comment: the provider sends an empty one otherwise, reads none, and sees a change.
            partition_keys=[
                {"name": key, "type": "string", "comment": PARTITION_KEYS[key]} for key in table.partition_keys
            ],
            storage_descriptor={
                "location": bucket_name.apply(lambda bucket: f"s3://{bucket}/{table.prefix}"),
                "input_format": PARQUET_INPUT,
                "output_format": PARQUET_OUTPUT,
                "ser_de_info": {"serialization_library": PARQUET_SERDE, "parameters": {"serialization.format": "1"}},
                "columns": [
                    {"name": column.name, "type": column.type, "comment": column.meaning} for column in table.columns
                ],
            },
            opts=self.child(pulumi.ResourceOptions(hooks=pulumi.ResourceHookBinding(before_update=[only_grow]))),
        )


def parameters(table: EventTable, bucket_name: str) -> dict[str, str]:
    """Partition projection (docs.aws.amazon.com/athena/latest/ug/partition-projection-supported-types.html)."""
    by_agent = {"projection.agent_name.type": "enum", "projection.agent_name.values": ",".join(table.by_agent)}
    return {
        "EXTERNAL": "TRUE",
        "classification": "parquet",
        "projection.enabled": "true",
        "projection.datehour.type": "date",
        "projection.datehour.format": "yyyy/MM/dd/HH",
        "projection.datehour.range": f"{table.first_hour},NOW",
        "projection.datehour.interval": "1",
        "projection.datehour.interval.unit": "HOURS",
        **(by_agent if table.by_agent else {}),
        "storage.location.template": f"s3://{bucket_name}/{table.location_template}",
    }


def _refuse_loss(args: pulumi.ResourceHookArgs) -> None:
    problems = refused_table_changes(args.old_inputs or {}, args.new_inputs or {})
    if problems:
        raise ValueError(f"the table {args.name} cannot change in this way: {'; '.join(problems)}")
