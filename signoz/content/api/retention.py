"""How long telemetry is kept: one object for each signal, `{"signal", "days", "cold_days"?, "cold_volume"?}`.

Setting it alters tables, which takes a while and goes wrong without a word (signoz#9553, #1982), and a number below 1
deletes what is written from then on (signoz#12701): so it is refused here, and read back until it is in force.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from signoz.content.api.errors import Conflict, Invalid, NotApplied, ServerError
from signoz.content.api.http import Http, RetryPolicy

SIGNALS = ("traces", "metrics", "logs")
FAILED = "failed"
HOURS = 24
APPLIED_WITHIN_SECONDS = 120.0
ASK_EVERY_SECONDS = 1.0


def get(http: Http, signal: str) -> dict[str, Any]:
    """What is in force; with `status` where the last change failed, which leaves some tables as they were."""
    answer = _ask(http, signal)
    found = _read(answer, signal)
    return {**found, "status": FAILED} if answer.get("status") == FAILED else found


def put(http: Http, retry_policy: RetryPolicy, body: Mapping[str, Any]) -> str:
    """Set it, wait until it is in force, and return the signal, which is its identifier.

    Raises `Invalid` before anything is sent, `NotApplied` where the server took it and nothing changed.
    """
    signal, wanted = _checked(body)
    in_force = {name: value for name, value in wanted.items() if name != "cold_volume"}
    deadline = retry_policy.now() + APPLIED_WITHIN_SECONDS
    if get(http, signal) == in_force:
        return signal
    while True:
        try:
            _set(http, signal, wanted)
            break
        except (Conflict, Invalid, ServerError) as error:
            # Another change of this signal is still under way.
            if "already" not in str(error) or retry_policy.now() > deadline:
                raise
            retry_policy.sleep(ASK_EVERY_SECONDS)
    # The first one may still be of the change before: this one is written down a moment after it was taken.
    failures = 0
    while True:
        answer = _ask(http, signal)
        found = _read(answer, signal)
        failures += answer.get("status") == FAILED
        if failures > 1 or retry_policy.now() > deadline:
            raise NotApplied(
                f"SigNoz at {http.address} accepted a retention of {_words(wanted)} for {signal}, but {_words(found)} "
                "is still in effect. See its log for the reason; ClickHouse may lack the storage policy or disk space."
            )
        if found == in_force and answer.get("status") in ("success", "", None):
            return signal
        retry_policy.sleep(ASK_EVERY_SECONDS)


def _checked(body: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    signal = body.get("signal")
    if signal not in SIGNALS:
        raise Invalid(f"retention: signal {signal!r}; allowed: {', '.join(SIGNALS)}.")
    days, cold = body.get("days"), body.get("cold_days")
    if days is None or not _is_whole(days) or days < 1:
        raise Invalid(
            f"retention of {signal}: {days!r} days; allowed: whole days, at least 1. Less would delete all data."
        )
    if cold is not None and (not _is_whole(cold) or not 1 <= cold < days):
        raise Invalid(f"retention of {signal}: cold storage after {cold!r} days; allowed: 1 to {days - 1}.")
    wanted: dict[str, Any] = {"signal": signal, "days": days}
    if cold is not None:
        wanted |= {"cold_days": cold, "cold_volume": body.get("cold_volume") or "s3"}
    return str(signal), wanted


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _set(http: Http, signal: str, wanted: Mapping[str, Any]) -> None:
    cold = wanted.get("cold_days")
    if signal == "logs":
        # The whole body: what is left out would count as 0.
        body: dict[str, Any] = {"type": signal, "defaultTTLDays": wanted["days"], "ttlConditions": []}
        if cold:
            body |= {"coldStorageVolume": wanted["cold_volume"], "coldStorageDurationDays": cold}
        http.ask("POST", "/api/v2/settings/ttl", json=body)
        return
    params = {"type": signal, "duration": f"{wanted['days'] * HOURS}h"}
    if cold:
        params |= {"coldStorage": wanted["cold_volume"], "toColdDuration": f"{cold * HOURS}h"}
    http.ask("POST", "/api/v1/settings/ttl", params=params)


def _ask(http: Http, signal: str) -> dict[str, Any]:
    version = "v2" if signal == "logs" else "v1"
    return http.ask("GET", f"/api/{version}/settings/ttl", params={"type": signal}) or {}


def _read(answer: Mapping[str, Any], signal: str) -> dict[str, Any]:
    """Days; hours that are no whole days are somebody's own, and rounded down to what is sure. The server does not say
    which volume cold parts go to."""
    if signal == "logs" and answer.get("default_ttl_days"):
        days, cold = answer["default_ttl_days"], answer.get("cold_storage_ttl_days")
    else:
        days = (answer.get(f"{signal}_ttl_duration_hrs") or 0) // HOURS
        cold = (answer.get(f"{signal}_move_ttl_duration_hrs") or 0) // HOURS
    found: dict[str, Any] = {"signal": signal, "days": days}
    if cold and cold > 0:
        found["cold_days"] = cold
    if conditions := answer.get("ttl_conditions"):
        found["conditions"] = conditions
    return found


def _words(value: Mapping[str, Any]) -> str:
    cold = f", cold after {value['cold_days']}" if "cold_days" in value else ""
    return f"{value['days']} days{cold}"
