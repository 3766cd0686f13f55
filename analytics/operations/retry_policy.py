"""AWS refuses calls that come too fast; what it refuses so is asked again, ever more slowly."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from botocore.exceptions import ClientError

T = TypeVar("T")

TOO_FAST = {
    "LimitExceededException",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "ServiceUnavailableException",
    "SlowDown",
    "ThrottlingException",
    "TooManyRequestsException",
}
ATTEMPTS = 8
FIRST_WAIT_SECONDS = 0.5
LONGEST_WAIT_SECONDS = 20.0


def wait_seconds(attempt: int) -> float:
    """Before the next one, after `attempt` (from 1)."""
    return min(LONGEST_WAIT_SECONDS, FIRST_WAIT_SECONDS * 2 ** (attempt - 1))


def patiently(call: Callable[[], T], sleep: Callable[[float], object] = time.sleep) -> T:
    """What `call` returns. Raises its `ClientError` where it is another than "too fast", or the last of many."""
    for attempt in range(1, ATTEMPTS):
        try:
            return call()
        except ClientError as error:
            if error.response["Error"]["Code"] not in TOO_FAST:
                raise
            sleep(wait_seconds(attempt))
    return call()
