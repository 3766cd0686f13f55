"""A local stack where the extra `lab` is not installed."""

from __future__ import annotations

import re
import sys
import tomllib

import pytest

from core.errors import UserError
from tests.unit.conftest import ROOT
from turnscope import lab_extra
from turnscope.app import main


def without(monkeypatch: pytest.MonkeyPatch, *absent: str) -> None:
    found = lab_extra.find_spec
    monkeypatch.setattr(lab_extra, "find_spec", lambda name: None if name in absent else found(name))


def test_what_is_missing_is_named_with_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    without(monkeypatch, "moto", "duckdb")
    with pytest.raises(UserError) as refused:
        lab_extra.require_lab()
    assert refused.value.exit_code == 2
    assert "lacks duckdb, moto." in str(refused.value)
    assert "make setup" in str(refused.value)


def test_an_environment_with_the_extra_is_accepted() -> None:
    lab_extra.require_lab()


@pytest.mark.parametrize(
    "command",
    [
        ("up", "local", "--yes"),
        ("preview", "local"),
        ("lab", "start"),
        ("analytics", "check", "local"),
    ],
)
def test_a_command_that_needs_it_says_so_and_touches_nothing(
    command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    without(monkeypatch, *lab_extra.PACKAGES)
    monkeypatch.setattr("toolchain.ensure", lambda *_, **__: pytest.fail("the toolchain was asked for"))
    monkeypatch.setattr("lab.emulator.start", lambda *_, **__: pytest.fail("the emulator was started"))
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(sys, "argv", ["turnscope", *command])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert "extra `lab`" in capsys.readouterr().err


def test_every_requirement_of_the_extra_is_looked_for() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    names = (re.match(r"[\w-]+", each) for each in extras["lab"])
    assert tuple(name[0].replace("-", "_") for name in names if name) == lab_extra.PACKAGES
