"""The routes of the API: method and path to what is done and who may."""

from __future__ import annotations

import json
import os
import re
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from . import checks
from .accounts import ADMIN, EDITOR, VIEWER, Accounts
from .answers import Answer, Refusal, already_exists, invalid, not_found
from .store import Object, Store

VERSION = "v0.138.0-lab"
OPEN = -1
"""A route for everyone."""


@dataclass(frozen=True)
class Request:
    """A request, with the identifiers in its path."""

    ids: tuple[str, ...] = ()
    query: Mapping[str, str] = field(default_factory=dict)
    json: Any = None

    @property
    def body(self) -> Object:
        if not isinstance(self.json, dict):
            raise invalid("the body is no JSON object")
        return self.json


Handler = Callable[[Request], Answer]


@dataclass(frozen=True)
class Route:
    method: str
    pattern: re.Pattern[str]
    rank: int
    handler: Handler


@dataclass(frozen=True)
class Kind:
    """Content of one kind: what it is called, and what SigNoz answers."""

    name: str
    path: str
    check: Callable[[Object, bool], None]
    """Called with the body and whether it is an update."""
    write_rank: int = EDITOR
    updated: int = 204
    only_id: bool = False
    """A new one is answered with its id alone."""
    added: Callable[[Object], Object] = lambda _: {}
    """What the server adds."""
    listed: Callable[[list[Object], Request], Any] = lambda objects, _: objects
    unique: str = ""
    """The field by which there is only one."""


class Api:
    """Every route over one store."""

    def __init__(self, store: Store, environ: Mapping[str, str] = os.environ) -> None:
        self.accounts = Accounts(store)
        self._store = store
        self._environ = environ
        self._routes: list[Route] = []
        self._add_health()
        self._add_accounts()
        for kind in self._kinds():
            self._add_kind(kind)
        self._add_dashboards()
        self._add_channels()
        self._add_pricing()
        self._add_retention()

    def answer(self, method: str, path: str, request: Request, key: str | None, authorization: str | None) -> Answer:
        """Raises `Refusal`."""
        methods: set[str] = set()
        for route in self._routes:
            if found := route.pattern.fullmatch(path):
                if route.method != method:
                    methods.add(route.method)
                    continue
                if route.rank > OPEN and self.accounts.rank(key, authorization) < route.rank:
                    raise Refusal(403, "forbidden", "the caller's role does not allow this")
                return route.handler(Request(found.groups(), request.query, request.json))
        if methods:
            raise Refusal(405, "method_not_allowed", f"{path} takes {', '.join(sorted(methods))}")
        raise not_found(f"{path} is no route of the lab's SigNoz: it")

    def _add(self, method: str, path: str, rank: int, handler: Handler) -> None:
        """`{}` in a path stands for an identifier."""
        self._routes.append(Route(method, re.compile(path.replace("{}", "([^/]+)")), rank, handler))

    def _add_health(self) -> None:
        self._add("GET", "/api/v1/health", OPEN, self._health)
        healthy = {"healthy": True, "services": {"running": ["apiserver", "rootuser", "sqlstore"]}}
        for path in ("/api/v2/healthz", "/api/v2/readyz", "/api/v2/livez"):
            self._add("GET", path, OPEN, lambda _: Answer(200, healthy))
        self._add("GET", "/api/v1/version", OPEN, self._version)
        external = self._environ.get("SIGNOZ_GLOBAL_EXTERNAL__URL", "")
        configuration = {"external_url": external, "ingestion_url": "", "mcp_url": "", "ai_assistant_url": ""}
        self._add("GET", "/api/v1/global/config", OPEN, lambda _: Answer(200, configuration))

    def _health(self, request: Request) -> Answer:
        if request.query.get("live") == "1":
            store = self._environ.get("SIGNOZ_TELEMETRYSTORE_CLICKHOUSE_DSN") or self._environ.get("ClickHouseUrl", "")
            address = urlsplit(store)
            try:
                socket.create_connection((address.hostname or "", address.port or 9000), timeout=2).close()
            except OSError as error:
                return Answer(503, {"status": f"ClickHouse: {error}"}, bare=True)
        return Answer(200, {"status": "ok"}, bare=True)

    def _version(self, _: Request) -> Answer:
        ready = bool(self._store.all("user"))
        return Answer(200, {"version": VERSION, "ee": "N", "setupCompleted": ready}, bare=True)

    def _add_accounts(self) -> None:
        accounts = self.accounts
        self._add("POST", "/api/v1/register", OPEN, lambda r: accounts.register(r.body))
        self._add("GET", "/api/v2/sessions/context", OPEN, lambda r: accounts.context(r.query.get("email", "")))
        self._add("POST", "/api/v2/sessions/email_password", OPEN, lambda r: accounts.open_session(r.body))
        self._add("GET", "/api/v1/roles", ADMIN, lambda _: Answer(200, self._store.all("role")))
        one, keys = "/api/v1/service_accounts/{}", "/api/v1/service_accounts/{}/keys"
        self._add("GET", "/api/v1/service_accounts", ADMIN, lambda _: Answer(200, self._store.all("service_account")))
        self._add("POST", "/api/v1/service_accounts", ADMIN, lambda r: accounts.add_service_account(r.body))
        self._add("GET", one, ADMIN, lambda r: Answer(200, accounts.service_account(r.ids[0])))
        self._add("DELETE", one, ADMIN, lambda r: accounts.remove_service_account(r.ids[0]))
        self._add("POST", "/api/v1/service_account_roles", ADMIN, lambda r: accounts.add_role(r.body))
        self._add("GET", keys, ADMIN, lambda r: Answer(200, accounts.keys(r.ids[0])))
        self._add("POST", keys, ADMIN, lambda r: accounts.add_key(r.ids[0], r.body))
        self._add("DELETE", f"{keys}/{{}}", ADMIN, lambda r: accounts.remove_key(*r.ids))

    def _kinds(self) -> tuple[Kind, ...]:
        def dashboards(objects: list[Object], request: Request) -> Object:
            limit, offset = _number(request, "limit", 20, 200), _number(request, "offset", 0, 10**9)
            page = objects[offset : offset + limit]
            return {"dashboards": page, "total": len(objects), "tags": [], "reservedKeywords": []}

        return (
            Kind(
                "dashboard", "/api/v2/dashboards", lambda body, update: checks.dashboard(body, update=update),
                updated=200, listed=dashboards, added=lambda old: {
                    "locked": old.get("locked", False), "source": "user", "orgId": self.accounts.organisation_id,
                    **({"name": old["name"]} if "name" in old else {}),
                },
            ),
            Kind("rule", "/api/v2/rules", lambda body, _: checks.rule(body), added=lambda _: {"state": "inactive"}),
            Kind(
                "route policy", "/api/v1/route_policies", lambda body, _: checks.route_policy(body), write_rank=ADMIN,
                updated=200, added=lambda _: {"createdBy": "lab", "updatedBy": "lab"},
            ),
            Kind(
                "downtime", "/api/v1/downtime_schedules", lambda body, _: checks.downtime(body),
                added=lambda _: {"status": "upcoming", "kind": "fixed"},
            ),
            Kind(
                "saved view", "/api/v2/saved_views", lambda body, update: checks.saved_view(body, update=update),
                only_id=True, unique="name", added=lambda old: {"name": old["name"]} if "name" in old else {},
            ),
        )  # fmt: skip

    def _add_kind(self, kind: Kind) -> None:
        def create(request: Request) -> Answer:
            kind.check(request.body, False)
            value = _named(request.body)
            if kind.unique and any(each[kind.unique] == value[kind.unique] for each in self._store.all(kind.name)):
                raise already_exists(f"a {kind.name} {value[kind.unique]} exists")
            stored = self._store.add(kind.name, {**value, **kind.added(value)})
            return Answer(201, {"id": stored["id"]} if kind.only_id else stored)

        def update(request: Request) -> Answer:
            old = self._found(kind.name, request.ids[0])
            kind.check(request.body, True)
            stored = self._store.replace(kind.name, old, {**request.body, **kind.added(old)})
            return Answer(kind.updated, stored)

        def remove(request: Request) -> Answer:
            self._store.remove(kind.name, self._found(kind.name, request.ids[0])["id"])
            return Answer(204)

        one = f"{kind.path}/{{}}"
        self._add("GET", kind.path, VIEWER, lambda r: Answer(200, kind.listed(self._store.all(kind.name), r)))
        self._add("POST", kind.path, kind.write_rank, create)
        self._add("GET", one, VIEWER, lambda r: Answer(200, self._found(kind.name, r.ids[0])))
        self._add("PUT", one, kind.write_rank, update)
        self._add("DELETE", one, kind.write_rank, remove)

    def _add_dashboards(self) -> None:
        def gone(_: Request) -> Answer:
            raise Refusal(501, "dashboard_deprecated", "dashboards are served by /api/v2/dashboards")

        for method in ("GET", "POST", "PUT", "DELETE"):
            self._add(method, "/api/v1/dashboards(?:/.*)?", OPEN, gone)

        def lock(locked: bool) -> Handler:
            def change(request: Request) -> Answer:
                old = self._found("dashboard", request.ids[0])
                self._store.replace("dashboard", old, {**old, "locked": locked})
                return Answer(204)

            return change

        self._add("PUT", "/api/v2/dashboards/{}/lock", EDITOR, lock(True))
        self._add("DELETE", "/api/v2/dashboards/{}/lock", EDITOR, lock(False))
        self._add("POST", "/api/v2/rules/test", EDITOR, self._test_rule)

    def _test_rule(self, request: Request) -> Answer:
        checks.rule(request.body)
        return Answer(200, {"alertCount": 0, "message": "lab: nothing is evaluated"})

    def _add_channels(self) -> None:
        path, one = "/api/v1/channels", "/api/v1/channels/{}"

        def record(body: Object) -> Object:
            kind = checks.channel(body)
            return {
                "name": body["name"],
                "type": kind,
                "data": json.dumps(body),
                "orgId": self.accounts.organisation_id,
            }

        def create(request: Request) -> Answer:
            value = record(request.body)
            if any(each["name"] == value["name"] for each in self._store.all("channel")):
                raise already_exists(f"a channel {value['name']} exists")
            return Answer(201, self._store.add("channel", value))

        def update(request: Request) -> Answer:
            old, value = self._found("channel", request.ids[0]), record(request.body)
            if value["name"] != old["name"]:
                raise invalid("a channel's name cannot be changed")
            self._store.replace("channel", old, value)
            return Answer(204)

        def remove(request: Request) -> Answer:
            self._store.remove("channel", self._found("channel", request.ids[0])["id"])
            return Answer(204)

        def test(request: Request) -> Answer:
            checks.channel(request.body)
            return Answer(204)

        self._add("POST", f"{path}/test", EDITOR, test)
        self._add("GET", path, VIEWER, lambda _: Answer(200, self._store.all("channel")))
        self._add("POST", path, ADMIN, create)
        self._add("GET", one, VIEWER, lambda r: Answer(200, self._found("channel", r.ids[0])))
        self._add("PUT", one, ADMIN, update)
        self._add("DELETE", one, ADMIN, remove)

    def _add_pricing(self) -> None:
        path = "/api/v1/llm_pricing_rules"

        def rules(request: Request) -> Answer:
            items = self._store.all("pricing rule")
            limit, offset = _number(request, "limit", 20, 200), _number(request, "offset", 0, 10**9)
            page = items[offset : offset + limit]
            return Answer(200, {"items": page, "total": len(items), "limit": limit, "offset": offset})

        def put(request: Request) -> Answer:
            given = request.body.get("rules")
            if not isinstance(given, list):
                raise invalid("rules is required")
            for rule in given:
                checks.pricing_rule(rule)
            known = {each.get("sourceId") or each["id"]: each for each in self._store.all("pricing rule")}
            for rule in given:
                value = {"isOverride": True, "orgId": self.accounts.organisation_id, **rule}
                if old := known.get(rule.get("sourceId") or rule.get("id")):
                    self._store.replace("pricing rule", old, value)
                else:
                    self._store.add("pricing rule", value)
            return Answer(204)

        def remove(request: Request) -> Answer:
            self._store.remove("pricing rule", self._found("pricing rule", request.ids[0])["id"])
            return Answer(204)

        self._add("GET", path, VIEWER, rules)
        self._add("PUT", path, ADMIN, put)
        self._add("GET", f"{path}/{{}}", VIEWER, lambda r: Answer(200, self._found("pricing rule", r.ids[0])))
        self._add("DELETE", f"{path}/{{}}", ADMIN, remove)

    def _add_retention(self) -> None:
        defaults = {"traces": 15 * 24, "metrics": 30 * 24}

        def stored(signal: str) -> Object | None:
            return self._store.get("retention", signal)

        def write(signal: str, value: Object) -> Answer:
            old = stored(signal)
            if old:
                self._store.replace("retention", old, value)
            else:
                self._store.add("retention", value, signal)
            return Answer(200, {"message": "move ttl has been successfully set up"}, bare=True)

        def get(request: Request) -> Answer:
            signal = _signal(request.query.get("type"), defaults)
            hours = (stored(signal) or {}).get("hours", defaults[signal])
            keys = (f"{signal}_ttl_duration_hrs", f"expected_{signal}_ttl_duration_hrs")
            return Answer(200, {**dict.fromkeys(keys, hours), "status": "success"}, bare=True)

        def set_hours(request: Request) -> Answer:
            signal = request.query.get("type")
            if signal == "logs":
                raise invalid("logs: only SetTTLV2 is supported")
            signal = _signal(signal, defaults)
            found = re.fullmatch(r"([1-9]\d*)h(0m0s)?", request.query.get("duration", ""))
            if not found:
                raise invalid("duration: hours, such as 720h")
            return write(signal, {"hours": int(found[1])})

        def get_days(request: Request) -> Answer:
            signal = _signal(request.query.get("type"), (*defaults, "logs"))
            value = stored(signal) or {}
            days = {
                "default_ttl_days": value.get("defaultTTLDays", 15),
                "ttl_conditions": value.get("ttlConditions", []),
            }
            return Answer(200, {"status": "success", "version": "v2", **days}, bare=True)

        def set_days(request: Request) -> Answer:
            signal = _signal(request.body.get("type"), (*defaults, "logs"))
            # As in 0.138, a value below 1 is taken (signoz#12701): whoever calls has to know better.
            return write(signal, request.body)

        self._add("GET", "/api/v1/settings/ttl", VIEWER, get)
        self._add("POST", "/api/v1/settings/ttl", ADMIN, set_hours)
        self._add("GET", "/api/v2/settings/ttl", VIEWER, get_days)
        self._add("POST", "/api/v2/settings/ttl", ADMIN, set_days)

    def _found(self, kind: str, identifier: str) -> Object:
        found = self._store.get(kind, identifier)
        if found is None:
            raise not_found(kind)
        return found


def _named(body: Object) -> Object:
    """`body` with a name of the server's where it asks for one."""
    if not body.get("generateName"):
        return body
    rest = {name: value for name, value in body.items() if name != "generateName"}
    return {"name": f"lab-{os.urandom(4).hex()}", **rest}


def _signal(value: Any, allowed: Any) -> str:
    checks.one_of(value, "type", tuple(allowed))
    return str(value)


def _number(request: Request, name: str, default: int, most: int) -> int:
    value = request.query.get(name, str(default))
    if not value.isdecimal() or int(value) > most:
        raise invalid(f"{name}: 0 to {most}")
    return int(value)
