"""The routes of the API: method and path to what is done and who may."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from . import checks, content
from .accounts import ADMIN, EDITOR, VIEWER, Accounts
from .answers import Answer, NoRoute, Refusal, invalid, not_found
from .content import Kind
from .retention import Retention
from .store import Object, Store

VERSION = "v0.138.0-lab"
OPEN = -1
"""A route for everyone."""
LARGEST_PAGE_OF_PRICES = 100


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


class Api:
    """Every route over one store."""

    def __init__(self, store: Store, environ: Mapping[str, str] = os.environ) -> None:
        self.accounts = Accounts(store)
        self._store = store
        self._environ = environ
        self._routes: list[Route] = []
        self._add_health()
        self._add_accounts()
        for kind in content.kinds(store, lambda: self.accounts.organisation_id):
            self._add_kind(kind)
        self._add_dashboards()
        self._add_tests()
        self._add_pricing()
        self._add_retention()

    def answer(self, method: str, path: str, request: Request, key: str | None, authorization: str | None) -> Answer:
        """Raises `Refusal`."""
        wrong_method = False
        for route in self._routes:
            if found := route.pattern.fullmatch(path):
                if route.method != method:
                    wrong_method = True
                    continue
                if route.rank > OPEN and self.accounts.rank(key, authorization) < route.rank:
                    raise Refusal(403, "authz_forbidden", "the caller's role does not allow this")
                return route.handler(Request(found.groups(), request.query, request.json))
        raise NoRoute(405 if wrong_method else 404)

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
        self._add("GET", "/api/v2/orgs/me", ADMIN, lambda _: Answer(200, accounts.organisation))
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

    def _add_kind(self, kind: Kind) -> None:
        def found(identifier: str, *, on_update: bool = False) -> Object:
            checks.identifier(identifier)
            if (stored := self._store.get(kind.name, identifier)) is None:
                raise content.missing(kind, on_update=on_update)
            return stored

        def create(request: Request) -> Answer:
            kind.check(request.body, None)
            stored = self._store.add(kind.name, kind.filled(request.body))
            return Answer(201, {"id": stored["id"]} if kind.only_id else stored)

        def update(request: Request) -> Answer:
            old = found(request.ids[0], on_update=True)
            kind.check(request.body, old)
            kept = {name: old[name] for name in kind.kept}
            return Answer(kind.updated, self._store.replace(kind.name, old, {**kind.filled(request.body), **kept}))

        def remove(request: Request) -> Answer:
            try:
                old = found(request.ids[0])
            except Refusal as refusal:
                if kind.gone_is_removed and refusal.status == 404:
                    return Answer(204)
                raise
            kind.check_removal(old)
            self._store.remove(kind.name, old["id"])
            return Answer(204)

        one = f"{kind.path}/{{}}"
        self._add("GET", kind.path, VIEWER, lambda r: Answer(200, kind.listed(self._store.all(kind.name), r.query)))
        self._add("POST", kind.path, kind.write_rank, create)
        self._add("GET", one, VIEWER, lambda r: Answer(200, found(r.ids[0])))
        self._add("PUT", one, kind.write_rank, update)
        self._add("DELETE", one, kind.write_rank, remove)

    def _add_dashboards(self) -> None:
        def gone(_: Request) -> Answer:
            raise Refusal(501, "dashboard_deprecated", "dashboards are served by /api/v2/dashboards")

        for method in ("GET", "POST", "PUT", "DELETE"):
            self._add(method, "/api/v1/dashboards(?:/.*)?", OPEN, gone)

        def lock(locked: bool) -> Handler:
            def change(request: Request) -> Answer:
                old = self._store.get("dashboard", request.ids[0])
                if old is None:
                    raise not_found("this dashboard")
                self._store.replace("dashboard", old, {**old, "locked": locked})
                return Answer(204)

            return change

        self._add("PUT", "/api/v2/dashboards/{}/lock", EDITOR, lock(True))
        self._add("DELETE", "/api/v2/dashboards/{}/lock", EDITOR, lock(False))

    def _add_tests(self) -> None:
        def test_rule(request: Request) -> Answer:
            checks.rule(request.body, {each["name"] for each in self._store.all("channel")})
            return Answer(200, {"alertCount": 0, "message": "lab: nothing is evaluated"})

        def test_channel(request: Request) -> Answer:
            checks.channel(request.body)
            return Answer(204)

        def preview(request: Request) -> Answer:
            queries = (request.body.get("compositeQuery") or {}).get("queries") or []
            checks.queries(queries)
            found = {str(each["spec"].get("name")): checks.preview(each) for each in queries}
            return Answer(200, {"compositeQuery": found})

        self._add("POST", "/api/v2/rules/test", EDITOR, test_rule)
        self._add("POST", "/api/v1/channels/test", EDITOR, test_channel)
        self._add("POST", "/api/v5/query_range/preview", VIEWER, preview)

    def _add_pricing(self) -> None:
        path = "/api/v1/llm_pricing_rules"

        def found(request: Request) -> Object:
            checks.identifier(request.ids[0])
            if (stored := self._store.get("pricing rule", request.ids[0])) is None:
                raise not_found("this pricing rule", "pricing_rule_not_found")
            return stored

        def rules(request: Request) -> Answer:
            items = self._store.all("pricing rule")[::-1]
            limit, offset = content.page(request.query, LARGEST_PAGE_OF_PRICES)
            page = items[offset : offset + limit]
            return Answer(200, {"items": page, "total": len(items), "offset": offset, "limit": limit})

        def put(request: Request) -> Answer:
            content.put_prices(self._store, request.body, self.accounts.organisation_id)
            return Answer(204)

        def remove(request: Request) -> Answer:
            self._store.remove("pricing rule", found(request)["id"])
            return Answer(204)

        self._add("GET", path, VIEWER, rules)
        self._add("PUT", path, ADMIN, put)
        self._add("GET", f"{path}/{{}}", VIEWER, lambda r: Answer(200, found(r)))
        self._add("DELETE", f"{path}/{{}}", ADMIN, remove)

    def _add_retention(self) -> None:
        retention = Retention(self._store)
        self._add("GET", "/api/v1/settings/ttl", VIEWER, lambda r: retention.get_hours(r.query))
        self._add("POST", "/api/v1/settings/ttl", ADMIN, lambda r: retention.set_hours(r.query))
        self._add("GET", "/api/v2/settings/ttl", VIEWER, lambda _: retention.get_days())
        self._add("POST", "/api/v2/settings/ttl", ADMIN, lambda r: retention.set_days(r.body))
