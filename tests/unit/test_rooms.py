"""The rooms of the project and the arrows between them: who may import whom."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.unit.conftest import ROOT

ARROWS: dict[str, set[str]] = {
    "core": set(),
    "stacks": {"core"},
    "cloudwatch": {"core", "stacks"},
    "simulate": {"core", "cloudwatch.plan"},
    "analytics": {"core", "stacks", "cloudwatch"},
    "signoz": {"core", "stacks"},
    "host": {"core", "stacks", "cloudwatch"},
    "forwarding": {"core", "stacks", "cloudwatch", "analytics", "signoz.roles"},
    "toolchain": {"core"},
    "lab": {"core", "stacks", "cloudwatch", "analytics", "signoz", "forwarding", "simulate", "toolchain"},
    "turnscope": {
        "core",
        "stacks",
        "cloudwatch",
        "analytics",
        "signoz",
        "host",
        "forwarding",
        "simulate",
        "toolchain",
        "lab",
    },
    "__main__": {"core", "stacks", "cloudwatch", "analytics", "signoz", "host", "forwarding", "turnscope"},
    "agent": set(),
}
"""Room -> what its modules may import of ours. `docs/decisions/rooms.md` says why."""

PLANS = (
    "analytics.plan",
    "cloudwatch.insights",
    "cloudwatch.plan",
    "forwarding.plan",
    "host.plan",
    "signoz.plan",
    "signoz.roles",
    "simulate",
    "stacks",
)
"""Pure: they import no engine and no cloud library, and of the other rooms only what is pure."""
IMPURE = {"boto3", "botocore", "docker", "httpx", "pulumi", "pulumi_aws", "pulumi_docker", "subprocess", "socket"}
LAB_DEPENDENCIES = ("chdb", "duckdb", "flask", "moto", "pyarrow")


@dataclass(frozen=True)
class Import:
    importer: str
    imported: str
    line: int
    at_start: bool
    """Of the module, not of a function of it."""

    def __str__(self) -> str:
        return f"{self.importer}:{self.line} imports {self.imported}"


def files(room: str) -> Iterator[Path]:
    path = ROOT / room
    yield from [path.with_suffix(".py")] if path.with_suffix(".py").is_file() else sorted(path.rglob("*.py"))


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imports(path: Path) -> Iterator[Import]:
    tree, importer = ast.parse(path.read_text()), module_of(path)
    inside = {id(each) for function in ast.walk(tree) if _defers(function) for each in ast.walk(function)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:  # a relative one stays in its package
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        yield from (Import(importer, name, node.lineno, id(node) not in inside) for name in names)


def _defers(node: ast.AST) -> bool:
    """A function, or what only type checkers read."""
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) or (
        isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
    )


def below(module: str, rooms: Iterator[str] | set[str] | tuple[str, ...]) -> bool:
    return any(module == room or module.startswith(f"{room}.") for room in rooms)


def reachable(room: str, arrows: Mapping[str, set[str]]) -> set[str]:
    """All rooms that arrows lead to from `room`, over any number of others."""
    return set().union(*({next_room, *reachable(next_room, arrows)} for next_room in arrows.get(room, ())))


@pytest.mark.parametrize("room", ARROWS)
def test_a_room_imports_only_what_its_arrows_lead_to(room: str) -> None:
    ours = {each for each in ARROWS if each not in ("agent", "__main__")} | {"tests"}
    wrong = [
        str(each)
        for path in files(room)
        for each in imports(path)
        if below(each.imported, ours - {room}) and not below(each.imported, ARROWS[room])
    ]
    assert not wrong


def test_every_folder_with_code_is_a_room() -> None:
    tracked = subprocess.run(["git", "ls-files", "*.py"], cwd=ROOT, capture_output=True, text=True, check=True)
    folders = {line.split("/")[0].removesuffix(".py") for line in tracked.stdout.splitlines()}
    assert folders - {"tests", "tools", "benchmarks"} == set(ARROWS)


def test_the_arrows_lead_one_way() -> None:
    """A room that may import another is never imported by it, over any number of others."""
    arrows = {room: {each.split(".")[0] for each in to} for room, to in ARROWS.items()}
    assert not [room for room in arrows if room in reachable(room, arrows)]


def test_the_picture_shows_these_arrows() -> None:
    """It leaves out an arrow that follows from others."""
    page = (ROOT / "docs" / "decisions" / "rooms.md").read_text().replace('program["__main__"]', "__main__")
    drawn: dict[str, set[str]] = {}
    for start, end in re.findall(r"^    (\w+) --> (\w+)$", page, re.MULTILINE):
        drawn.setdefault(start, set()).add(end)
    for room, to in ARROWS.items():
        assert {each.split(".")[0] for each in to} <= reachable(room, drawn), room
        assert drawn.get(room, set()) <= {each.split(".")[0] for each in to}, room


def test_plans_are_pure() -> None:
    wrong = [
        str(each)
        for plan in PLANS
        for path in files(plan.replace(".", "/"))
        for each in imports(path)
        if each.imported.split(".")[0] in IMPURE
    ]
    assert not wrong


def test_the_lab_is_imported_when_it_is_used_and_not_before() -> None:
    """A production environment has none of its dependencies."""
    wrong = [
        str(each)
        for room in ("turnscope", "__main__")
        for path in files(room)
        for each in imports(path)
        if each.at_start and below(each.imported, ("lab", *LAB_DEPENDENCIES))
    ]
    assert not wrong


def test_the_deployment_engine_loads_neither_the_lab_nor_its_dependencies() -> None:
    """What planning loads: `test_plan_imports`."""
    script = "import json, sys, turnscope.app, turnscope.deployment.deployment; print(json.dumps(sorted(sys.modules)))"
    ran = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not [name for name in json.loads(ran.stdout) if below(name, ("lab", *LAB_DEPENDENCIES))]
