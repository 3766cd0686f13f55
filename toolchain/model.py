"""What the toolchain tells its users."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from core.errors import UserError
from toolchain.golang import Go

Source = Literal["path", "cache", "release", "registries"]


class Output(Protocol):
    """Where lines of progress go: rich's console, or what stands for one before rich is installed."""

    @property
    def is_terminal(self) -> bool: ...

    def print(self, line: str, /) -> None: ...


@dataclass(frozen=True)
class Toolchain:
    """A Pulumi that can be run: `subprocess.run([toolchain.pulumi, ...], env={**os.environ, **toolchain.env})`."""

    directory: Path | None
    """Where turnscope keeps what it made; None where the Pulumi on PATH is used."""
    source: Source
    """Where this run found it: on PATH, made by an earlier run, downloaded now, or built now."""
    pulumi: Path
    """The CLI; there unless `docker-engine` alone was asked for."""
    version: str
    env: dict[str, str]
    """Variables to set for a subprocess; PATH is complete."""


@dataclass(frozen=True)
class PartStatus:
    """One row of `turnscope toolchain`'s table."""

    name: str
    state: Literal["present", "missing"]
    where: str
    """What serves it, when present."""
    how_to_get: str
    """What to do about it, when missing."""


@dataclass(frozen=True)
class Missing:
    """Something only the user can provide."""

    what: str
    how: str


@dataclass
class Requirements:
    """What stands in the way, and the Debian packages that would remove it."""

    missing: list[Missing] = field(default_factory=list)
    packages: list[str] = field(default_factory=list)
    go: Go | None = None
    """The Go to build with, where one is needed and there."""


def missing_error(missing: list[Missing]) -> UserError:
    """One message for everything that is missing."""
    lines = [f"  - {item.what}\n    {item.how}" for item in dict.fromkeys(missing)]
    return UserError("The toolchain cannot be completed. Missing:\n" + "\n".join(lines))
