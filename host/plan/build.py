"""From settings to the machine that SigNoz runs on."""

from __future__ import annotations

import re
from collections.abc import Iterator

from core.errors import UserError
from host.plan.alarms import plan_host_alarms
from host.plan.model import ColdBucket, DataVolume, HostPlan, Network, Rule, ScheduledAction, Snapshots
from stacks.settings.host import Architecture, HostSettings, Schedule
from stacks.settings.model import Settings
from stacks.settings.roles.gateway import GatewaySettings

SSH_PORT = 22
EVERYONE = "0.0.0.0/0"

_DEBIAN_ARCHITECTURE: dict[Architecture, str] = {"arm64": "arm64", "x86_64": "amd64"}
STACK_MAXIMUM_CHARACTERS = 29
"""A bucket's name has 63 characters, of which `turnscope-`, `-clickhouse-` and the account's id take 34."""
DEBIAN_USER = "admin"
"""Of Debian's images (https://wiki.debian.org/Cloud/AmazonEC2Image)."""


def plan_host(stack: str, settings: Settings) -> HostPlan | None:
    """What will exist for SigNoz' machine; None for a stack without one. Pure: the same settings give the same plan."""
    host = settings.host
    if host is None:
        return None
    name = f"turnscope-{stack}-host"
    volume, network = host.data_volume, host.network
    namespace = f"Turnscope/{stack}/host"
    return HostPlan(
        stack=stack,
        region=settings.region,
        name=name,
        instance_type=host.instance_type,
        architecture=host.architecture,
        image_id=host.image_id,
        image_parameter=image_parameter(host.architecture),
        user=DEBIAN_USER,
        root_volume_gib=host.root_volume_gib,
        docker_version=host.docker_version,
        network=Network(network.cidr, network.availability_zone, network.vpc_id, network.subnet_id),
        public=host.load_balancer is None,
        rules=tuple(
            _rules(
                host,
                settings.signoz.gateway if settings.signoz else GatewaySettings(),
                firehose=settings.log_delivery is not None and settings.log_delivery.url is None,
            )
        ),
        access=host.access,
        domain=host.domain,
        zone_id=host.zone_id,
        volume=DataVolume(
            name=f"{name}-data",
            size_gib=volume.size_gib,
            iops=volume.iops,
            throughput_mib_per_second=volume.throughput_mib_per_second,
            encrypt=volume.encryption,
            snapshot_id=volume.snapshot_id,
            # Whoever names a snapshot wants another volume; a kept one is not deleted for it.
            protect=settings.protect and volume.snapshot_id is None,
            keep=volume.is_kept(settings.environment),
        ),
        cold_bucket=_cold_bucket(stack, name, settings),
        snapshots=Snapshots(volume.snapshots.daily_at, volume.snapshots.keep_days) if volume.snapshots else None,
        schedule=_schedule(name, host.schedule) if host.schedule else (),
        alarms=plan_host_alarms(stack, settings, host, name, namespace),
        metric_namespace=namespace,
        log_group=f"/turnscope/{stack}/host",
        log_retention_days=host.log_retention_days,
        host_key_path=f"/turnscope/{stack}/host-keys/",
    )


def _cold_bucket(stack: str, name: str, settings: Settings) -> ColdBucket | None:
    cold = settings.signoz.clickhouse.cold_storage if settings.signoz else None
    if settings.host is None or cold is None or not cold.has_role:
        return None
    if cold.bucket is None and len(stack) > STACK_MAXIMUM_CHARACTERS:
        raise UserError(
            f"Stack {stack}: a stack that makes the bucket of signoz.clickhouse.cold_storage has a name of at most "
            f"{STACK_MAXIMUM_CHARACTERS} characters, this one {len(stack)}: it is part of the bucket's name."
        )
    # No two of a stack's buckets may have the same name: those of the analytics end differently.
    prefix = re.sub("[^a-z0-9]", "-", f"turnscope-{stack}".lower())
    return ColdBucket(
        name_prefix=f"{prefix}-clickhouse",
        existing=cold.bucket,
        region=cold.region or settings.region,
        prefix=cold.prefix,
        role=f"{name}-cold",
        protect=settings.protect,
        keep=settings.host.data_volume.is_kept(settings.environment),
    )


def image_parameter(architecture: Architecture) -> str:
    """AWS' public parameter with the newest image of Debian 13 (https://wiki.debian.org/Cloud/AmazonEC2Image/Trixie)."""
    return f"/aws/service/debian/release/13/latest/{_DEBIAN_ARCHITECTURE[architecture]}"


def _rules(host: HostSettings, gateway: GatewaySettings, *, firehose: bool) -> Iterator[Rule]:
    ui = [("ui", "SigNoz UI and API", gateway.ui_port)]
    otlp = [
        ("otlp-grpc", "OTLP over gRPC", gateway.otlp_grpc_port),
        ("otlp-http", "OTLP over HTTP", gateway.otlp_http_port),
    ]
    if host.load_balancer:
        for key, description, port in (*ui, *otlp):
            yield Rule(key, description, port, security_group_id=host.load_balancer.security_group_id)
        return
    assert host.allowed_networks  # noqa: S101 - the settings require it without a load balancer
    for network in host.allowed_networks.ui:
        yield from (_from_network(*each, network) for each in ui)
    if firehose and EVERYONE not in host.allowed_networks.ui:
        # AWS publishes addresses of Firehose for Redshift and Splunk; to an HTTP endpoint it sends from any of AWS'
        # (https://docs.aws.amazon.com/firehose/latest/dev/controlling-access.html, "HTTP end point"), which are more
        # than a security group holds. The gateway keeps everything but Firehose's path to its `ui_networks`.
        yield _from_network("firehose", "Amazon Data Firehose and its path on the gateway", gateway.ui_port, EVERYONE)
    for network in host.allowed_networks.otlp:
        yield from (_from_network(*each, network) for each in otlp)
    if gateway.plain_http_port and gateway.acme and gateway.acme.challenge == "http":
        # The CA asks from addresses that it does not publish (https://letsencrypt.org/docs/faq/).
        yield _from_network("acme", "ACME HTTP challenge and redirect to HTTPS", gateway.plain_http_port, EVERYONE)
    for network in host.ssh.allowed_networks if host.ssh else ():
        yield _from_network("ssh", "ssh of the deploying machines", SSH_PORT, network)


def _from_network(key: str, description: str, port: int, network: str) -> Rule:
    """The network is in the rule's key: one more changes no other rule."""
    return Rule(f"{key}-{network.replace('/', '-').replace(':', '-').strip('-')}", description, port, network=network)


def _schedule(name: str, schedule: Schedule) -> tuple[ScheduledAction, ...]:
    """Cron expressions of EventBridge Scheduler: minutes, hours, day of month, month, day of week, year
    (https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html)."""

    def cron(time: str, *, weekdays: bool) -> str:
        hour, minute = (int(part) for part in time.split(":"))
        return f"cron({minute} {hour} ? * {'MON-FRI' if weekdays else '*'} *)"

    return (
        ScheduledAction("stop", f"{name}-stop", cron(schedule.stop_at, weekdays=False), schedule.timezone),
        ScheduledAction(
            "start", f"{name}-start", cron(schedule.start_at, weekdays=schedule.weekdays_only), schedule.timezone
        ),
    )
