"""Public keys that were pushed for a user of an instance (EC2 Instance Connect). Pure.

A key is good for 60 seconds:
https://docs.aws.amazon.com/ec2-instance-connect/latest/APIReference/API_SendSSHPublicKey.html
What the metadata service returns is as AWS' program on the instance reads it:
https://github.com/aws/aws-ec2-instance-connect-config/blob/master/src/bin/eic_parse_authorized_keys
"""

from __future__ import annotations

import base64
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

SECONDS = 60.0
SIGNATURE = base64.b64encode(b"lab: AWS signs here").decode()


@dataclass(frozen=True)
class PushedKey:
    key: str
    caller: str
    """Who pushed it: an ARN."""
    request_id: str


class ActiveKeys:
    """Those of all instances, each for some `seconds`; `seconds_now` is Unix time."""

    def __init__(self, seconds: float = SECONDS, seconds_now: Callable[[], float] = time.time) -> None:
        self._seconds, self._now = seconds, seconds_now
        self._pushed: defaultdict[tuple[str, str], dict[PushedKey, float]] = defaultdict(dict)
        self._lock = threading.Lock()

    def push(self, instance_id: str, user: str, pushed: PushedKey) -> None:
        with self._lock:
            self._pushed[instance_id, user][pushed] = self._now() + self._seconds

    def of(self, instance_id: str) -> dict[str, str]:
        """User -> what the metadata service returns; no user without a key."""
        with self._lock:
            texts = {
                user: "".join(_text(instance_id, key, until) for key, until in pushed.items() if until > self._now())
                for (of, user), pushed in self._pushed.items()
                if of == instance_id
            }
        return {user: text for user, text in texts.items() if text}


def _text(instance_id: str, pushed: PushedKey, until: float) -> str:
    lines = (
        f"#Timestamp={int(until)}",
        f"#Instance={instance_id}",
        f"#Caller={pushed.caller}",
        f"#Request={pushed.request_id}",
        pushed.key,
        SIGNATURE,
        "",
    )
    return "\n".join(lines) + "\n"
