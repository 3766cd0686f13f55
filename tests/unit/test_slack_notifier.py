"""The Lambda that passes alarms on to Slack."""

from __future__ import annotations

import io
import json
import urllib.error
import urllib.request
from typing import Any

import pytest

from cloudwatch.slack_notifier import handler

ALARM = {
    "AlarmName": "turnscope-prod-a-agent-unhealthy",
    "AlarmDescription": "a: Agent unhealthy. Runbook: https://runbooks.example.com/agent-unhealthy.md",
    "NewStateValue": "ALARM",
    "NewStateReason": "P95 above 2 s",
    "Region": "us-west-1",
    "StateChangeTime": "2026-01-01T00:00:00",
}
SECRET = "https://hooks.slack.example.com/services/T0/B0/verysecret"


def test_an_alarm_says_its_state_why_and_where_to_read_on() -> None:
    sent = handler.slack_message("subject", json.dumps(ALARM))
    assert sent["text"] == "ALARM: turnscope-prod-a-agent-unhealthy"
    (attachment,) = sent["attachments"]
    assert "P95 above 2 s" in attachment["text"]
    assert "https://runbooks.example.com/agent-unhealthy.md" in attachment["text"]


@pytest.mark.parametrize("message", ["plain text of a budget", "{}", "[]", "null", '{"AlarmName": 1}'])
def test_any_other_message_passes_as_text(message: str) -> None:
    assert handler.slack_message("AWS Budgets", message)["attachments"][0]["text"] == message


def test_a_refusal_is_raised_so_that_sns_tries_again_and_keeps_the_address_secret(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(request: urllib.request.Request, timeout: int) -> Any:
        raise urllib.error.HTTPError(request.full_url, 403, f"no {request.full_url}", {}, io.BytesIO())  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(handler, "webhook_url", lambda: SECRET)
    monkeypatch.setattr(urllib.request, "urlopen", refuse)
    with pytest.raises(RuntimeError, match="Slack answered 403") as caught:
        handler.handler({"Records": [{"Sns": {"Message": json.dumps(ALARM)}}]}, None)
    assert "verysecret" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_every_record_is_posted(monkeypatch: pytest.MonkeyPatch) -> None:
    posted: list[dict[str, Any]] = []
    monkeypatch.setattr(handler, "post", posted.append)
    handler.handler({"Records": [{"Sns": {"Message": "a"}}, {"Sns": {"Subject": "b", "Message": "c"}}]}, None)
    assert [each["text"] for each in posted] == ["a", "b"]
