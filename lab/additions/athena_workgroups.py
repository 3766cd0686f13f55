"""Athena UpdateWorkGroup.

AWS changes what `ConfigurationUpdates` names and keeps the rest: `Remove<Name>: true` takes a setting away and
`ResultConfigurationUpdates` does the same inside `ResultConfiguration`.
https://docs.aws.amazon.com/athena/latest/APIReference/API_WorkGroupConfigurationUpdates.html

moto has no UpdateWorkGroup.
"""

from __future__ import annotations

from typing import Any

from moto.athena.responses import AthenaResponse

_NESTED = "ResultConfigurationUpdates"


def updated(configuration: dict[str, Any], updates: dict[str, Any]) -> dict[str, Any]:
    """`configuration` after `updates`, both as the API spells them; neither argument is changed."""
    result = dict(configuration)
    for name, value in updates.items():
        if name == _NESTED:
            result["ResultConfiguration"] = updated(result.get("ResultConfiguration", {}), value)
        elif name.startswith("Remove"):
            if value:
                result.pop(name.removeprefix("Remove"), None)
        else:
            result[name] = value
    return result


def update_work_group(self: AthenaResponse) -> Any:
    work_group = self.athena_backend.work_groups.get(self._get_param("WorkGroup"))
    if work_group is None:
        return self.error("WorkGroup is not found.", 400)
    work_group.configuration = updated(work_group.configuration, self._get_param("ConfigurationUpdates") or {})
    for attribute, name in (("description", "Description"), ("state", "State")):
        value = self._get_param(name)
        if value is not None:
            setattr(work_group, attribute, value)
    return "{}"


def install() -> None:
    setattr(AthenaResponse, update_work_group.__name__, update_work_group)
