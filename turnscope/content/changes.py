"""What a run of the engine found out about SigNoz' content, in words."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pulumi.automation import EngineEvent
from pulumi.automation.events import StepEventMetadata

from signoz.content.differences import Difference, differences
from signoz.content.resource_types import kind_of


@dataclass(frozen=True)
class Change:
    """One object; no differences where it is not there any more, or only its connection changes."""

    title: str
    differences: tuple[Difference, ...]
    gone: bool = False


@dataclass
class ContentChanges:
    """Follows engine events. `edited` is what people did in SigNoz since the last deployment (what was deployed ->
    what is there), known only after a refresh; `updated` what the deployment changes, apart from putting that back."""

    edited: dict[str, Change] = field(default_factory=dict)
    updated: dict[str, Change] = field(default_factory=dict)

    def on_event(self, event: EngineEvent) -> None:
        if event.res_outputs_event:
            self._step(event.res_outputs_event.metadata)

    def _step(self, step: StepEventMetadata) -> None:
        if kind_of(step.type) is None or step.old is None:
            return
        operation = getattr(step.op, "value", step.op)
        old = step.old.outputs or step.old.inputs or {}
        new = (step.new.outputs or step.new.inputs or {}) if step.new else {}
        name = step.urn.rsplit("::", 1)[-1]
        if operation == "refresh":
            if not new:
                self.edited[name] = Change(str(old.get("title")), (), gone=True)
            elif found := _differences(old, new):
                self.edited[name] = Change(str(old.get("title")), found)
        elif operation in ("update", "create-replacement") and name not in self.edited:
            wanted = step.new.inputs if step.new else {}
            self.updated[name] = Change(str((wanted or {}).get("title")), _differences(old, wanted or {}))

    def lines(self, stack: str, *, converging: bool) -> Iterator[str]:
        """For a terminal; nothing where nothing is to be told. `converging` is for an `up`, which puts things back."""
        if self.edited:
            yield "Edited in SigNoz since the deployment (deployed -> in SigNoz):"
            yield from _told(self.edited)
            if converging:
                yield "  reverted to the settings."
            else:
                keep = f"turnscope content export {stack} --all"
                yield f"  `turnscope up {stack} --refresh` reverts the edits; `{keep}` keeps them."
        if self.updated:
            yield "Changes of SigNoz content (in SigNoz -> settings):"
            yield from _told(self.updated)


def _told(changes: Mapping[str, Change]) -> Iterator[str]:
    for name, change in sorted(changes.items()):
        yield f"  {name} ({change.title})" + (": deleted in SigNoz" if change.gone else "")
        for each in change.differences:
            yield f"    {each}"
        if not change.differences and not change.gone:
            yield "    a secret, or the address of SigNoz"


def _differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[Difference, ...]:
    return tuple(differences(_body(old), _body(new)))


def _body(properties: Mapping[str, Any]) -> Any:
    try:
        return json.loads(properties["body"])
    except (KeyError, TypeError, ValueError):
        return None
