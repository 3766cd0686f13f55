"""`turnscope events check`: what it says of lines, and that the deployed record validation says the same."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from analytics.plan.record_schema import shipped_record_schema
from analytics.record_validation import lines
from core.errors import UserError
from core.events import SESSION_ANALYTICS, VOICE_METRICS
from simulate import recording
from tests.poison import poison
from tests.unit.conftest import ROOT
from turnscope.commands.events import events

TURN = {"_event_type": VOICE_METRICS, "_timestamp": "2026-03-10T11:59:58Z", "_session_id": "room"}
GOOD = json.dumps(TURN)
OTHER = (
    '{"message": "voice_metrics and session_analytics are sent", "level": "INFO", "name": "agent"}',
    "session_analytics: not JSON, and no event",
    '{"_event_type": "voice_metric", "_timestamp": "2026-03-10T11:59:58Z"}',
    '{"log": "{\\"_event_type\\": \\"voice_metrics\\"}"}',
    '{"_event_type": "another"',
    "",
    "Traceback (most recent call last):",
)


def check(*arguments: str, given: str | bytes | None = None) -> Result:
    return CliRunner().invoke(events, ["check", *arguments], input=given)


def checked(given: str, *arguments: str) -> dict[str, Any]:
    result = check("-", "--json", *arguments, given=given)
    found = json.loads(result.stdout)
    accepted = sum(counts["accepted"] for counts in found["events"].values())
    assert result.exit_code == int(bool(found["rejected"] or not accepted))
    return found


@pytest.mark.parametrize("name", recording.names())
def test_a_recorded_agents_lines_pass(name: str) -> None:
    result = check(str(ROOT / "simulate" / "recordings" / f"{name}.jsonl"), "--json")
    assert result.exit_code == 0
    found = json.loads(result.stdout)
    types = [json.loads(each.message).get("_event_type") for each in recording.recorded(name)]
    counts = {event: {"accepted": types.count(event), "rejected": 0} for event in (VOICE_METRICS, SESSION_ANALYTICS)}
    assert found == {"lines": len(types), "other": types.count(None), "events": counts, "rejected": []}


def test_every_bad_line_is_named_with_number_field_and_reason() -> None:
    bad = [(event, each) for event, found in poison().items() for each in found]
    text = "\n".join(line for _, each in bad for line in (GOOD, each.line))
    found = checked(text)
    assert len(found["rejected"]) == len(bad) == 9
    for number, (said, (event, each)) in enumerate(zip(found["rejected"], bad, strict=True), 1):
        assert (said["line"], said["event"], said["field"]) == (2 * number, event, each.field)
        assert each.reason in said["reason"]
    assert found["events"] == {
        VOICE_METRICS: {"accepted": 9, "rejected": 5},
        SESSION_ANALYTICS: {"accepted": 0, "rejected": 4},
    }
    printed = check("-", given=text)
    assert printed.exit_code == 1
    for said in found["rejected"]:
        assert f"stdin:{said['line']}: {said['event']}: {said['reason']}" in printed.output.splitlines()
        assert said["field"] is None or said["field"] in said["reason"]


def test_ordinary_log_lines_are_counted_and_no_mistake() -> None:
    found = checked("\r\n".join([*OTHER, GOOD, ""]))
    assert (found["lines"], found["other"], found["rejected"]) == (len(OTHER) + 1, len(OTHER), [])


@pytest.mark.parametrize("given", ["", "\n".join(OTHER)])
def test_a_log_without_an_event_fails(given: str) -> None:
    """A producer that writes none, or that misspells `_event_type`, must not pass a build."""
    result = check("-", given=given)
    assert result.exit_code == 1
    assert "no event. An event is a JSON object on one line whose _event_type is voice_metrics or" in result.output


def test_several_events_on_a_line_count_each_and_bytes_that_are_no_text_are_no_trouble() -> None:
    result = check("-", "--json", given=f"{GOOD}{GOOD}".encode().replace(b"room", b"\xff") + b"\n\xff\xfe\x00\n")
    assert result.exit_code == 0
    found = json.loads(result.stdout)
    assert (found["lines"], found["other"], found["events"][VOICE_METRICS]["accepted"]) == (2, 1, 2)


LEAST = "  turnscope:owner: tests\n  turnscope:agents: {voice-agent: {}}\n"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stacks `own`, with a field and a limit of its own and one event, and `none`, without analytics."""
    stacks = tmp_path / "stacks"
    stacks.mkdir()
    shutil.copy(ROOT / "Pulumi.yaml", tmp_path)
    shutil.copy(ROOT / "stacks" / "base.yaml", stacks)
    analytics = (
        "{record_max_kib: 16, events: [voice_metrics], extra_fields: {voice_metrics: {crm.rooms: {type: integer}}}}"
    )
    (stacks / "Pulumi.own.yaml").write_text(
        f"config:\n{LEAST}  turnscope:environment: dev\n  turnscope:analytics: {analytics}\n"
    )
    (stacks / "Pulumi.none.yaml").write_text(f"config:\n{LEAST}  turnscope:environment: dev\n")
    monkeypatch.setenv("TURNSCOPE_PROJECT", str(tmp_path))
    return tmp_path


def test_a_stacks_own_fields_and_limits_count_where_it_is_named(project: Path) -> None:
    text = "\n".join(
        [
            json.dumps({**TURN, "crm": {"rooms": 3}}),
            json.dumps({**TURN, "crm": {"rooms": "three"}}),
            json.dumps({**TURN, "x": "y" * 16 * 1024}),
            json.dumps({**TURN, "_event_type": SESSION_ANALYTICS}),
        ]
    )
    assert not checked(text)["rejected"]
    found = checked(text, "--stack", "own")
    assert [(each["line"], each["field"]) for each in found["rejected"]] == [(2, "crm.rooms"), (3, None)]
    assert "at most 16384" in found["rejected"][1]["reason"]
    assert (found["other"], list(found["events"])) == (1, [VOICE_METRICS])


def test_what_cannot_be_read_is_one_message(project: Path, tmp_path: Path) -> None:
    for arguments, said in (
        ([str(tmp_path / "gone.log")], "gone.log: cannot be read: No such file or directory"),
        ([str(tmp_path)], "cannot be read: Is a directory"),
        (
            ["-", "--stack", "none"],
            "--stack none: allowed: a stack with analytics (turnscope:analytics), or no --stack",
        ),
        (["-", "--stack", "gone"], "gone"),
    ):
        result = check(*arguments, given=GOOD)
        assert isinstance(result.exception, UserError)
        assert said in str(result.exception)
        assert result.exception.exit_code == 2
        assert not result.output


def test_lines_are_checked_one_by_one() -> None:
    """An object over several lines would be several log events."""
    log = json.dumps(TURN, indent=1).encode().splitlines(keepends=True)
    found = lines.check(log, shipped_record_schema())
    assert (found.lines, found.accepted.total()) == (5, 0)
    assert [(each.number, "not JSON" in each.reason) for each in found.rejected] == [(2, True)]


GUIDE = (ROOT / "docs" / "how-to" / "events.md").read_text()


def test_the_lines_that_the_guide_shows_are_good() -> None:
    (shown,) = re.findall(r"```json\n(.*?)```", GUIDE, re.DOTALL)
    found = checked(shown)
    assert (found["other"], found["rejected"]) == (0, [])
    assert {event: counts["accepted"] for event, counts in found["events"].items()} == dict.fromkeys(found["events"], 1)


def test_the_guide_shows_what_is_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    call = json.dumps({**TURN, "_event_type": SESSION_ANALYTICS, "_session_id": None})
    log = [GOOD, GOOD, json.dumps({**TURN, "total_latency": "0.91"}), GOOD, GOOD, GOOD, *OTHER[:2], call]
    (tmp_path / "call.log").write_text("\n".join(log))
    printed = "\n".join(line.rstrip() for line in check("call.log").output.splitlines())
    assert f"```\n{printed}\n```" in GUIDE
