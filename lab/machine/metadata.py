"""What the instance metadata service answers: pure. Version 2 of it, with tokens, and version 1 where it is allowed.

https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-instance-metadata-service.html
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

TOKEN_PATH = "/latest/api/token"  # noqa: S105
TOKEN_HEADER = "x-aws-ec2-metadata-token"  # noqa: S105
TTL_HEADER = "x-aws-ec2-metadata-token-ttl-seconds"
LONGEST_TOKEN_SECONDS = 21_600
VERSION = re.compile(r"latest|\d{4}-\d\d-\d\d")

Tree: TypeAlias = Mapping[str, "str | bytes | Tree"]
"""Categories and values by name; one named `0=name` is found as `0`, as public keys are."""


@dataclass(frozen=True)
class Options:
    """An instance's metadata options, as RunInstances has them."""

    enabled: bool = True
    tokens_required: bool = False
    hop_limit: int = 1
    """How many hops an answer to a request for a token lives: a container on the instance is one farther."""


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    """Names in lower case."""
    hops: int = 1


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


class Metadata:
    """The service of one instance. `describe` returns its options and what is below a version: `meta-data`, ..."""

    def __init__(
        self, describe: Callable[[], tuple[Options, Tree]], seconds_now: Callable[[], float] = time.monotonic
    ) -> None:
        self._describe = describe
        self._now = seconds_now
        self._tokens: dict[str, float] = {}

    def answer(self, request: Request) -> Answer | None:
        """None where no answer arrives: it would be more hops away than answers live."""
        options, tree = self._describe()
        if not options.enabled:
            return Answer(403)
        if request.path == TOKEN_PATH and request.method == "PUT":
            # What a proxy forwards is refused.
            if "x-forwarded-for" in request.headers:
                return Answer(403)
            return self._token(request) if request.hops <= options.hop_limit else None
        if request.method not in ("GET", "HEAD"):
            return Answer(405)
        token = request.headers.get(TOKEN_HEADER)
        if (token is None and options.tokens_required) or (token is not None and not self._is_valid(token)):
            return Answer(401)
        return _found(tree, request.path)

    def _token(self, request: Request) -> Answer:
        seconds = request.headers.get(TTL_HEADER, "")
        if not seconds.isdecimal() or not 1 <= int(seconds) <= LONGEST_TOKEN_SECONDS:
            return Answer(400)
        self._tokens = {token: until for token, until in self._tokens.items() if until > self._now()}
        token = secrets.token_urlsafe(42)
        self._tokens[token] = self._now() + int(seconds)
        return Answer(200, token.encode(), {TTL_HEADER: seconds})

    def _is_valid(self, token: str) -> bool:
        return self._tokens.get(token, 0.0) > self._now()


def _found(tree: Tree, path: str) -> Answer:
    version, *names = [name for name in path.split("/") if name] or [""]
    if not version:
        return Answer(200, b"latest")
    found: str | bytes | Tree | None = tree if VERSION.fullmatch(version) else None
    for name in names:
        found = _child(found, name) if isinstance(found, Mapping) else None
    if found is None:
        return Answer(404)
    if isinstance(found, Mapping):
        listed = (f"{name}/" if isinstance(each, Mapping) and "=" not in name else name for name, each in found.items())
        return Answer(200, "\n".join(sorted(listed)).encode())
    return Answer(200, found if isinstance(found, bytes) else found.encode())


def _child(tree: Tree, name: str) -> str | bytes | Tree | None:
    return next((each for known, each in tree.items() if name in (known, known.partition("=")[0])), None)
