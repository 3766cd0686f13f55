"""What all tests share; the contract tests too, in environments that have little more than pytest."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import pytest

LONGEST_FIRST = (
    "integration/test_deploy",
    "integration/test_initialise",
    "integration/test_analytics_deploy",
    "integration/test_signoz_end_to_end",
    "integration/test_analytics_commands",
    "integration/test_interruption",
    "integration/test_analytics_end_to_end",
    "integration/test_options",
    "integration/test_host_unreached",
    "integration/test_host_deploy",
    "integration/test_signoz_docker",
    "integration/test_content_deploy",
    "integration/test_lab_machine",
    "integration/test_lab_firehose",
    "contract/test_content",
    "contract/test_livekit",
    "integration/test_lab_images",
    "integration/test_collector",
    "integration/test_lab_worker",
    "integration/test_lab",
    "integration/test_image_lock",
    "integration/test_content_api",
)
"""Modules by the time they take, where it is more than half a minute on an idle machine: what starts last ends last."""
PART = re.compile(r"\.venv-livekit-\w+")
"""What a module's tests are divided by: what is done in each of these environments takes long, and shares nothing."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write golden files instead of comparing with them")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    rank = {name: number for number, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: rank.get(f"{item.path.parent.name}/{item.path.stem}", len(rank)))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """A module's tests go to one worker, in their order; modules go to the workers in the order above."""
    from xdist.scheduler import LoadScopeScheduling

    class ByModule(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            module, _, test = nodeid.partition("::")
            return " ".join([module, *PART.findall(test)])

    config.option.loadscopereorder = False
    return ByModule(config, log)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What was not tested, and why: each reason once."""
    skipped = terminalreporter.stats.get("skipped", [])
    reasons = Counter(_reason(report) for report in skipped)
    if reasons:
        terminalreporter.section(f"NOT TESTED: {len(skipped)} skipped", sep="-")
        for reason, number in sorted(reasons.items()):
            terminalreporter.line(f"{number:>5}  {reason}")


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    """A skipped test's, or that of a module skipped as a whole."""
    text = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return text.removeprefix("Skipped: ").removeprefix("NOT TESTED: ")
