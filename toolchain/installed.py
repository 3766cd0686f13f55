"""A Pulumi that the user installed."""

import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from toolchain import pins


@dataclass(frozen=True)
class Installed:
    """What PATH offers."""

    pulumi: Path
    version: str
    unusable: str
    """Why it is not used; empty when it is."""


def find(path: str, ours: Path, run_version: Callable[[Path], str] | None = None) -> Installed | None:
    """The `pulumi` on this PATH, usable or not; None without one, or where it is a toolchain in `ours`."""
    found = shutil.which("pulumi", path=path)
    if not found:
        return None
    pulumi = Path(found)
    if pulumi.resolve().is_relative_to(ours.resolve()):
        return None
    version = (run_version or _version)(pulumi)
    numbers = tuple(int(n) for n in re.findall(r"\d+", version)[:3])
    host = "pulumi-language-python"
    if numbers < pins.MINIMUM_CLI:
        minimum = ".".join(map(str, pins.MINIMUM_CLI))
        return Installed(pulumi, version, f"version {version or 'unknown'} is older than {minimum}")
    if not (pulumi.resolve().with_name(host).exists() or shutil.which(host, path=path)):
        return Installed(pulumi, version, f"its {host} is missing")
    return Installed(pulumi, version, "")


def _version(pulumi: Path) -> str:
    """What `pulumi version` says without its leading v; empty when it does not run."""
    try:
        done = subprocess.run([pulumi, "version"], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    lines = done.stdout.strip().splitlines()
    return lines[-1].removeprefix("v") if lines else ""
