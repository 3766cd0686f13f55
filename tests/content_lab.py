"""SigNoz' stand-in of the lab in this process, as httpx sees it; and a clock that only sleeping moves."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from lab.images.signoz.answers import Refusal
from lab.images.signoz.api import Api, Request
from lab.images.signoz.store import Store
from signoz.content.api.bootstrap import make_api_key
from signoz.content.api.client import SigNozClient
from signoz.content.api.http import RetryPolicy

ADDRESS = "https://signoz.example.com"
EMAIL, PASSWORD = "root@example.com", "Lab-password-1"
ROOT = {
    "SIGNOZ_USER_ROOT_ENABLED": "true",
    "SIGNOZ_USER_ROOT_EMAIL": EMAIL,
    "SIGNOZ_USER_ROOT_PASSWORD": PASSWORD,
}
Handler = Callable[[httpx.Request], "httpx.Response | None"]


@dataclass
class Clock:
    """Seconds that were slept."""

    seconds: float = 0.0
    naps: list[float] = field(default_factory=list)

    def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.seconds += seconds

    def retry_policy(self, seconds: float = 30.0) -> RetryPolicy:
        return RetryPolicy(seconds, self.sleep, lambda: self.seconds)


@dataclass
class Lab:
    """The stand-in over a store. `asked`: method and path of each request. `before` may answer in its place."""

    api: Api
    asked: list[tuple[str, str]] = field(default_factory=list)
    before: Handler | None = None

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append((request.method, request.url.path))
        if self.before is not None and (answer := self.before(request)) is not None:
            return answer
        return self.answer(request)

    def answer(self, request: httpx.Request) -> httpx.Response:
        given = Request(query=dict(request.url.params), json=json.loads(request.content or b"null"))
        headers = request.headers
        try:
            found = self.api.answer(
                request.method, request.url.path, given, headers.get("SIGNOZ-API-KEY"), headers.get("Authorization")
            )
        except Refusal as refusal:
            if isinstance(refusal.body, str):
                return httpx.Response(refusal.status, text=refusal.body)
            return httpx.Response(refusal.status, json=refusal.body)
        return httpx.Response(found.status) if found.body is None else httpx.Response(found.status, json=found.body)

    def count(self, method: str, path: str) -> int:
        return self.asked.count((method, path))

    @property
    def transport(self) -> httpx.MockTransport:
        return httpx.MockTransport(self)

    def key(self, clock: Clock | None = None) -> str:
        retry_policy = (clock or Clock()).retry_policy()
        return make_api_key(
            ADDRESS, None, EMAIL, PASSWORD, "turnscope", retry_policy=retry_policy, transport=self.transport
        )[0]

    def client(self, clock: Clock | None = None, key: str | None = None) -> SigNozClient:
        """As an administrator; `asked` is empty afterwards."""
        clock = clock or Clock()
        made = SigNozClient(
            ADDRESS, api_key=key or self.key(clock), transport=self.transport, retry_policy=clock.retry_policy()
        )
        self.asked.clear()
        return made


def make_lab(folder: Path) -> Lab:
    api = Api(Store(folder / f"signoz-{next(_numbers)}.db"), {})
    api.accounts.set_root(ROOT)
    return Lab(api)


_numbers = itertools.count()
