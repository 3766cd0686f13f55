"""What the machine runs at every boot: a script from `templates/host`, as cloud-init takes it. Pure."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from core.roles import CLICKHOUSE_USER
from core.templating import TEMPLATES_FOLDER, Templates
from host.plan.alarms import UNHEALTHY
from host.plan.model import HostPlan
from host.plan.policies import Names

LIMIT_BYTES = 16_384
"""Of user data, before it is encoded (https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-add-user-data.html).
"""
ATTACH_SECONDS = 300
"""How long the machine waits for its volume, which is attached once it runs."""
DATA_FOLDER = "/srv/turnscope"

DEBIAN = "trixie"
DOCKER_KEY = "9DC858229FC7DD38854AE2D88D81803C0EBFCD88"
"""Fingerprint of the key that signs Docker's repositories for Debian (https://docs.docker.com/engine/install/debian/)."""
CLOUDWATCH_KEY = "937616F3450B7D806CBD9725D58167303B789C72"
"""Fingerprint of the key that signs the CloudWatch agent (https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/
verify-CloudWatch-Agent-Package-Signature.html)."""
LOG_FILE = "/var/log/turnscope-host.log"


CREDENTIALS_FOLDER = "/run/turnscope/s3"
"""On the machine, in memory: what ClickHouse reaches its bucket with, as a credentials file of AWS' libraries
(https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html)."""
CREDENTIALS_FILE = "credentials"
CREDENTIALS_SECONDS = 3600
"""The longest that a role lasts which was taken by another role
(https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html)."""
CREDENTIALS_RENEWED_MINUTES = 15


def user_data(plan: HostPlan, volume_id: str, names: Names) -> str:
    """The user data of the instance; `volume_id` (`vol-...`) is the data volume's, `names` are the account's."""
    text = _TEMPLATES.render("host/user-data.j2", {"setup": setup_script(plan, volume_id, names)})
    assert len(text.encode()) <= LIMIT_BYTES  # noqa: S101 - a test checks it with the longest settings
    return text


def set_up_hash(plan: HostPlan) -> str:
    """Differs whenever the machine restarts for a change: of what it runs, or of its type."""
    return hashlib.sha256(f"{plan.instance_type}\0{user_data(plan, '', Names(plan, ''))}".encode()).hexdigest()[:16]


def setup_script(plan: HostPlan, volume_id: str, names: Names) -> str:
    """The script alone."""
    china = plan.region.startswith("cn-")
    context = {
        "volume_id": volume_id,
        "data_folder": DATA_FOLDER,
        "attach_seconds": ATTACH_SECONDS,
        "session_manager": plan.access == "session-manager",
        "docker_version": plan.docker_version,
        "docker_key": DOCKER_KEY,
        "cloudwatch_key": CLOUDWATCH_KEY,
        "debian": DEBIAN,
        "debian_architecture": {"arm64": "arm64", "x86_64": "amd64"}[plan.architecture],
        "user": plan.user,
        "region": plan.region,
        "domain_suffix": "amazonaws.com.cn" if china else "amazonaws.com",
        "host_key_path": plan.host_key_path,
        "metric_namespace": plan.metric_namespace,
        "unhealthy_metric": UNHEALTHY,
        "cold_role": names.cold_role if plan.cold_bucket else None,
        "credentials_file": f"{CREDENTIALS_FOLDER}/{CREDENTIALS_FILE}",
        "credentials_owner": CLICKHOUSE_USER,
        "credentials_seconds": CREDENTIALS_SECONDS,
        "credentials_renewed_minutes": CREDENTIALS_RENEWED_MINUTES,
        "agent_configuration": json.dumps(agent_configuration(plan)),
    }
    return _TEMPLATES.render("host/setup.sh.j2", context)


def agent_configuration(plan: HostPlan) -> dict[str, Any]:
    """The CloudWatch agent's (https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/
    CloudWatch-Agent-Configuration-File-Details.html). Alarms read the sums over all dimensions (`[]`)."""
    return {
        "agent": {"metrics_collection_interval": 60, "omit_hostname": True},
        "metrics": {
            "namespace": plan.metric_namespace,
            "aggregation_dimensions": [[]],
            "metrics_collected": {
                "disk": {"measurement": ["used_percent"], "resources": ["/", DATA_FOLDER], "drop_device": True},
                "mem": {"measurement": ["used_percent"]},
            },
        },
        "logs": {
            "logs_collected": {
                "files": {
                    "collect_list": [
                        {
                            "file_path": LOG_FILE,
                            "log_group_name": plan.log_group,
                            "log_stream_name": "{instance_id}",
                        }
                    ]
                }
            }
        },
    }


_TEMPLATES = Templates(TEMPLATES_FOLDER, {}, final_newline=True)
