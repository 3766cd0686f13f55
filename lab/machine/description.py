"""What an instance's metadata service says of it, read from moto's stores.

Categories: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-instance-metadata.html
Identity document: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instance-identity-documents.html
"""

from __future__ import annotations

import base64
import datetime
import json
from collections.abc import Callable
from typing import Any

from moto.ec2.models.instances import Instance
from moto.sts.models import sts_backends
from moto.utilities.utils import get_partition

from lab.machine.metadata import Options, Tree

CREDENTIAL_SECONDS = 6 * 3600
RENEWED_BEFORE_SECONDS = 3600
USERS = {"debian": "admin", "ubuntu": "ubuntu"}
"""The user that an AMI has, by how its name begins.
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/managing-users.html"""
DEFAULT_USER = "ec2-user"
TIME = "%Y-%m-%dT%H:%M:%SZ"


def user(image_name: str | None) -> str:
    """The user who signs in to instances of an image."""
    return USERS.get((image_name or "").partition("-")[0].lower(), DEFAULT_USER)


class Description:
    """`describe` is the second half of `Metadata`; `active_keys` returns the keys pushed for this instance, by user."""

    def __init__(self, instance: Instance, active_keys: Callable[[], dict[str, str]]) -> None:
        self._instance = instance
        self._active_keys = active_keys
        self._credentials: dict[str, Any] = {}

    @property
    def user(self) -> str:
        images = self._instance.ec2_backend.describe_images(filters={"image-id": self._instance.image_id})
        return user(images[0].name if images else None)

    def describe(self) -> tuple[Options, Tree]:
        given = self._instance.metadata_options
        options = Options(
            given.http_endpoint != "disabled", given.http_tokens == "required", given.http_put_response_hop_limit or 1
        )
        identity = {"document": json.dumps(self._identity(), indent=2)}
        tree: dict[str, str | bytes | Tree] = {
            "meta-data": self._categories(),
            "dynamic": {"instance-identity": identity},
        }
        if self._instance.user_data is not None:
            tree["user-data"] = base64.b64decode(self._instance.user_data.as_bytes())
        return options, tree

    def _categories(self) -> Tree:
        instance = self._instance
        nic = instance.nics[0]
        mac = {
            "device-number": "0",
            "interface-id": nic.id,
            "local-hostname": instance.private_dns_name,
            "local-ipv4s": nic.private_ip_address or "",
            "mac": nic.mac_address,
            "owner-id": instance.owner_id,
            "subnet-id": instance.subnet_id or "",
            "vpc-id": instance.vpc_id or "",
        }
        categories: dict[str, str | bytes | Tree] = {
            "ami-id": instance.image_id,
            "ami-launch-index": str(instance.ami_launch_index),
            "hostname": instance.private_dns_name,
            "instance-action": "none",
            "instance-id": instance.id,
            "instance-life-cycle": instance.lifecycle or "on-demand",
            "instance-type": instance.instance_type,
            "local-hostname": instance.private_dns_name,
            "local-ipv4": instance.private_ip or "",
            "mac": nic.mac_address,
            "network": {"interfaces": {"macs": {nic.mac_address: mac}}},
            "placement": {"availability-zone": instance.availability_zone or "", "region": instance.region_name},
            "reservation-id": self._reservation_id(),
            "security-groups": "\n".join(sorted(group.name for group in instance.security_groups)),
            "services": {"domain": "amazonaws.com", "partition": get_partition(instance.region_name)},
        }
        if instance.public_ip:
            categories |= {"public-ipv4": instance.public_ip, "public-hostname": instance.public_dns_name or ""}
        if key := self._key_pair():
            categories["public-keys"] = {f"0={instance.key_name}": {"openssh-key": key}}
        if profile := self._profile():
            categories["iam"] = self._iam(profile)
        if keys := self._active_keys():
            categories["managed-ssh-keys"] = {"active-keys": keys}
        if instance.metadata_options.instance_metadata_tags == "enabled":
            categories["tags"] = {"instance": {tag["key"]: tag["value"] for tag in instance.get_tags()}}
        return categories

    def _identity(self) -> dict[str, Any]:
        instance = self._instance
        return {
            "accountId": instance.owner_id,
            "architecture": instance.architecture,
            "availabilityZone": instance.availability_zone,
            "billingProducts": None,
            "devpayProductCodes": None,
            "imageId": instance.image_id,
            "instanceId": instance.id,
            "instanceType": instance.instance_type,
            "kernelId": None,
            "marketplaceProductCodes": None,
            "pendingTime": instance.launch_time.strftime(TIME),
            "privateIp": instance.private_ip,
            "ramdiskId": None,
            "region": instance.region_name,
            "version": "2017-09-30",
        }

    def _reservation_id(self) -> str:
        reservations = self._instance.ec2_backend.reservations.values()
        return next((each.id for each in reservations if self._instance in each.instances), "")

    def _key_pair(self) -> str:
        pair = self._instance.ec2_backend.key_pairs.get(self._instance.key_name)
        return pair.material_public.decode() if pair else ""

    def _profile(self) -> Any | None:
        association = self._instance.ec2_backend.iam_instance_profile_associations.get(self._instance.id)
        return association and association.iam_instance_profile

    def _iam(self, profile: Any) -> Tree:
        now = datetime.datetime.now(datetime.UTC).strftime(TIME)
        info = {
            "Code": "Success",
            "LastUpdated": now,
            "InstanceProfileArn": profile.arn,
            "InstanceProfileId": profile.id,
        }
        roles = {role.name: json.dumps(self._credentials_of(role.arn), indent=2) for role in profile.roles}
        return {"info": json.dumps(info, indent=2), "security-credentials": roles}

    def _credentials_of(self, role_arn: str) -> dict[str, str]:
        """Those of a session of the role that is named after the instance, as on AWS."""
        now = datetime.datetime.now(datetime.UTC)
        known = self._credentials.get(role_arn)
        if known is None or known[0] < now:
            instance = self._instance
            backend = sts_backends[instance.owner_id][get_partition(instance.region_name)]
            role = backend.assume_role(instance.region_name, instance.id, role_arn, "", CREDENTIAL_SECONDS, "")
            answer = {
                "Code": "Success",
                "LastUpdated": now.strftime(TIME),
                "Type": "AWS-HMAC",
                "AccessKeyId": role.access_key_id,
                "SecretAccessKey": role.secret_access_key,
                "Token": role.session_token,
                "Expiration": role.expiration.strftime(TIME),
            }
            renewed = now + datetime.timedelta(seconds=CREDENTIAL_SECONDS - RENEWED_BEFORE_SECONDS)
            known = self._credentials[role_arn] = (renewed, answer)
        return known[1]
