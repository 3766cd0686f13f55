"""Which Pulumi is used, what has to be made for it, and what a user is told when that cannot be done."""

import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from core.errors import UserError
from toolchain import (
    AWS_PARTS,
    PARTS,
    aws_provider,
    docker_engine,
    ensure,
    golang,
    installed,
    pins,
    provision,
    release,
    status,
    system,
)
from toolchain.model import Missing, Requirements, missing_error
from toolchain.parts import closure, scripts

ROOT = Path(__file__).resolve().parents[2]


def program(path: Path, text: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with nothing: an empty PATH and home, no releases, no Docker."""
    for name in ("GOTOOLCHAIN", "TURNSCOPE_AWS_PROVIDER", "TF_CLI_CONFIG_FILE", "TF_PLUGIN_CACHE_DIR", "CI"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TURNSCOPE_TOOLCHAIN", str(tmp_path / "toolchain"))
    monkeypatch.setattr(release, "checksum", lambda: None)
    monkeypatch.setattr(docker_engine, "answers", lambda: False)
    monkeypatch.setattr(docker_engine, "_which", lambda program: None)
    monkeypatch.setattr(aws_provider, "find", lambda environ: None)
    monkeypatch.setattr(system, "can_install", lambda: False)
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    return tmp_path


def console() -> Console:
    return Console(file=io.StringIO(), width=200)


def get(parts: Any = None, on: Console | None = None) -> Any:
    return ensure(parts, assume_yes=False, console=on or console())


@pytest.mark.parametrize("host", ["beside", "elsewhere on PATH"])
def test_installed_pulumi_is_used_as_it_is(machine: Path, host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is made, written or downloaded, and nothing but Pulumi is asked for."""
    program(machine / "bin" / "pulumi", "echo v3.150.0")
    if host == "beside":
        program(machine / "bin" / "pulumi-language-python")
    else:
        program(machine / "other" / "pulumi-language-python")
        monkeypatch.setenv("PATH", f"{machine / 'bin'}{os.pathsep}{machine / 'other'}")
    found = get()
    assert (found.source, found.version, found.directory) == ("path", "3.150.0", None)
    assert found.pulumi == machine / "bin" / "pulumi"
    assert not (machine / "toolchain").exists()


@pytest.mark.parametrize(
    ("version", "host", "why"),
    [("v3.149.9", True, "older than 3.150.0"), ("", True, "unknown"), ("v3.200.0", False, "pulumi-language-python")],
)
def test_unusable_pulumi_is_passed_over_aloud(machine: Path, version: str, host: bool, why: str) -> None:
    """The user learns why the Pulumi they installed is not the one that runs."""
    program(machine / "bin" / "pulumi", f"echo {version}")
    if host:
        program(machine / "bin" / "pulumi-language-python")
    on = console()
    with pytest.raises(UserError):
        get(on=on)
    assert isinstance(on.file, io.StringIO)
    assert why in on.file.getvalue()


def test_own_toolchain_on_path_is_not_an_installation(tmp_path: Path) -> None:
    """With its environment set, the built toolchain is on PATH, and must still be completed."""
    program(tmp_path / "toolchain" / "wrappers-1" / "pulumi", "echo v3.200.0")
    program(tmp_path / "toolchain" / "wrappers-1" / "pulumi-language-python")
    assert installed.find(str(tmp_path / "toolchain" / "wrappers-1"), tmp_path / "toolchain") is None


def test_everything_missing_is_told_at_once(machine: Path) -> None:
    """One message, exit code 2, nothing touched: a user should not find out one obstacle at a time."""
    with pytest.raises(UserError) as error:
        get(PARTS)
    message = str(error.value)
    assert error.value.exit_code == 2
    for needed in ("Go", "go.dev/dl", "terraform-provider-aws 5.100.0", "TURNSCOPE_AWS_PROVIDER", "Docker"):
        assert needed in message
    assert not (machine / "toolchain").exists()


def test_only_what_was_asked_for_is_required(machine: Path) -> None:
    """Without Docker among the parts its absence is no obstacle."""
    with pytest.raises(UserError) as error:
        get(["pulumi"])
    assert "Docker" not in str(error.value)
    assert "terraform-provider-aws" not in str(error.value)


def test_packages_are_not_installed_without_consent(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Off a terminal nobody can be asked, so the command to run is the answer."""
    need = Requirements(packages=["docker.io", "iptables"])
    monkeypatch.setattr(docker_engine, "requirements", lambda: need)
    monkeypatch.setattr(system, "can_install", lambda: True)
    monkeypatch.setattr(system, "install", lambda *_: pytest.fail("installed without consent"))
    with pytest.raises(UserError, match=r"apt-get install docker\.io iptables"):
        get(["docker-engine"])


@pytest.mark.parametrize(
    ("user", "apt", "host", "packages", "missing"),
    [
        (0, True, "", ["docker.io", "iptables"], ""),
        (0, False, "", [], "docs.docker.com"),
        (1000, True, "", [], "sudo apt-get install docker.io iptables"),
        (0, True, "tcp://elsewhere:2376", [], "DOCKER_HOST"),
    ],
)
def test_what_docker_needs_depends_on_the_user_and_the_machine(
    machine: Path, monkeypatch: pytest.MonkeyPatch, user: int, apt: bool, host: str, packages: list[str], missing: str
) -> None:
    """Only root of a Debian can have it installed; an engine elsewhere is not replaced by one here."""
    monkeypatch.setattr("os.geteuid", lambda: user)
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr(system, "has_apt", lambda: apt)
    if host:
        monkeypatch.setenv("DOCKER_HOST", host)
    need = docker_engine.requirements()
    assert need.packages == packages
    assert missing in "".join(f"{item.what} {item.how}" for item in need.missing)
    assert bool(need.missing) == bool(missing)


@pytest.mark.parametrize("consent", ["--yes", "CI"])
def test_consent_given_beforehand_is_enough(machine: Path, monkeypatch: pytest.MonkeyPatch, consent: str) -> None:
    """With --yes, and in CI, packages are installed and the engine started without a question."""
    need, done = [Requirements(packages=["docker.io"]), Requirements()], []
    monkeypatch.setattr(docker_engine, "requirements", lambda: need.pop(0))
    monkeypatch.setattr(system, "can_install", lambda: True)
    monkeypatch.setattr(system, "install", lambda packages, log: done.append(packages))
    monkeypatch.setattr(docker_engine, "start", lambda log: done.append("started"))
    if consent == "CI":
        monkeypatch.setenv("CI", "true")
    ensure(["docker-engine"], assume_yes=consent == "--yes", console=console())
    assert done == [["docker.io"], "started"]


def test_reachable_release_is_installed_and_found_again(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The released CLI fetches its own plugins: neither Go nor a Terraform provider is asked for."""
    sums = ["a" * 64]
    monkeypatch.setattr(release, "checksum", lambda: sums.pop())
    monkeypatch.setattr(release, "download", lambda folder, expected: program(folder / "bin" / "pulumi", expected))
    found = get()
    assert (found.source, found.version) == ("release", pins.RELEASE_CLI)
    assert "a" * 64 in found.pulumi.read_text()
    again = get()  # asks the server no more
    assert (again.source, again.pulumi) == ("cache", found.pulumi)
    assert again.env["PATH"].split(os.pathsep)[0] == str(found.pulumi.parent)


def test_interrupted_build_continues_with_what_is_missing(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the first run finished is not built again, and the result is found by the third at once."""
    built: list[str] = []
    failing = {"bridge"}
    monkeypatch.setattr(golang, "find", lambda environ: golang.Go("go"))
    provider = program(machine / "terraform-provider-aws_v5.100.0_x5")
    monkeypatch.setattr(aws_provider, "find", lambda environ: provider)

    def build(what: golang.Program, go: golang.Go, workspace: Path, output: Path, run: golang.Run) -> None:
        name = workspace.name.removesuffix("-source")
        if name in failing:
            raise OSError("no space left")
        built.append(name)
        program(output)

    monkeypatch.setattr(golang, "build", build)
    assert "pulumi-resource-aws" not in {path.name for path in get(["pulumi"]).pulumi.parent.iterdir()}
    with pytest.raises(UserError, match="bridge: no space left"):
        get()
    failing.clear()
    found = get()
    assert sorted(built) == ["bridge", "pulumi"]
    assert found.source == "registries"
    assert found.directory is not None
    record = (found.directory / "toolchain.json").read_text()
    assert json.loads(record)["seconds"].keys() == {"pulumi", "bridge", "aws-provider", "wrappers"}
    again = get()
    assert (again.source, again.pulumi) == ("cache", found.pulumi)
    assert (found.directory / "toolchain.json").read_text() == record
    assert again.env["PATH"].split(os.pathsep)[0] == str(found.pulumi.parent)
    names = {path.name for path in found.pulumi.parent.iterdir()}
    assert names >= {"pulumi", "pulumi-language-python", "pulumi-resource-aws"}
    assert "pulumi-resource-docker" not in names  # its provider was not asked for
    provider.unlink()  # an upgrade of the mirror may take the linked program away
    monkeypatch.setattr(aws_provider, "find", lambda environ: None)
    with pytest.raises(UserError, match="terraform-provider-aws"):
        get()


def test_go_programs_are_built_ahead_where_they_would_be_built(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []

    def build(_program: golang.Program, _go: golang.Go, _workspace: Path, output: Path, _run: Any) -> None:
        made.append(program(output).name)

    monkeypatch.setattr(golang, "build", build)
    provision.build_ahead(AWS_PARTS, console())
    assert not made, "without Go"
    monkeypatch.setattr(golang, "find", lambda environ: golang.Go("go"))
    monkeypatch.setattr(release, "checksum", lambda: "a release's")
    provision.build_ahead(AWS_PARTS, console())
    assert not made, "with a release"
    monkeypatch.setattr(release, "checksum", lambda: None)
    provision.build_ahead(AWS_PARTS, console())
    assert sorted(made) == ["pulumi", "pulumi-resource-terraform-provider"]
    provision.build_ahead(AWS_PARTS, console())
    assert len(made) == 2, "once"


def test_building_ahead_needs_nothing_but_python(machine: Path) -> None:
    """It runs before anything is installed: -S leaves out what is."""
    run = subprocess.run(
        [sys.executable, "-S", "-m", "toolchain"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")
    assert not (machine / "toolchain").exists()


def test_status_lists_every_part_and_what_to_do(machine: Path) -> None:
    """On an empty machine each part is missing with a way to get it."""
    rows = {row.name: row for row in status()}
    assert rows.keys() == PARTS.keys()
    assert all(row.state == "missing" and row.how_to_get and not row.where for row in rows.values())
    assert "go.dev" in rows["pulumi"].how_to_get
    assert "TURNSCOPE_AWS_PROVIDER" in rows["aws-provider"].how_to_get


def test_unknown_part_is_named_with_the_known_ones() -> None:
    """A mistyped part is the user's mistake."""
    with pytest.raises(UserError, match=r"dokcer.*docker-engine"):
        closure(["dokcer"])


def test_parts_bring_what_they_need_in_order() -> None:
    """A provider is of no use without the bridge, the CLI and the scripts around them."""
    assert [part.name for part in closure(AWS_PARTS)] == ["pulumi", "bridge", "aws-provider", "wrappers"]
    assert [part.name for part in closure(["docker-engine"])] == ["docker-engine"]


def test_one_message_names_each_missing_thing_once() -> None:
    """Two parts may miss the same thing."""
    message = str(missing_error([Missing("a", "get a"), Missing("b", "get b"), Missing("a", "get a")]))
    assert message.count("- a") == 1
    assert message.index("get a") < message.index("- b")


@pytest.mark.parametrize(
    ("said", "gotoolchain", "usable", "sets"),
    [
        ("go version go1.26.8 linux/amd64", None, True, {}),
        ("go version go1.25.8 linux/amd64", "local", True, {}),
        ("go version go1.22.2 linux/amd64", None, True, {"GOTOOLCHAIN": f"go{pins.GO}+auto"}),
        ("go version go1.22.2 linux/amd64", "auto", True, {}),
        ("go version go1.22.2 linux/amd64", "local", False, {}),
        ("go version go1.19.8 linux/amd64", None, False, {}),
        ("", None, False, {}),
    ],
)
def test_go_is_used_where_it_is_new_enough_or_can_become_so(
    said: str, gotoolchain: str | None, usable: bool, sets: dict[str, str]
) -> None:
    """From 1.21 on Go fetches a newer one, unless the user forbids it; their choice is never overridden."""
    go = golang.choose("go", said, gotoolchain)
    assert isinstance(go, golang.Go) is usable
    if isinstance(go, golang.Go):
        assert go.env == sets


def test_debian_package_of_go_is_the_newest_that_can_help() -> None:
    """Debian 12's 1.19 cannot; what apt does not offer is not suggested."""
    offered = "golang-go:\n  Installed: (none)\n  Candidate: 2:{}\n  Version table:\n     2:1.19~1 500\n"
    assert golang.debian_package(offered.format("1.19~1")) is None
    assert golang.debian_package(offered.format("1.24~2")) == "golang-go"
    assert golang.debian_package("golang-go:\n  Installed: (none)\n  Candidate: (none)\n") is None


@pytest.mark.parametrize(
    ("names", "best"),
    [
        (["5.99.0", "5.100.0"], "5.100.0"),
        (["6.1.0", "5.100.0", "5.9.0"], "5.100.0"),
        (["5.99.0", "5.9.0"], "5.99.0"),
    ],
)
def test_pinned_provider_is_preferred_else_the_newest(tmp_path: Path, names: list[str], best: str) -> None:
    """By number, not by spelling; in a mirror's folders or with the version in the file's name alone."""
    mirror = [program(tmp_path / n / pins.terraform_platform() / f"terraform-provider-aws_v{n}_x5") for n in names]
    found = aws_provider.best(iter(mirror))
    assert found is not None
    assert aws_provider.version(found) == best


def test_provider_of_another_platform_is_no_provider(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mirror may hold several platforms; nor is a provider with a longer name the one."""
    opt = tmp_path / "mirror"
    monkeypatch.setattr(aws_provider, "places", lambda environ: [opt])
    program(opt / "aws" / "5.100.0" / "plan9_386" / "terraform-provider-aws_v5.100.0_x5")
    program(opt / "terraform-provider-awscc_v1.0.0")
    ours = program(opt / "aws" / "5.90.0" / pins.terraform_platform() / "terraform-provider-aws_v5.90.0_x5")
    assert aws_provider.find({}) == ours


def test_mirrors_named_in_terraforms_configuration_are_searched_first(tmp_path: Path) -> None:
    """Comments name nothing; a path may be quoted with escapes."""
    configuration = tmp_path / "terraform.rc"
    configuration.write_text(
        'plugin_cache_dir = "/cache"\nprovider_installation {\n  filesystem_mirror {\n'
        '    path    = "/srv/\\"mirror\\""\n    include = ["hashicorp/*"]\n  }\n'
        '  # filesystem_mirror { path = "/old" }\n  direct {}\n}\n'
    )
    places = aws_provider.places({"TF_CLI_CONFIG_FILE": str(configuration), "HOME": "/h"})
    assert [str(path) for path in places[:3]] == ['/srv/"mirror"', "/cache", "/h/.terraform.d/plugins"]


def test_cli_and_sdk_are_of_one_release() -> None:
    """The downloaded CLI and the SDKs whose names the plugins serve are those of pyproject.toml."""
    project = (ROOT / "pyproject.toml").read_text()
    assert f'"pulumi=={pins.RELEASE_CLI}"' in project
    assert f'"pulumi-aws=={pins.SDK["aws"]}"' in project


def test_scripts_name_the_python_that_runs_now(machine: Path) -> None:
    """The plugins need this Python's packages; another environment gets scripts of its own."""
    context = provision.Context(provision.Store(machine / "t"), {})
    before = provision.WRAPPERS.folder(context)
    assert str(os.sys.executable) in scripts(context)["pulumi-language-python"]  # type: ignore[attr-defined]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.executable", "/other/python")
        assert provision.WRAPPERS.folder(context) != before


@pytest.fixture
def releases(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A server like Pulumi's, with one release."""
    folder = tmp_path / "releases"
    folder.mkdir()
    with tarfile.open(folder / release.archive_name(), "w:gz") as file:
        for name in ("pulumi", "pulumi-language-python"):
            file.add(program(tmp_path / "src" / name), f"pulumi/{name}")
    digest = hashlib.sha256((folder / release.archive_name()).read_bytes()).hexdigest()
    (folder / f"pulumi-{pins.RELEASE_CLI}-checksums.txt").write_text(
        f"{'0' * 64}  pulumi-v{pins.RELEASE_CLI}-plan9-x64.tar.gz\n{digest}  {release.archive_name()}\n"
    )

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", folder
    server.shutdown()


def test_release_is_installed_as_published(releases: tuple[str, Path], tmp_path: Path) -> None:
    """The archive of this platform, with the programs where PATH will point."""
    base, _ = releases
    expected = release.checksum(base)
    assert expected is not None
    target = tmp_path / "target"
    target.mkdir()
    release.download(target, expected, base)
    assert {path.name for path in (target / "bin").iterdir()} == {"pulumi", "pulumi-language-python"}
    assert os.access(target / "bin" / "pulumi", os.X_OK)
    assert [path.name for path in target.iterdir()] == ["bin"]


def test_altered_release_is_refused(releases: tuple[str, Path], tmp_path: Path) -> None:
    """Nothing of an archive whose sum differs is unpacked."""
    base, folder = releases
    expected = release.checksum(base)
    assert expected is not None
    (folder / release.archive_name()).write_bytes(b"something else")
    target = tmp_path / "target"
    target.mkdir()
    with pytest.raises(UserError, match="SHA-256"):
        release.download(target, expected, base)
    assert not (target / "bin").exists()


def test_unreachable_releases_are_no_error() -> None:
    """Then the registries are used."""
    assert release.checksum("http://127.0.0.1:1") is None
