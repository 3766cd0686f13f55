"""What the documentation names exists: pages, files, commands, options; its examples of settings are valid."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml

from tests.stack_settings import validate
from tests.unit.conftest import HOST, MINIMAL, SIGNOZ
from turnscope.app import app

ROOT = Path(__file__).parents[2]
NOT_WRITTEN = re.compile(r"\..*|__pycache__|build|dist|.*\.egg-info")


def _files() -> Iterator[str]:
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [name for name in folders if not NOT_WRITTEN.fullmatch(name)]
        yield from (str(Path(folder, name).relative_to(ROOT)) for name in names)


FILES = set(_files())
FOLDERS = {str(parent) for name in FILES for parent in Path(name).parents}
PAGES = sorted(name for name in FILES if name.endswith(".md"))
every_page = pytest.mark.parametrize("page", PAGES)

WRITTEN_BY_USERS = ("stacks/content/", "stacks/Pulumi.", "stacks/prod.lock.yaml", "agent/dist/")
"""Paths that a page tells its readers to create."""


def text_of(page: str) -> str:
    return (ROOT / page).read_text()


def anchors(page: str) -> set[str]:
    """As GitHub makes them from headings."""
    headings = re.findall("^#+ (.*)$", text_of(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def paths_in(text: str) -> Iterator[str]:
    """Paths that begin with a folder of the project; patterns and placeholders are none."""
    folders = "|".join(sorted(re.escape(name) for name in FOLDERS if "/" not in name and name != "."))
    for found in re.finditer(rf"(?<![\w/.<>*~-])(?:{folders})/[^\s`'\"|,:;)\]]*", text):
        if not set(found.group()) & set("<>{}*$("):
            yield found.group().rstrip("./")


@every_page
def test_every_link_of_a_page_leads_somewhere(page: str) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", text_of(page)):
        if target.startswith(("http://", "https://")):
            continue
        name, _, anchor = target.partition("#")
        found = (ROOT / page).parent.joinpath(name).resolve() if name else ROOT / page
        assert found.exists(), f"{page}: {target}"
        if anchor:
            assert anchor in anchors(str(found.relative_to(ROOT))), f"{page}: {target}"


@every_page
def test_every_file_that_a_page_names_is_there(page: str) -> None:
    named = {path for path in paths_in(text_of(page)) if not path.startswith(WRITTEN_BY_USERS)}
    assert {path for path in named if path not in FILES and path not in FOLDERS} == set()


def test_every_page_that_a_message_names_is_there() -> None:
    """Errors lead to pages; a page that moved would leave them pointing nowhere."""
    named = {
        path
        for name in FILES
        if name.endswith((".py", ".yaml", ".j2", ".toml"))
        for path in re.findall(r"(?<![\w/.-])docs/[\w/-]+\.md", text_of(name))
    }
    assert named, "the messages name no page at all"
    assert named <= FILES


def test_every_command_that_a_message_names_is_one() -> None:
    commands = set(getattr(typer.main.get_command(app), "commands", {}))
    named = {
        (name, command)
        for name in FILES
        if name.endswith(".py") and not name.startswith("tests/")
        for command in re.findall("`turnscope ([a-z]+)", text_of(name))
    }
    assert named, "the messages name no command at all"
    assert {(name, command) for name, command in named if command not in commands} == set()


@pytest.mark.parametrize("index", ["docs/README.md", "docs/decisions/README.md", "docs/runbooks/README.md"])
def test_an_index_lists_every_page_beside_it(index: str) -> None:
    folder = "docs/how-to" if index == "docs/README.md" else str(Path(index).parent)
    pages = {name for name in PAGES if str(Path(name).parent) == folder and name != index}
    links = re.findall(r"\]\(([^)#\s]+)\)", text_of(index))
    assert pages <= {str((ROOT / index).parent.joinpath(link).resolve().relative_to(ROOT)) for link in links}


def commands_in(text: str) -> Iterator[str]:
    """Everything behind `turnscope` in code, up to a comment."""
    for line in re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        for written in line.splitlines():
            if found := re.search(r"(?:^\s*|\$\(|/bin/)turnscope +([a-z].*)", written):
                yield re.split(r"\s#| {3,}|\)\"", found.group(1))[0]
    for span in re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)):
        if found := re.match(r"(?:\S*/bin/)?turnscope +([a-z].*)", span):
            yield found.group(1)


@every_page
def test_every_command_that_a_page_names_is_one(page: str) -> None:
    """And every option is one of that command's."""
    root = typer.main.get_command(app)
    for written in commands_in(text_of(page)):
        first, *rest = written.split()
        for name in first.split("|"):
            command, words = root, [name, *rest]
            while words and (below := getattr(command, "commands", None)) and re.fullmatch("[a-z][a-z|-]*", words[0]):
                taken = words.pop(0).split("|")
                assert set(taken) <= set(below), f"{page}: turnscope {written}"
                command = below[taken[0]]
            options = {
                option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)
            }
            named = set(re.findall(r"(?<![\w-])--[a-z-]+", " ".join(words)))
            assert named <= {*options, "--help"}, f"{page}: turnscope {written}"


def examples_of_settings() -> Iterator[tuple[str, dict[str, Any]]]:
    """YAML blocks that hold whole `turnscope:` keys, each with its page."""
    for page in PAGES:
        for block in re.findall(r"^```yaml\n(.*?)^```", text_of(page), re.MULTILINE | re.DOTALL):
            if re.match(r"(#.*\n)*(config|turnscope:\w+):", block):
                found = yaml.safe_load(block)
                yield page, {key.removeprefix("turnscope:"): value for key, value in found.get("config", found).items()}


def merged(below: Any, above: Any) -> Any:
    if not (isinstance(below, dict) and isinstance(above, dict)):
        return above
    return {**below, **{key: merged(below.get(key), value) for key, value in above.items()}}


@pytest.mark.parametrize(("page", "settings"), [*examples_of_settings()])
def test_an_example_of_settings_is_valid(page: str, settings: dict[str, Any]) -> None:
    """Whoever copies it into a stack's file gets no error; what `turnscope init` writes is added to SigNoz'."""
    least = dict(MINIMAL)
    if "signoz" in settings or "host" in settings:
        least["signoz"] = SIGNOZ
    if "host" in settings:
        least["host"] = HOST
    validate(merged(least, settings), source=Path(page))
