"""What the API answers with: data in an envelope, or an error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

TYPES = {
    400: "invalid-input",
    401: "unauthenticated",
    403: "forbidden",
    404: "not-found",
    409: "already-exists",
    500: "internal",
    501: "unsupported",
}


class Refusal(Exception):
    """A request that is answered with an error. `details` are the single mistakes of a body."""

    def __init__(self, status: int, code: str, message: str, details: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.details = details

    @property
    def body(self) -> Any:
        """JSON, or a text that is sent as it is."""
        errors = [{"message": each, "suggestions": []} for each in self.details]
        error = {"type": TYPES[self.status], "code": self.code, "message": str(self), "errors": errors}
        return {"status": "error", "error": {**error, "suggestions": []}}


class OldRefusal(Refusal):
    """In the form of the API's first version, which retention still has."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(status, "", message)

    @property
    def body(self) -> Any:
        errors = [{"code": self.status, "msg": str(self)}]
        return {"data": None, "total": 0, "limit": 0, "offset": 0, "errors": errors}


class NoRoute(Refusal):
    """Nothing is served at this path, or not with this method: no JSON."""

    def __init__(self, status: int) -> None:
        super().__init__(status, "", "404 page not found\n" if status == 404 else "")

    @property
    def body(self) -> Any:
        return str(self)


def invalid(message: str, *details: str, code: str = "invalid_input") -> Refusal:
    return Refusal(400, code, message, details)


def not_found(what: str, code: str = "not_found") -> Refusal:
    return Refusal(404, code, f"{what} does not exist")


def already_exists(message: str, code: str = "already_exists") -> Refusal:
    return Refusal(409, code, message)


def unknown(message: str) -> Refusal:
    """A mistake in a body that SigNoz answers as if it were its own."""
    return Refusal(500, "unknown", message)


@dataclass(frozen=True)
class Answer:
    """`data` is None for an empty body; `bare` leaves the envelope out."""

    status: int
    data: Any = None
    bare: bool = False

    @property
    def body(self) -> Any:
        if self.status == 204:
            return None
        return self.data if self.bare else {"status": "success", "data": self.data}
