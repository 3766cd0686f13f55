"""Finding a terraform-provider-aws program on this machine."""

import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

from toolchain import pins

NAME = "terraform-provider-aws"
_PROGRAM = re.compile(rf"{NAME}(?:_v(\d+)\.(\d+)\.(\d+)\w*)?")


def find(environ: Mapping[str, str]) -> Path | None:
    """The provider to use: of the first place that has one, the pinned version or else the newest.

    In order: TURNSCOPE_AWS_PROVIDER, the mirrors that Terraform's own configuration names, the folders it searches
    (https://developer.hashicorp.com/terraform/cli/config/config-file), and the root file system.
    """
    if chosen := environ.get("TURNSCOPE_AWS_PROVIDER"):
        return Path(chosen) if Path(chosen).is_file() else None
    for place in places(environ):
        if found := best(_programs(place)):
            return found
    listing = subprocess.run(
        ["find", "/", "-xdev", "-type", "f", "-name", f"{NAME}*", "-perm", "-u+x"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return best(Path(line) for line in listing.stdout.splitlines())


def places(environ: Mapping[str, str]) -> list[Path]:
    """Folders that may hold provider programs, the likeliest first."""
    home = Path(environ.get("HOME", "~")).expanduser()
    configuration = Path(environ.get("TF_CLI_CONFIG_FILE") or home / ".terraformrc")
    named: list[Path] = []
    if configuration.is_file():
        named = [Path(path).expanduser() for path in mirrors(configuration.read_text(errors="replace"))]
    if cache := environ.get("TF_PLUGIN_CACHE_DIR"):
        named.append(Path(cache))
    return [*named, home / ".terraform.d" / "plugins", Path("/usr/local/share/terraform"), Path("/opt")]


def mirrors(configuration: str) -> list[str]:
    """The folders that a Terraform CLI configuration names: filesystem mirrors and the plugin cache."""
    text = re.sub(r"(?m)^\s*(#|//).*$", "", configuration)
    found = re.findall(r'filesystem_mirror\s*\{[^}]*?\bpath\s*=\s*("(?:[^"\\]|\\.)*")', text)
    found += re.findall(r'(?m)^\s*plugin_cache_dir\s*=\s*("(?:[^"\\]|\\.)*")', text)
    return [json.loads(path) for path in found]


def version(path: Path) -> str:
    """The version in a provider's file name, or in the folders of a mirror around it; empty without one."""
    match = _PROGRAM.fullmatch(path.name)
    if match and match[1]:
        return ".".join(match.groups())
    for parent in path.parents:
        if re.fullmatch(r"\d+\.\d+\.\d+", parent.name):
            return parent.name
    return ""


def best(programs: Iterator[Path]) -> Path | None:
    """The pinned version if it is there, else the newest."""

    def rank(path: Path) -> tuple[bool, tuple[int, ...], str]:
        number = version(path)
        return number == pins.AWS_PROVIDER, tuple(int(n) for n in number.split(".") if n), str(path)

    found = [path for path in programs if _PROGRAM.fullmatch(path.name)]
    return max(found, key=rank, default=None)


def _programs(folder: Path) -> Iterator[Path]:
    platform = pins.terraform_platform()
    for path in folder.rglob(f"{NAME}*"):
        other = re.search(r"/(\w+_(?:amd64|arm64|386|arm))/", str(path))
        if path.is_file() and (not other or other[1] == platform):
            yield path
