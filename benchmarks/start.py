"""How long the command line takes to answer, against the import of the libraries that any such program loads.

    .venv/bin/python benchmarks/start.py [--runs N] [--stack STACK]

Every command is run in turn with the import, and the ratio is taken pair by pair: a change of the machine's speed
falls on both. Processor time is what the work costs; elapsed time is what a user waits.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LIBRARIES = [sys.executable, "-c", "import typer, rich.console"]
GOALS = {"--help": 2.0, "plan": 4.0, "render": 4.0}
"""The ratio that each is meant to stay below."""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--stack", default="local")
    arguments = parser.parse_args()
    turnscope = [sys.executable, "-m", "turnscope"]
    commands = {
        "--help": [*turnscope, "--help"],
        "plan": [*turnscope, "plan", arguments.stack],
        "render": [*turnscope, "render", arguments.stack, "collector"],
    }
    print(f"{arguments.runs} runs, {os.cpu_count()} processors; seconds of processor time, then elapsed")
    print(f"{'':<10}{'median':>8}{'elapsed':>9}{'ratio':>8}{'minimum':>9}{'maximum':>9}{'goal':>6}")
    for name, command in commands.items():
        timed(command)  # compiled modules and caches are there for every counted run
        pairs = [(timed(command), timed(LIBRARIES)) for _ in range(arguments.runs)]
        ratios = [ours[0] / theirs[0] for ours, theirs in pairs]
        used, elapsed = (statistics.median(ours[each] for ours, _ in pairs) for each in (0, 1))
        middle = statistics.median(ratios)
        print(
            f"{name:<10}{used:>8.2f}{elapsed:>9.2f}{middle:>8.2f}{min(ratios):>9.2f}{max(ratios):>9.2f}"
            f"{GOALS[name]:>6.1f}"
        )


def timed(command: list[str]) -> tuple[float, float]:
    """Seconds of processor time (user and system) and elapsed."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    elapsed, after = time.monotonic() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    if run.returncode != 0:
        sys.exit(run.stdout + run.stderr)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, elapsed


if __name__ == "__main__":
    main()
