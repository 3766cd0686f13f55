"""Requests to SigNoz' API: its envelope, its errors, and when to ask again.

The envelope is `{"status": "success", "data": ...}` or `{"status": "error", "error": {type, code, message, errors}}`
(github.com/SigNoz/signoz, `pkg/http/render`); the settings of retention answer with bare JSON.
"""

from __future__ import annotations

import json
import random
import ssl
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from core.secrets.placeholders import without_secrets
from signoz.content.api.errors import (
    ApiError,
    Conflict,
    Forbidden,
    Invalid,
    Locked,
    LostAnswer,
    NotFound,
    NotSigNoz,
    ServerError,
    Unauthorized,
    Unreachable,
    Unsupported,
)

BUSY = frozenset({429, 503})
"""The request was not worked on: a proxy or the server asks to come again."""
CUT_OFF = frozenset({502, 504})
"""A proxy got no answer: the request may have been worked on."""
FAILURES = 3
"""How often an answer of 500 is believed: SigNoz also gives it for bodies that it will never take."""
REPEATABLE = frozenset({"GET", "PUT", "DELETE"})
FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 0.5, 8.0
SHOWN_CHARACTERS = 300


@dataclass(frozen=True)
class RetryPolicy:
    """How long one request is asked again. `sleep` and `now` are exchanged in tests."""

    seconds: float = 30.0
    sleep: Callable[[float], None] = time.sleep
    now: Callable[[], float] = time.monotonic


class Http:
    """`address` as in `https://signoz.example.com`.

    `root_certificate` (PEM) is trusted alone where it is given; `server_name` is asked for, and expected in the
    certificate, where it is not the address' own host. `headers` hold the credentials. `use_proxy`: as this machine's
    environment says (`HTTPS_PROXY`, `NO_PROXY`).
    """

    def __init__(
        self,
        address: str,
        *,
        root_certificate: str | None = None,
        server_name: str | None = None,
        headers: Mapping[str, str] | None = None,
        timeout_seconds: float = 30.0,
        retry_policy: RetryPolicy | None = None,
        transport: httpx.BaseTransport | None = None,
        use_proxy: bool = False,
    ) -> None:
        self.address = address.rstrip("/")
        self._retry_policy = retry_policy or RetryPolicy()
        self._extensions = {"sni_hostname": server_name} if server_name else {}
        try:
            verify = ssl.create_default_context(cadata=root_certificate) if root_certificate else True
        except ssl.SSLError:
            raise Unreachable(
                f"The root certificate for SigNoz at {self.address} is not a certificate in PEM."
            ) from None
        try:
            if httpx.URL(address).scheme not in ("http", "https") or not httpx.URL(address).host:
                raise ValueError(address)
            self._client = httpx.Client(
                base_url=self.address,
                headers={**(headers or {}), **({"Host": server_name} if server_name else {})},
                verify=verify,
                timeout=timeout_seconds,
                # A proxy of this machine's does not know the stack's own Docker host.
                trust_env=use_proxy,
                transport=transport,
            )
        except (httpx.InvalidURL, ValueError):
            raise Unreachable(
                f"{address!r} is not an address of SigNoz; allowed: https://HOST or https://HOST:PORT."
            ) from None

    def ask(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        params: Mapping[str, str] | None = None,
        repeatable: bool | None = None,
        hide: Collection[str] = (),
    ) -> Any:
        """The answer's `data`, or the whole of an answer without envelope; None for an empty one.

        Asked again, with growing waits, while the server is busy or cannot be reached; one that may have done the work
        only where doing it twice is the same (`repeatable`; None for what the method says). Texts in `hide` are in no
        message. Raises `ApiError`; `LostAnswer` for one that may have been done and is not repeatable.
        """
        deadline = self._retry_policy.now() + self._retry_policy.seconds
        wait, failures = FIRST_WAIT_SECONDS, 0
        repeatable = method in REPEATABLE if repeatable is None else repeatable
        while True:
            try:
                return self._once(method, path, json, params, repeatable, hide)
            except _Again as again:
                failures += again.failed
                pause = wait * random.uniform(0.5, 1.0)  # noqa: S311 - so that many do not come back together
                if failures == FAILURES or self._retry_policy.now() + pause > deadline:
                    raise again.error from None
                self._retry_policy.sleep(pause)
                wait = min(2 * wait, LONGEST_WAIT_SECONDS)

    def _once(
        self,
        method: str,
        path: str,
        body: Any,
        params: Mapping[str, str] | None,
        repeatable: bool,
        hide: Collection[str],
    ) -> Any:
        try:
            answer = self._client.request(method, path, json=body, params=params, extensions=self._extensions)
        except httpx.TransportError as error:
            raise self._transport_error(repeatable, error) from None
        return self._read(path, answer, repeatable, hide)

    def _transport_error(self, repeatable: bool, error: httpx.TransportError) -> Exception:
        if certificate := _certificate_problem(error):
            return Unreachable(
                f"SigNoz at {self.address} has a certificate that is not trusted ({certificate}). Is this the "
                "address of SigNoz, and is the root certificate up to date?"
            )
        reason = str(error) or type(error).__name__
        if isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)):
            return _Again(Unreachable(f"SigNoz at {self.address} cannot be reached: {reason}. Is it running?"))
        lost = LostAnswer(f"SigNoz at {self.address} did not answer: {reason}. Try again.")
        return _Again(lost) if repeatable else lost

    def _read(self, path: str, answer: httpx.Response, repeatable: bool, hide: Collection[str]) -> Any:
        document, is_json = _document(answer)
        status = answer.status_code
        if status in BUSY or (status in CUT_OFF and repeatable):
            raise _Again(ServerError(f"SigNoz at {self.address} is busy or starting ({status}). Try again."))
        if status in CUT_OFF:
            raise LostAnswer(f"SigNoz at {self.address} did not answer its proxy ({status}). Try again.")
        if answer.is_redirect:
            raise NotSigNoz(
                f"{self.address} redirects to {answer.headers.get('location')}: use that address for SigNoz."
            )
        if status == 404 and not isinstance(document, dict):
            raise Unsupported(
                f"{self.address}{path} does not exist. Is this the address of SigNoz, release 0.138 or newer?"
            )
        if not is_json and (answer.is_success or "html" in answer.headers.get("content-type", "")):
            raise NotSigNoz(
                f"{self.address}{path} returns a response that is not from the SigNoz API ({status}, "
                f"{answer.headers.get('content-type') or 'no content type'}). Is this the address of SigNoz?"
            )
        if answer.is_success:
            return document.get("data") if _is_envelope(document) else document
        error = self._refusal(status, document, answer.text, hide)
        if isinstance(error, ServerError) and repeatable:
            raise _Again(error, failed=True)
        raise error

    def _refusal(self, status: int, document: Any, text: str, hide: Collection[str]) -> ApiError:
        code, words = _words(document, text, hide)
        said = f"SigNoz at {self.address} rejected the request: {words}"
        if status == 401:
            return Unauthorized(f"SigNoz at {self.address} rejected the key or password: {words}")
        if status == 403:
            return Forbidden(
                f"SigNoz at {self.address} does not allow the request; the key needs the role admin: {words}"
            )
        # A route policy that is gone is answered with 400.
        if status == 404 or code == "not_found":
            return NotFound(said)
        # A channel's name that is taken is answered with 400.
        if status == 409 or code.endswith("_conflict"):
            return Conflict(said)
        if "locked dashboard" in words:
            return Locked(f"{said} The dashboard is locked in SigNoz; unlock it there.")
        if status in (501, 451):
            # 451: enterprise alone.
            return Unsupported(f"SigNoz at {self.address} does not support the request: {words}")
        if status >= 500:
            return ServerError(f"SigNoz at {self.address} failed ({status}): {words}")
        return Invalid(said)


class _Again(Exception):
    """Worth asking again; `error` is what to raise in the end. `failed`: the server worked on it and gave up."""

    def __init__(self, error: ApiError, *, failed: bool = False) -> None:
        super().__init__(str(error))
        self.error = error
        self.failed = failed


def _document(answer: httpx.Response) -> tuple[Any, bool]:
    if not answer.content:
        return None, True
    try:
        return answer.json(), True
    except (json.JSONDecodeError, UnicodeDecodeError):
        return None, False


def _is_envelope(document: Any) -> bool:
    return isinstance(document, dict) and document.get("status") == "success" and set(document) <= {"status", "data"}


def _words(document: Any, text: str, hide: Collection[str]) -> tuple[str, str]:
    """Code and message of an error, with its details, as one sentence."""
    error = document.get("error") if isinstance(document, dict) else None
    if isinstance(error, dict):
        details = [str(each.get("message", "")) for each in error.get("errors") or [] if isinstance(each, dict)]
        words = ": ".join(filter(None, [str(error.get("message", "")), "; ".join(filter(None, details))]))
        return str(error.get("code", "")), _sentence(words, hide)
    errors = document.get("errors") if isinstance(document, dict) else None
    if isinstance(errors, list) and errors:
        return "", _sentence(
            "; ".join(str(each.get("msg", each)) if isinstance(each, dict) else str(each) for each in errors), hide
        )
    return "", _sentence(str(error or text), hide)


def _sentence(words: str, hide: Collection[str]) -> str:
    # Before it is cut: half a secret would not be found any more.
    short = " ".join(without_secrets(words, hide).split())[:SHOWN_CHARACTERS]
    return short if short.endswith((".", "?", "!")) else f"{short or 'no reason given'}."


def _certificate_problem(error: BaseException) -> str | None:
    """Also where it is only in the text: httpx does not always keep the cause."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return cause.verify_message
        cause = cause.__cause__ or cause.__context__
    return "verification failed" if "CERTIFICATE_VERIFY_FAILED" in str(error) else None
