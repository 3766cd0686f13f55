"""CloudWatch Logs query definitions.

AWS keeps saved Logs Insights queries: PutQueryDefinition makes one, or changes the one whose id is given;
DescribeQueryDefinitions lists them by a prefix of their names; DeleteQueryDefinition removes one. An unknown id
is a ResourceNotFoundException.
https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutQueryDefinition.html

moto has none of the three.
"""

from __future__ import annotations

import json
import time
import uuid
from typing import Any

from moto.logs.exceptions import ResourceNotFoundException
from moto.logs.models import LogsBackend
from moto.logs.responses import LogsResponse


def _definitions(backend: LogsBackend) -> dict[str, dict[str, Any]]:
    # Kept on the backend so that each account and region has its own, as moto's other resources have.
    return vars(backend).setdefault("query_definitions", {})


def _known(backend: LogsBackend, definition_id: str) -> str:
    if definition_id not in _definitions(backend):
        raise ResourceNotFoundException("The specified query definition does not exist.")
    return definition_id


def put_query_definition(self: LogsResponse) -> str:
    given_id = self._get_param("queryDefinitionId")
    definition_id = _known(self.logs_backend, given_id) if given_id else str(uuid.uuid4())
    _definitions(self.logs_backend)[definition_id] = {
        "queryDefinitionId": definition_id,
        "name": self._get_param("name"),
        "queryString": self._get_param("queryString"),
        "queryLanguage": self._get_param("queryLanguage") or "CWLI",
        "logGroupNames": self._get_param("logGroupNames") or [],
        "lastModified": int(time.time() * 1000),
    }
    return json.dumps({"queryDefinitionId": definition_id})


def describe_query_definitions(self: LogsResponse) -> str:
    prefix = self._get_param("queryDefinitionNamePrefix") or ""
    found = [each for each in _definitions(self.logs_backend).values() if each["name"].startswith(prefix)]
    return json.dumps({"queryDefinitions": found})


def delete_query_definition(self: LogsResponse) -> str:
    definition_id = _known(self.logs_backend, self._get_param("queryDefinitionId"))
    del _definitions(self.logs_backend)[definition_id]
    return json.dumps({"success": True})


def install() -> None:
    for operation in (put_query_definition, describe_query_definitions, delete_query_definition):
        setattr(LogsResponse, operation.__name__, operation)
