"""Which image stands in for each role where no image registry answers. Pure, apart from reading the build contexts.

Each runs the real program where a package registry has it, under the real image's user, paths, ports and commands, so
that the same containers run on both. They are for the current release: the module proxy serves no collector and no
migrator of releases up to 0.75, so of those only server, frontend and Alertmanager have one that works.

An image's tag names its content: the same on every machine of a kind, and another one as soon as anything that it is
built from changes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import lab.images
from core.roles import Role
from lab.images import parts
from signoz.plan.model import Image

CONTEXTS = Path(lab.images.__file__).parent
REPOSITORY = "turnscope-lab"
IGNORED = ("__pycache__", ".ruff_cache")


@dataclass(frozen=True)
class LabImage:
    """An image that is built on this machine."""

    name: str
    """Of its build context, a folder in `lab/images`."""
    runs: str
    """What is in it, for people."""
    made: tuple[str, ...] = ()
    """What is made outside and copied in, as `made/<name>` of the context: names of `lab.images.parts`."""

    @property
    def context(self) -> Path:
        return CONTEXTS / self.name

    @property
    def image(self) -> Image:
        """Raises `OSError` for a context that is not there."""
        digest = hashlib.sha256()
        for path in _files(BASE.context) + (_files(self.context) if self != BASE else []):
            digest.update(f"{path.relative_to(CONTEXTS).as_posix()}\0".encode() + path.read_bytes() + b"\0")
        identities = [parts.PARTS[name].pins(parts.NOWHERE) for name in self.made]
        digest.update(json.dumps([parts.platform(), *identities]).encode())
        return Image(f"{REPOSITORY}/{self.name}", digest.hexdigest()[:12], lab=True)


def _files(folder: Path) -> list[Path]:
    found = (path for path in folder.rglob("*") if path.is_file() and not set(IGNORED) & set(path.parts))
    return sorted(found)


BASE = LabImage("base", "Debian 12, bootstrapped from its packages")
MACHINE = LabImage("machine", "Debian with systemd, cloud-init, sshd and Docker, as which an EC2 instance runs")
_COLLECTOR = LabImage("collector", "SigNoz' collector and migrations, from their Go modules", made=("collector",))
_SIGNOZ = LabImage("signoz", "a stand-in that serves health and the API of content as code; its page says lab")

LAB_IMAGES: Mapping[Role, LabImage] = MappingProxyType(
    {
        Role.SETUP: BASE,
        Role.KEEPER: LabImage("keeper", "ZooKeeper from Debian, with the same protocol as Keeper"),
        Role.CLICKHOUSE: LabImage(
            "clickhouse", "ClickHouse's engine (chdb) behind its own protocols", made=("engine",)
        ),
        Role.MIGRATOR: _COLLECTOR,
        Role.COLLECTOR: _COLLECTOR,
        Role.SIGNOZ: _SIGNOZ,
        Role.QUERY_SERVICE: _SIGNOZ,
        Role.FRONTEND: LabImage("frontend", "nginx from Debian; its page says lab"),
        Role.ALERTMANAGER: LabImage("alertmanager", "Alertmanager from Debian"),
        Role.GATEWAY: LabImage("gateway", "Caddy from Debian"),
    }
)


def lab_image(role: Role) -> Image:
    """The image that stands in for `role`'s."""
    return LAB_IMAGES[role].image
