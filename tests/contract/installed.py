"""What an agent of these tests imports: the wheel in its own environment, not the checkout's folder."""

from __future__ import annotations

from pathlib import Path

CHECKOUT = Path(__file__).parents[2] / "agent" / "turnscope_agent"


def assert_installed(imported: Path, environment: Path) -> None:
    """`imported` is the `__file__` of the agent's `turnscope_agent`, `environment` the folder of its interpreter.

    A wheel of other sources than the checkout's fails too: `make contract` installs it anew where they changed.
    """
    package = imported.parent
    assert (package.name, package.parent.name) == ("turnscope_agent", "site-packages")
    assert package.is_relative_to(environment)
    assert _files(package) == _files(CHECKOUT)


def _files(package: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in package.iterdir() if path.is_file()}
