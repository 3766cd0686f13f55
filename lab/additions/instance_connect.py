"""EC2 Instance Connect: keys that are pushed to an instance.

AWS has an instance's metadata service return the key for a user during 60 seconds, and refuses instances that do not
run.
https://docs.aws.amazon.com/ec2-instance-connect/latest/APIReference/API_SendSSHPublicKey.html

moto answers that it did.
"""

from __future__ import annotations

import json
import re
import uuid
from typing import Any

from moto.core.exceptions import JsonRESTError
from moto.ec2.models import ec2_backends
from moto.ec2instanceconnect.responses import Ec2InstanceConnectResponse

from lab.machine import emulated
from lab.machine.active_keys import PushedKey

USER = re.compile(r"[A-Za-z_][A-Za-z0-9\-._]{0,30}[A-Za-z0-9$\-_]?")
KEY = re.compile(r"(ssh-rsa|ssh-ed25519|ecdsa-sha2-nistp\d+) [A-Za-z0-9+/=]+( .*)?")

_send_ssh_public_key = Ec2InstanceConnectResponse.send_ssh_public_key


def send_ssh_public_key(self: Ec2InstanceConnectResponse) -> str:
    machines = emulated.current()
    if machines is None:
        return _send_ssh_public_key(self)
    given: dict[str, Any] = json.loads(self.body)
    instance_id, user = given.get("InstanceId", ""), given.get("InstanceOSUser", "")
    key = str(given.get("SSHPublicKey", "")).strip()
    if not USER.fullmatch(user) or not KEY.fullmatch(key):
        raise JsonRESTError("InvalidArgsException", "InstanceOSUser or SSHPublicKey is not valid.")
    instance = ec2_backends[self.current_account][self.region].get_instance_by_id(instance_id)
    if instance is None or instance.state == "terminated":
        raise JsonRESTError("EC2InstanceNotFoundException", f"Instance {instance_id} was not found.")
    if instance.state != "running":
        raise JsonRESTError("EC2InstanceStateInvalidException", f"Instance {instance_id} is {instance.state}.")
    request_id = str(uuid.uuid4())
    caller = f"arn:{self.partition}:iam::{self.current_account}:root"
    machines.keys.push(instance_id, user, PushedKey(key, caller, request_id))
    return json.dumps({"RequestId": request_id, "Success": True})


def install() -> None:
    setattr(Ec2InstanceConnectResponse, send_ssh_public_key.__name__, send_ssh_public_key)
