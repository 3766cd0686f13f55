"""A stack in the engine: its state and outputs in one question, when it was saved, what an update would do."""

from __future__ import annotations

import json
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pulumi import automation
from pulumi.automation.errors import CommandError

from core.errors import UserError
from turnscope.deployment.failure import engine_words

STACK_TYPE = "pulumi:pulumi:Stack"


SECRET = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270"}
"""What marks a secret value in a state (sdk/go/common/resource/sig)."""


class EngineStack(automation.Stack):
    """A stack that is asked only for what is read: the Automation API asks for outputs twice and for the history after
    each run, and each question starts the engine."""

    def resources(self) -> list[dict[str, Any]]:
        """The resources in the state, secrets in clear where `revealed`."""
        return (self.export_stack().deployment or {}).get("resources", [])

    def outputs(self) -> automation.OutputMap:
        """As the Automation API has them."""
        roots = [each for each in self.resources() if each["type"] == STACK_TYPE]
        found = roots[0].get("outputs", {}) if roots else {}
        return {name: automation.OutputValue(revealed(value), is_secret(value)) for name, value in found.items()}

    def info(self, show_secrets: bool = True) -> automation.UpdateSummary | None:
        """Of a run that ended; nobody reads more of it."""
        return automation.UpdateSummary("update", datetime.now(UTC), "", {}, {}, "succeeded")


def is_secret(value: object) -> bool:
    """Whether a property in an exported state is a secret."""
    return isinstance(value, dict) and SECRET.items() <= value.items()


def revealed(value: Any) -> Any:
    """A property in an exported state, in clear where it is a secret."""
    return json.loads(value["plaintext"]) if is_secret(value) else value


def saved_at(stack: automation.Stack) -> datetime:
    """When the engine last saved the state; long ago where it never did."""
    try:
        return datetime.fromisoformat((stack.export_stack().deployment or {})["manifest"]["time"])
    except (CommandError, KeyError, ValueError):
        return datetime.min.replace(tzinfo=UTC)


def update_plan(stack: automation.Stack, config_file: str | None) -> dict[str, Any]:
    """What `up` would do, as the engine's update plan.

    With secrets in clear, as `Stack.export_stack` has them: the plan's own encryption is that of the configuration, and
    the state's may be another. Raises `UserError` (exit code 1) where the preview fails.
    """
    workspace = stack.workspace
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "plan.json"
        command = ["preview", "--stack", stack.name, f"--save-plan={path}", "--show-secrets", "--suppress-outputs"]
        if config_file:
            command.append(f"--config-file={config_file}")
        try:
            workspace.pulumi_command.run(command, workspace.work_dir, workspace.env_vars)
        except CommandError as error:
            raise UserError(
                f"What the killed run created cannot be looked for: the preview of stack {stack.name} failed. No "
                f"resource was changed.\n{engine_words(error)}",
                exit_code=1,
            ) from None
        return json.loads(path.read_text(encoding="utf-8"))
