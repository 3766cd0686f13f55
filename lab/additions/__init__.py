"""What moto 5.2.5 lacks of AWS, one module for each gap.

Each module's docstring says what AWS does and what moto does; its `install()` patches moto's classes in this
process, and is called once, before the server answers. Those of EC2 are installed when it is first asked: moto's EC2
takes longer to load than all others together.
"""

from __future__ import annotations

from importlib import import_module

from lab.additions import (
    alarms,
    athena_named_queries,
    athena_workgroups,
    bucket_lifecycles,
    bucket_policies,
    budgets,
    deliveries,
    firehose,
    glue_comments,
    lambda_configuration,
    lifecycle_policies,
    metric_filters,
    metric_statistics,
    query_definitions,
)

_ADDITIONS = (
    alarms,
    athena_named_queries,
    athena_workgroups,
    bucket_lifecycles,
    bucket_policies,
    budgets,
    deliveries,
    firehose,
    glue_comments,
    lambda_configuration,
    lifecycle_policies,
    metric_filters,
    metric_statistics,
    query_definitions,
)

_OF_EC2 = ("elastic_addresses", "instance_connect", "instances", "public_images", "snapshots", "volumes")
NEED_EC2 = frozenset({"ec2", "ec2instanceconnect", "ssm"})
"""moto's names of the services that `install_ec2` is for."""


def install() -> None:
    """Add everything to the moto of this process."""
    for addition in _ADDITIONS:
        addition.install()


def install_ec2() -> None:
    """Add what is for EC2."""
    for name in _OF_EC2:
        import_module(f"lab.additions.{name}").install()
