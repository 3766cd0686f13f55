"""Public keys that were pushed for a user of an instance (EC2 Instance Connect). Pure.

A key is good for 60 seconds:
https://docs.aws.amazon.com/ec2-instance-connect/latest/APIReference/API_SendSSHPublicKey.html
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable

SECONDS = 60.0


class ActiveKeys:
    def __init__(self, seconds: float = SECONDS, seconds_now: Callable[[], float] = time.monotonic) -> None:
        self._seconds, self._now = seconds, seconds_now
        self._until: defaultdict[tuple[str, str], dict[str, float]] = defaultdict(dict)
        self._lock = threading.Lock()

    def push(self, instance_id: str, user: str, key: str) -> None:
        with self._lock:
            self._until[instance_id, user][key.strip()] = self._now() + self._seconds

    def of(self, instance_id: str) -> dict[str, str]:
        """User -> keys, one a line; no user without a key."""
        with self._lock:
            active = {
                user: [key for key, until in keys.items() if until > self._now()]
                for (of, user), keys in self._until.items()
                if of == instance_id
            }
        return {user: "\n".join(keys) + "\n" for user, keys in active.items() if keys}
