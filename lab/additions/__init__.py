"""What moto 5.2.5 lacks of AWS, one module for each gap.

Each module's docstring says what AWS does and what moto does; its `install()` patches moto's classes in this
process, and is called once, before the server answers.
"""

from __future__ import annotations

from lab.additions import (
    alarms,
    athena_named_queries,
    athena_workgroups,
    bucket_lifecycles,
    bucket_policies,
    budgets,
    deliveries,
    elastic_addresses,
    firehose,
    glue_comments,
    instance_connect,
    instances,
    lambda_configuration,
    metric_filters,
    metric_statistics,
    public_images,
    query_definitions,
    volumes,
)

_ADDITIONS = (
    alarms,
    athena_named_queries,
    athena_workgroups,
    bucket_lifecycles,
    bucket_policies,
    budgets,
    deliveries,
    elastic_addresses,
    firehose,
    glue_comments,
    instance_connect,
    instances,
    lambda_configuration,
    metric_filters,
    metric_statistics,
    public_images,
    query_definitions,
    volumes,
)


def install() -> None:
    """Add everything to the moto of this process."""
    for addition in _ADDITIONS:
        addition.install()
