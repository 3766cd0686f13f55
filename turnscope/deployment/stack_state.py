"""What the engine says of a stack beyond the Automation API: when its state was saved, what an update would do."""

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
