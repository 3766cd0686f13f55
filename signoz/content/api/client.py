"""Content in a running SigNoz: make, read, change, delete and find objects of any kind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import httpx

from signoz.content.api import queries, retention
from signoz.content.api.errors import Conflict, Invalid, LostAnswer, NotFound, NotSigNoz, ServerError, Unsupported
from signoz.content.api.http import Http, RetryPolicy
from signoz.content.api.kinds import ENDPOINTS, Body, Endpoint
from signoz.content.model import Kind

PAGE = 200
"""The most that a page of a listing may have."""
SHORTEST_SECRET = 8
OLDEST = (0, 138)
"""Bodies are of this release; older ones have dashboards, rules and views of another form."""


class SigNozClient:
    """Every method raises `ApiError` (`signoz.content.api.errors`)."""

    def __init__(
        self,
        address: str,
        *,
        api_key: str | None = None,
        root_certificate: str | None = None,
        server_name: str | None = None,
        timeout_seconds: float = 30.0,
        retry_policy: RetryPolicy | None = None,
        transport: httpx.BaseTransport | None = None,
        use_proxy: bool = False,
    ) -> None:
        self._retry_policy = retry_policy or RetryPolicy()
        self._http = Http(
            address,
            root_certificate=root_certificate,
            server_name=server_name,
            headers={"SIGNOZ-API-KEY": api_key} if api_key else {},
            timeout_seconds=timeout_seconds,
            retry_policy=self._retry_policy,
            transport=transport,
            use_proxy=use_proxy,
        )
        self._supported = False

    def version(self) -> str:
        """As the server says it: `v0.138.0`."""
        answer = self._http.ask("GET", "/api/v1/version")
        if not isinstance(answer, dict) or "version" not in answer:
            raise NotSigNoz(f"{self._http.address} returns no SigNoz version. Is this the address of SigNoz?")
        return str(answer["version"])

    def organisation(self) -> str:
        """The identifier of the organisation that the key is of, which only an administrator's key may ask for. Raises
        `Unauthorized` for a key that the server does not know, `Forbidden` for another role, `Unsupported` for an older
        release."""
        self._refuse_old()
        answer = self._http.ask("GET", "/api/v2/orgs/me")
        if not isinstance(answer, dict) or "id" not in answer:
            raise NotSigNoz(f"{self._http.address} returns no organisation. Is this the address of SigNoz?")
        return str(answer["id"])

    def create(self, kind: Kind, body: Body) -> str:
        """Make an object; its identifier. Where the answer is lost, what was made is found instead of made twice."""
        self._check(kind, body)
        if kind is Kind.RETENTION:
            return retention.put(self._http, self._retry_policy, body)
        if kind is Kind.LLM_PRICES:
            return self._put_price(body, None)
        endpoint = ENDPOINTS[kind]
        hide = _secrets(kind, body)
        try:
            made = self._http.ask("POST", endpoint.path, json=body, hide=hide)
        except LostAnswer:
            if found := self.find(kind, body):
                return found
            try:
                made = self._http.ask("POST", endpoint.path, json=body, hide=hide)
            except Conflict:
                # The first one was still being worked on.
                if found := self.find(kind, body):
                    return found
                raise
        if not isinstance(made, dict) or "id" not in made:
            raise NotSigNoz(f"{self._http.address}{endpoint.path} created an object without an identifier.")
        return str(made["id"])

    def read(self, kind: Kind, object_id: str) -> dict[str, Any] | None:
        """The body as the server has it, with what it adds (`normalise`); None where it is gone."""
        self._refuse_old()
        if kind is Kind.RETENTION:
            return retention.get(self._http, object_id)
        endpoint = ENDPOINTS[kind]
        try:
            answer = self._http.ask("GET", _one(endpoint, object_id))
        except NotFound:
            return None
        return endpoint.opened(answer)

    def update(self, kind: Kind, object_id: str, body: Body) -> None:
        """Replace the body. Raises `NotFound` where it is gone, `Locked` for a dashboard that somebody locked."""
        self._check(kind, body)
        if kind is Kind.RETENTION:
            retention.put(self._http, self._retry_policy, body)
            return
        endpoint = ENDPOINTS[kind]
        if kind is Kind.LLM_PRICES:
            # One that is gone would be made again, with another identifier.
            self._http.ask("GET", _one(endpoint, object_id))
            self._put_price(body, object_id)
            return
        self._http.ask("PUT", _one(endpoint, object_id), json=endpoint.changed(body), hide=_secrets(kind, body))

    def delete(self, kind: Kind, object_id: str) -> None:
        """Delete it; fine where it is gone. Retention stays as it is: there is always one."""
        if kind is Kind.RETENTION:
            return
        endpoint = ENDPOINTS[kind]
        try:
            try:
                self._http.ask("DELETE", _one(endpoint, object_id))
            except Conflict:
                if kind is not Kind.DOWNTIME:
                    raise
                # One that names rules is refused.
                body = self.read(kind, object_id) or {}
                kept = {name: value for name, value in body.items() if name not in endpoint.own}
                self.update(kind, object_id, {**kept, "alertIds": []})
                self._http.ask("DELETE", _one(endpoint, object_id))
        except NotFound:
            return

    def list(self, kind: Kind) -> list[tuple[str, dict[str, Any]]]:
        """Identifier and body of every object of a kind, without the panels of dashboards (`read` has them)."""
        self._refuse_old()
        if kind is Kind.RETENTION:
            return [(signal, retention.get(self._http, signal)) for signal in retention.SIGNALS]
        endpoint = ENDPOINTS[kind]
        return [(str(each["id"]), endpoint.opened(each)) for each in self._listed(endpoint)]

    def find(self, kind: Kind, body: Body) -> str | None:
        """The identifier of the object that `body` describes, by what makes it the same one (`Endpoint.identity`)."""
        if kind is Kind.RETENTION:
            return str(body["signal"])
        identity = ENDPOINTS[kind].identity
        wanted = identity(body)
        return next((object_id for object_id, found in self.list(kind) if identity(found) == wanted), None)

    def _listed(self, endpoint: Endpoint) -> list[dict[str, Any]]:
        if endpoint.listed is None:
            return self._http.ask("GET", endpoint.path) or []
        found: list[dict[str, Any]] = []
        while True:
            page = self._http.ask("GET", endpoint.path, params={"limit": str(PAGE), "offset": str(len(found))}) or {}
            objects = page.get(endpoint.listed) or []
            found += objects
            if not objects or len(found) >= int(page.get("total") or 0):
                return found

    def _put_price(self, body: Body, object_id: str | None) -> str:
        """Prices are put in lists; one with an identifier is changed, one without is made."""
        # Two of one model and provider would be possible, and the second never used.
        known = object_id or self.find(Kind.LLM_PRICES, body)
        self._http.ask(
            "PUT", ENDPOINTS[Kind.LLM_PRICES].path, json={"rules": [{**body, **({"id": known} if known else {})}]}
        )
        made = known or self.find(Kind.LLM_PRICES, body)
        if made is None:
            raise ServerError(
                f"SigNoz at {self._http.address} accepted the price of {body.get('modelName')} but did not store it."
            )
        return made

    def _check(self, kind: Kind, body: Body) -> None:
        """Refuse what the server would take and not do. Raises `Invalid`."""
        self._refuse_old()
        if kind is Kind.ALERT_RULE:
            queries.refuse_wrong_queries(self._http, body)
        elif kind is Kind.ROUTE_POLICY:
            queries.refuse_unknown_channels(self._http, body)

    def _refuse_old(self) -> None:
        if self._supported:
            return
        version = self.version()
        numbers = version.removeprefix("v").split("-")[0].split(".")
        if all(part.isdecimal() for part in numbers) and tuple(map(int, numbers))[:2] < OLDEST:
            raise Unsupported(
                f"SigNoz at {self._http.address} is {version}; content as code requires v{OLDEST[0]}.{OLDEST[1]} "
                "or newer."
            )
        self._supported = True


def _one(endpoint: Endpoint, object_id: str) -> str:
    if not object_id:
        raise Invalid(f"{endpoint.path}: an object without an identifier")
    return f"{endpoint.path}/{quote(object_id, safe='')}"


def _secrets(kind: Kind, body: Any) -> list[str]:
    """What no message may repeat: the texts of a channel's receivers, templates and short words aside."""
    if kind is not Kind.CHANNEL:
        return []
    if isinstance(body, Mapping):
        return [text for key, each in body.items() if key != "name" for text in _secrets(kind, each)]
    if isinstance(body, list):
        return [text for each in body for text in _secrets(kind, each)]
    is_secret = isinstance(body, str) and len(body) >= SHORTEST_SECRET and "{{" not in body
    return [body] if is_secret else []


def identity_of(kind: Kind, body: Mapping[str, Any]) -> Any:
    """What makes `body` the same object as another of its kind."""
    return body.get("signal") if kind is Kind.RETENTION else ENDPOINTS[kind].identity(body)
