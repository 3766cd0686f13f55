"""What SigNoz would take without a word although it is wrong, asked about before it is sent.

A rule whose query nobody can run is stored (and fails at each evaluation, in the server's log alone); so is a route
policy to a channel that is not there. Both were tried on release 0.138.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from signoz.content.api.errors import Invalid, NotFound, ServerError, Unreachable, Unsupported
from signoz.content.api.http import Http

PREVIEW = "/api/v5/query_range/preview"
WINDOW_SECONDS = 300


def refuse_wrong_queries(http: Http, rule: Mapping[str, Any]) -> None:
    """Have the server plan each query of a rule. Raises `Invalid` with the query's name and the server's words.

    A query that cannot be planned because the store is down passes: that is no mistake in it.
    """
    asked = (rule.get("condition") or {}).get("compositeQuery") or {}
    if not asked.get("queries"):
        return
    end = int(time.time())
    body = {
        "schemaVersion": "v1",
        "start": (end - WINDOW_SECONDS) * 1000,
        "end": end * 1000,
        "requestType": "time_series",
        "compositeQuery": {"queries": asked["queries"]},
        "variables": {},
    }
    try:
        answer = http.ask("POST", PREVIEW, json=body, repeatable=True)
    except (NotFound, ServerError, Unreachable, Unsupported):
        return
    previews = answer.get("compositeQuery") if isinstance(answer, dict) else None
    for name, preview in sorted((previews or {}).items()):
        if reason := _mistake(preview):
            raise Invalid(f"SigNoz at {http.address} rejected query {name} of the rule: {reason}")


def refuse_unknown_channels(http: Http, policy: Mapping[str, Any]) -> None:
    """Raises `Invalid` for a route policy to a channel that the server has not."""
    there = {str(each.get("name")) for each in http.ask("GET", "/api/v1/channels") or []}
    if missing := [name for name in policy.get("channels") or [] if name not in there]:
        raise Invalid(
            f"SigNoz at {http.address} has no channel {', '.join(missing)}; "
            f"there are: {', '.join(sorted(there)) or 'none'}."
        )


def _mistake(preview: Mapping[str, Any]) -> str | None:
    error = preview.get("error") or {}
    words = " ".join(str(error.get("message") or "").split())
    # Other errors are the store's: no connection, a table that is not there yet.
    if words and (error.get("type") == "invalid-input" or "parse" in words):
        return f"{words}."
    # PromQL that cannot be parsed is but warned of.
    return next((f"{each}." for each in preview.get("warnings") or [] if "parse error" in each), None)
