"""The stack's volumes, and the setup container that fills them. Pure.

A file cannot be put into a container whose root is read-only, and a new volume belongs to root. So files live in
volumes too, one for each folder of each container, and one container that runs as root to its end first puts every
file in its place and gives every volume to the user that works on it. A file is replaced by renaming: a program that
watches it sees the old content or the new one, never half of one.
"""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from core.roles import Role
from signoz.plan.model import Container, File, Image, VolumeMount

STAGED, MOUNTED = "/turnscope/staged", "/turnscope/volumes"
SCRIPT = "/turnscope/setup.sh"
ROOT = "0:0"


@dataclass(frozen=True)
class Volume:
    """A named volume; one that is kept outlives the stack."""

    name: str
    keep: bool


def volumes(containers: Iterable[Container]) -> tuple[Volume, ...]:
    """Every volume once, in the order in which containers name them."""
    found: dict[str, bool] = {}
    for container in containers:
        for mount in container.volumes:
            found[mount.volume] = found.get(mount.volume, False) or mount.keep
    return tuple(Volume(name, keep) for name, keep in found.items())


def with_setup(containers: Sequence[Container], image: Image, name: str) -> tuple[Container, ...]:
    """`containers`, reading their files from volumes, behind the setup container that fills these.

    `image` needs a POSIX shell, chown and cmp.
    """
    ready = tuple(_reading_volumes(container) for container in containers)
    after_setup = tuple(
        replace(container, after=(Role.SETUP, *container.after)) if container.volumes else container
        for container in ready
    )
    return (_setup(ready, image, name), *after_setup)


def _reading_volumes(container: Container) -> Container:
    mounts = tuple(
        VolumeMount(_file_volume(container, folder), folder, read_only=True) for folder in _folders(container)
    )
    return replace(container, volumes=(*container.volumes, *mounts))


def _folders(container: Container) -> tuple[str, ...]:
    """The folders of its files; one inside another is not mounted apart, as its mount point could not be made."""
    folders = dict.fromkeys(posixpath.dirname(file.path) for file in container.files)
    return tuple(each for each in folders if not any(_inside(each, other) for other in folders))


def _inside(path: str, folder: str) -> bool:
    return path.startswith(f"{folder}/")


def _file_volume(container: Container, folder: str) -> str:
    return f"{container.name}-files{re.sub('[^A-Za-z0-9_.-]', '-', folder)}"


def _setup(containers: Sequence[Container], image: Image, name: str) -> Container:
    uploads: list[File] = []
    lines = [_SCRIPT_HEAD]
    owned: dict[str, str] = {}
    for container in containers:
        for mount in container.volumes:
            if not mount.read_only and container.user:
                owned[mount.volume] = container.user
        for folder in _folders(container):
            target = f"{MOUNTED}/{_file_volume(container, folder)}"
            paths: list[str] = []
            for file in container.files:
                if not _inside(file.path, folder):
                    continue
                staged = f"{STAGED}/{len(uploads):03}"
                uploads.append(replace(file, path=staged, mode="0400", owner=ROOT))
                paths.append(target + file.path.removeprefix(folder))
                lines.append(shlex.join(["place", staged, paths[-1], file.owner, file.mode]))
            lines.append(shlex.join(["only", target, *paths]))
    lines += [shlex.join(["own", f"{MOUNTED}/{volume}", user]) for volume, user in owned.items()]
    script = "\n".join([*lines, f"rm -rf {STAGED}", ""])
    return Container(
        role=Role.SETUP,
        name=name,
        image=image,
        entrypoint=("/bin/sh", SCRIPT),
        uploads=(*uploads, File(SCRIPT, script, mode="0500")),
        volumes=tuple(VolumeMount(each.name, f"{MOUNTED}/{each.name}", each.keep) for each in volumes(containers)),
        one_shot=True,
        start_timeout_seconds=120,
        user=ROOT,
        capabilities=("CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER"),
        memory_mib=64,
        cpus=0.5,
        open_files=1024,
        networked=False,
    )


_SCRIPT_HEAD = """\
# Puts files into the stack's volumes and gives the volumes to their users. Safe to repeat.
set -eu

place() { # staged file, target, owner, mode
    if ! cmp -s "$1" "$2"; then
        mkdir -p "$(dirname "$2")"
        cp "$1" "$2.new"
        chown "$3" "$2.new"
        chmod "$4" "$2.new"
        mv -f "$2.new" "$2"
    fi
    chown "$3" "$2"
    chmod "$4" "$2"
}

only() { # folder, files that stay
    folder=$1
    shift
    find "$folder" -type f | while read -r found; do
        stays=
        for path in "$@"; do
            if [ "$found" = "$path" ]; then stays=yes; fi
        done
        if [ -z "$stays" ]; then rm -f "$found"; fi
    done
}

own() { # folder, owner
    chown "$2" "$1"
    # Docker copies what the image has at the mount, owners included, into a volume that is empty.
    touch "$1/.turnscope"
}
"""
