"""The agent library as it is handed out: the wheel that `make agent` builds, installed where there is nothing else."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from importlib.metadata import Distribution, distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = "turnscope_agent"


def make_agent(folder: Path, umask: int) -> Path:
    """The wheel of a copy of the sources in `folder`, with file modes as `umask` leaves them and times of now."""
    os_environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    sources = ("Makefile", "agent/pyproject.toml", "agent/README.md", *modules())
    for source in sources:
        copy = folder / source
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / source, copy)
        copy.chmod(0o666 & ~umask)
    # This interpreter's environment, whatever the lock files say of its age.
    command = ["make", "--quiet", "--old-file=setup", f"VENV={sys.prefix}", "agent"]
    subprocess.run(command, cwd=folder, env=os_environment, umask=umask, check=True)
    (wheel,) = (folder / "agent" / "dist").iterdir()
    return wheel


def modules() -> set[str]:
    """Files of the package, from the root of the repository."""
    folder = ROOT / "agent" / PACKAGE
    return {str(each.relative_to(ROOT)) for each in folder.rglob("*") if each.is_file() and each.suffix != ".pyc"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_agent(tmp_path_factory.mktemp("sources"), 0o022)


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that was empty before pip installed the wheel there, without its dependencies."""
    target = tmp_path_factory.mktemp("installed")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--no-compile"]
    subprocess.run([*pip, "--target", target, wheel], check=True)
    return target


def metadata(installed: Path) -> Distribution:
    (found,) = distributions(path=[str(installed)])
    return found


def test_the_wheel_brings_one_package_and_all_of_it(installed: Path) -> None:
    folders = {each.name for each in installed.iterdir()}
    version = metadata(installed).version
    assert folders == {PACKAGE, f"{PACKAGE}-{version}.dist-info"}
    brought = {f"agent/{each.relative_to(installed)}" for each in (installed / PACKAGE).rglob("*")}
    assert brought == modules()


def test_an_agents_image_gets_livekit_and_opentelemetry_and_no_infrastructure_engine(installed: Path) -> None:
    assert metadata(installed).requires == [
        "livekit-agents>=1.8.2",
        "opentelemetry-exporter-otlp",
        "opentelemetry-sdk",
    ]


def test_the_installed_package_imports_nothing_from_beside_it(installed: Path) -> None:
    """-S: without this environment's packages, the toolkit among them."""
    code = "import turnscope_agent; print(turnscope_agent.__file__)"
    command = [sys.executable, "-S", "-c", code]
    environment = {"PYTHONPATH": str(installed)}
    ran = subprocess.run(command, cwd=installed, env=environment, capture_output=True, text=True, check=True)
    assert Path(ran.stdout.strip()) == installed / PACKAGE / "__init__.py"


def test_equal_sources_make_equal_wheels(wheel: Path, tmp_path: Path) -> None:
    """Whoever builds it again can compare hashes: neither the time nor the file modes of a checkout are in it."""
    again = make_agent(tmp_path, 0o002)
    first, second = (hashlib.sha256(each.read_bytes()).hexdigest() for each in (wheel, again))
    assert (again.name, second) == (wheel.name, first)
