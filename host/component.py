"""Everything of a stack's machine for SigNoz."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pulumi
import pulumi_aws as aws

from cloudwatch.alarms import Alarms
from cloudwatch.plan.model import Severity
from cloudwatch.private_bucket import kept_bucket
from core.component import Component
from host.cold_bucket import ColdStorage
from host.data_volume import DataVolume
from host.firewall import Firewall
from host.identity import MachineIdentity
from host.kept import kept_volume
from host.machine import Machine
from host.network import MachineNetwork
from host.plan.alarms import INSTANCE_ID
from host.plan.model import HostPlan
from host.plan.policies import Names
from host.plan.user_data import set_up_hash
from host.ready import DockerReady
from host.schedule import MachineSchedule


class Host(Component):
    """A machine in AWS: network, security group, role, data volume with snapshots, S3 bucket of ClickHouse's old data,
    instance with its address, schedule, log group of its set-up, and alarms, which notify `topics` (severity -> ARN of
    an SNS topic).

    Raises `KeyError` for a severity without a topic. Deletion is each part's; the data volume, its key and the bucket
    are what may be kept or protected (`DataVolume`, `ColdStorage`).
    """

    instance_id: pulumi.Output[str]
    api_address: pulumi.Input[str]
    """Where SigNoz' API answers: the machine's public address, or the load balancer's domain."""
    exports: Mapping[str, Any]
    docker: pulumi.Output[str]
    """Docker's address, once Docker answers."""

    def __init__(
        self,
        name: str,
        plan: HostPlan,
        *,
        account_id: pulumi.Input[str],
        topics: Mapping[Severity, pulumi.Input[str]],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(name, opts)
        inside = self.child()
        names = pulumi.Output.from_input(account_id).apply(lambda known: Names(plan, known))
        kept, cold = kept_volume(plan, opts.provider if opts else None), plan.cold_bucket
        network = MachineNetwork(
            f"{name}-network",
            plan.network,
            label=plan.name,
            availability_zone=kept.availability_zone if kept else plan.network.availability_zone,
            s3_of=plan.region if cold and cold.existing is None else None,
            opts=inside,
        )
        firewall = Firewall(f"{name}-firewall", plan.rules, label=plan.name, vpc_id=network.vpc_id, opts=inside)
        identity = MachineIdentity(f"{name}-identity", plan, names=names, opts=inside)
        logs = aws.cloudwatch.LogGroup(
            f"{name}-logs", name=plan.log_group, retention_in_days=plan.log_retention_days, opts=inside
        )
        volume = DataVolume(
            f"{name}-data",
            plan,
            names=names,
            availability_zone=network.availability_zone,
            kept=kept,
            opts=inside,
        )
        storage = self._cold_storage(name, plan, names, identity, volume, opts.provider if opts else None)
        machine = Machine(
            f"{name}-machine",
            plan,
            subnet_id=network.subnet_id,
            security_group_id=firewall.id,
            profile=identity.profile,
            volume_id=volume.volume_id,
            names=names,
            after=[*network.made, identity.allowed, logs, *storage],
            opts=inside,
        )
        if plan.schedule:
            MachineSchedule(f"{name}-schedule", plan, names=names, instance_id=machine.instance_id, opts=inside)
        Alarms(
            f"{name}-alarm",
            plan.alarms,
            (),
            topics=topics,
            dimensions={INSTANCE_ID: machine.instance_id},
            recover_action=names.apply(lambda known: f"arn:{known.partition}:automate:{plan.region}:ec2:recover"),
            opts=inside,
        )
        self.instance_id = machine.instance_id
        self.api_address = machine.address if plan.public else plan.domain
        self.exports = {"host": {"instance": machine.instance_id, "address": machine.address}}
        ready = DockerReady(
            f"{name}-docker-ready",
            {
                "stack": plan.stack,
                "instance": machine.instance_id,
                "attachment": machine.attachment.id,
                "set_up": set_up_hash(plan),
            },
            # The machine reports, and is reached, by its role.
            self.child(pulumi.ResourceOptions(depends_on=[*machine.made, identity.allowed])),
        )
        self.docker = ready.address
        self.register_outputs({"instance_id": self.instance_id})

    def _cold_storage(
        self,
        name: str,
        plan: HostPlan,
        names: pulumi.Output[Names],
        identity: MachineIdentity,
        volume: DataVolume,
        provider: pulumi.ProviderResource | None,
    ) -> list[pulumi.Resource]:
        """What ClickHouse's cold storage needs; nothing where the plan has none."""
        cold = plan.cold_bucket
        if cold is None:
            return []
        keep = cold.keep and cold.existing is None
        return ColdStorage(
            f"{name}-cold",
            cold,
            names=names,
            machine_role_arn=identity.role_arn,
            key_arn=volume.key_arn,
            existing=kept_bucket(cold.name, keep=keep, provider=provider),
            opts=self.child(),
        ).made


def make_host(
    plan: HostPlan | None,
    account_id: pulumi.Input[str],
    topics: Mapping[Severity, pulumi.Input[str]],
    *,
    opts: pulumi.ResourceOptions,
) -> Host | None:
    """The machine of a plan; None without one."""
    if plan is None:
        return None
    return Host("host", plan, account_id=account_id, topics=topics, opts=opts)
