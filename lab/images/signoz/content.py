"""What SigNoz keeps: dashboards, rules, channels and the like, and what it does with each kind."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from . import additions, checks
from .accounts import ADMIN, EDITOR
from .answers import Refusal, already_exists, invalid, not_found
from .store import Object, Store, timestamp


@dataclass(frozen=True)
class Kind:
    """`check` raises `Refusal`; it and `filled` are called with a body and, on an update, what it replaces."""

    name: str
    path: str
    check: Callable[[Object, Object | None], None]
    filled: Callable[[Object], Object]
    """What is stored for a body."""
    write_rank: int = EDITOR
    updated: int = 204
    only_id: bool = False
    """A new one is answered with its id alone."""
    listed: Callable[[list[Object], Mapping[str, str]], Any] = lambda objects, _: objects
    """Of all objects and the query of a request."""
    check_removal: Callable[[Object], None] = lambda _: None
    kept: tuple[str, ...] = ()
    """What an update leaves as it is."""
    gone: int = 404
    """How an update of what is not there is answered."""
    gone_code: str = "not_found"
    gone_is_removed: bool = False
    """Deleting what is not there is answered as if it had been."""


def kinds(store: Store, organisation: Callable[[], str]) -> tuple[Kind, ...]:
    def names(kind: str) -> set[str]:
        return {str(each["name"]) for each in store.all(kind)}

    def check_dashboard(body: Object, old: Object | None) -> None:
        if old and old.get("locked"):
            raise invalid("cannot update a locked dashboard")
        checks.dashboard(body, old)
        if not old and body.get("name") in names("dashboard"):
            raise already_exists(f"dashboard {body['name']} already exists")

    def check_unlocked(dashboard: Object) -> None:
        if dashboard.get("locked"):
            raise invalid("cannot delete a locked dashboard")

    def check_saved_view(body: Object, old: Object | None) -> None:
        checks.saved_view(body, old)
        if not old and body.get("name") in names("saved view"):
            raise already_exists(f"saved view with name {body['name']} already exists")

    def check_channel(body: Object, old: Object | None) -> None:
        checks.channel(body)
        if old and body["name"] != old["name"]:
            raise invalid("cannot update channel name", code="alertmanager_channel_name_mismatch")
        if not old and body["name"] in {*names("channel"), "default-receiver"}:
            raise invalid("the receiver name has to be unique", code="alertmanager_config_conflict")

    def check_unused(channel: Object) -> None:
        name = channel["name"]
        users = [each["name"] for each in store.all("route policy") if name in each["channels"]]
        for rule in store.all("rule"):
            thresholds = (rule["condition"].get("thresholds") or {}).get("spec") or []
            users += [rule["id"] for each in thresholds if name in (each.get("channels") or [])]
        if users:
            raise invalid(f'channel "{name}" cannot be deleted because it is used by: {", ".join(users)}')

    def check_rule(body: Object, _: Object | None) -> None:
        checks.rule(body, names("channel"))

    def check_unmentioned(rule: Object) -> None:
        if any(rule["id"] in each["alertIds"] for each in store.all("downtime")):
            raise already_exists("cannot delete rule because it is referenced by a planned maintenance")

    def check_downtime(body: Object, _: Object | None) -> None:
        checks.downtime(body, {each["id"] for each in store.all("rule")})

    def check_mentions_none(downtime: Object) -> None:
        if downtime["alertIds"]:
            raise already_exists("cannot delete planned maintenance because it is referenced by associated rules")

    def dashboard(body: Object) -> Object:
        filled = additions.dashboard(named(body))
        # The first spelling of a tag is that of all dashboards.
        known = {_tag(tag): tag for each in store.all("dashboard")[::-1] for tag in each["tags"]}
        tags = {_tag(tag): known.get(_tag(tag), tag) for tag in filled["tags"]}
        return {**filled, "tags": list(tags.values()), "locked": False, "orgId": organisation()}

    def channel(body: Object) -> Object:
        return {**additions.channel(body, checks.channel(body)), "orgId": organisation()}

    return (
        Kind(
            "dashboard", "/api/v2/dashboards", check_dashboard, dashboard, updated=200, listed=_page_of_dashboards,
            check_removal=check_unlocked,
        ),
        Kind("rule", "/api/v2/rules", check_rule, additions.rule, check_removal=check_unmentioned),
        Kind(
            "channel", "/api/v1/channels", check_channel, channel, write_rank=ADMIN, check_removal=check_unused,
            gone_code="alertmanager_channel_not_found",
        ),
        Kind(
            "route policy", "/api/v1/route_policies", lambda body, _: checks.route_policy(body), additions.route_policy,
            write_rank=ADMIN, updated=200, gone=400, gone_is_removed=True,
        ),
        Kind(
            "downtime", "/api/v1/downtime_schedules", check_downtime, additions.downtime,
            check_removal=check_mentions_none, gone_is_removed=True,
        ),
        Kind(
            "saved view", "/api/v2/saved_views", check_saved_view, lambda body: additions.saved_view(named(body)),
            only_id=True, kept=("name",), gone_code="saved_view_not_found",
        ),
    )  # fmt: skip


def put_prices(store: Store, body: Object, organisation: str) -> None:
    """By id or source; what has neither is added, also where one of the same model is there."""
    given = body.get("rules") or []
    for price in given:
        checks.pricing_rule(price)
    for price in given:
        old = store.get("pricing rule", str(price.get("id")))
        if old is None and price.get("sourceId"):
            same = (each for each in store.all("pricing rule") if each.get("sourceId") == price["sourceId"])
            old = next(same, None)
        value = {**additions.price(price), "orgId": organisation, "syncedAt": timestamp()}
        if old:
            store.replace("pricing rule", old, value)
        else:
            store.add("pricing rule", value)


def page(query: Mapping[str, str], most: int) -> tuple[int, int]:
    """Limit and offset. Raises `Refusal`."""
    limit, offset = query.get("limit", "0"), query.get("offset", "0")
    if not re.fullmatch(r"\d+", limit) or not re.fullmatch(r"\d+", offset):
        raise invalid("limit and offset: 0 or more")
    return min(int(limit) or 20, most), int(offset)


def missing(kind: Kind, *, on_update: bool) -> Refusal:
    if on_update and kind.gone != 404:
        return Refusal(kind.gone, kind.gone_code, f"{kind.name} not found")
    return not_found(f"this {kind.name}", kind.gone_code)


def _tag(tag: Object) -> tuple[str, str]:
    return str(tag["key"]).lower(), str(tag["value"]).lower()


def named(body: Object) -> Object:
    """`body` with a name of the server's where it asks for one."""
    if not body.get("generateName"):
        return body
    rest = {name: value for name, value in body.items() if name != "generateName"}
    return {"name": f"lab-{os.urandom(4).hex()}", **rest}


def _page_of_dashboards(objects: list[Object], query: Mapping[str, str]) -> Object:
    """Without panels."""
    limit, offset = page(query, 200)
    shown = [{**each, "spec": {"display": each["spec"]["display"]}} for each in reversed(objects)]
    reserved = sorted(checks.RESERVED_TAGS)
    return {
        "dashboards": shown[offset : offset + limit],
        "total": len(objects),
        "tags": [],
        "reservedKeywords": reserved,
    }
