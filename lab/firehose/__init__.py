"""lab: Firehose inside the AWS emulator, from what is deployed there; and waiting for its deliveries from outside.

It emulates what Turnscope's streams use: CloudWatch Logs' batches, Lambda, dynamic partitioning by the function's keys,
Parquet, HTTP endpoints. It delivers within a second or two, whatever the buffer.
"""

from __future__ import annotations

import time
from pathlib import Path

import httpx

from core.errors import UserError
from lab import emulator

PROGRESS_PATH = "/turnscope-lab/firehose"
"""Where the emulator answers with each stream's counts, by its ARN (`lab.firehose.stream.Progress`)."""
POLL_SECONDS = 0.1


def wait_delivered(directory: Path, timeout_seconds: float) -> None:
    """Wait until everything that log groups and clients have sent to the streams by now is in the bucket.

    `directory` is the emulator's. Raises `UserError` (exit code 1) with the undelivered records of each stream, when it
    takes longer.
    """
    deadline = time.monotonic() + timeout_seconds
    running = emulator.status(directory)
    if running is None:
        raise UserError(f"No AWS emulator runs in {directory}.", exit_code=1)
    while waiting := _waiting(running.url):
        if time.monotonic() >= deadline:
            what = ", ".join(f"{count} records of {stream}" for stream, count in waiting.items())
            raise UserError(f"Not delivered after {timeout_seconds:g} s: {what}.", exit_code=1)
        time.sleep(POLL_SECONDS)


def _waiting(url: str) -> dict[str, int]:
    try:
        # A proxy does not know our loopback.
        answer = httpx.get(f"{url}{PROGRESS_PATH}", timeout=30, trust_env=False)
        if not answer.is_success:
            raise ValueError(f"HTTP {answer.status_code}")
        streams = answer.json()
    except (httpx.HTTPError, ValueError) as error:
        raise UserError(f"The AWS emulator does not answer: {error}", exit_code=1) from None
    return {arn.rpartition("/")[2]: each["pending"] for arn, each in streams.items() if each["pending"]}
