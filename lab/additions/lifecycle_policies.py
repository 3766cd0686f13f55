"""Data Lifecycle Manager: policies that make snapshots of volumes.

AWS keeps a policy under an identifier and makes snapshots by it.
https://docs.aws.amazon.com/dlm/latest/APIReference/Welcome.html

moto has no such service. Policies are kept here; no snapshot is made.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.moto_server.werkzeug_app import DomainDispatcherApplication

SCOPE = re.compile(r"Credential=[^/]+/\d{8}/(?P<region>[a-z0-9-]+)/dlm/")
POLICY = re.compile(r"/policies/(?P<id>policy-[0-9a-f]+)/?")
DEFAULTS = {"PolicyType": "EBS_SNAPSHOT_MANAGEMENT"}

Answer = tuple[str, dict[str, Any]]
Application = Callable[[Any, dict[str, Any], Callable[..., Any]], Iterable[bytes]]

_call: Application = DomainDispatcherApplication.__call__
_policies: dict[str, dict[str, Any]] = {}
"""By identifier."""


def answer(method: str, path: str, body: dict[str, Any], region: str) -> Answer:
    """Status and content of the answer to a request."""
    if path.rstrip("/") == "/policies":
        return (
            _created(body, region) if method == "POST" else ("200 OK", {"Policies": list(map(_summary, _all(region)))})
        )
    found = POLICY.fullmatch(path)
    policy = _policies.get(found["id"]) if found else None
    if policy is None:
        return "404 Not Found", {"Message": "No such policy.", "ResourceType": "policy", "ResourceIds": [path]}
    if method == "DELETE":
        del _policies[policy["PolicyId"]]
        return "200 OK", {}
    if method == "PATCH":
        details = body.pop("PolicyDetails", None)
        policy |= {**body, "DateModified": _now()}
        if details:
            policy["PolicyDetails"] = DEFAULTS | details
        return "200 OK", {}
    return "200 OK", {"Policy": policy}


def _created(body: dict[str, Any], region: str) -> Answer:
    identifier = f"policy-{secrets.token_hex(9)[:17]}"
    _policies[identifier] = {
        **body,
        "PolicyId": identifier,
        "PolicyArn": f"arn:aws:dlm:{region}:{DEFAULT_ACCOUNT_ID}:policy/{identifier}",
        "PolicyDetails": DEFAULTS | body.get("PolicyDetails", {}),
        "DateCreated": _now(),
        "DateModified": _now(),
    }
    return "200 OK", {"PolicyId": identifier}


def _all(region: str) -> list[dict[str, Any]]:
    return [each for each in _policies.values() if f":{region}:" in each["PolicyArn"]]


def _summary(policy: dict[str, Any]) -> dict[str, Any]:
    return {name: policy[name] for name in ("PolicyId", "Description", "State", "Tags") if name in policy}


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def call(self: Any, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    scope = SCOPE.search(environ.get("HTTP_AUTHORIZATION", ""))
    if scope is None:
        return _call(self, environ, start_response)
    length = int(environ.get("CONTENT_LENGTH") or 0)
    body = json.loads(environ["wsgi.input"].read(length) or b"{}") if length else {}
    status, content = answer(environ["REQUEST_METHOD"], environ["PATH_INFO"], body, scope["region"])
    text = json.dumps(content).encode()
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(text)))]
    if status.startswith("404"):
        headers.append(("x-amzn-ErrorType", "ResourceNotFoundException"))
    start_response(status, headers)
    return [text]


def install() -> None:
    DomainDispatcherApplication.__call__ = call
