"""What the API answers with: data in an envelope, or an error."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


class Refusal(Exception):
    """A request that is answered with an error."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code

    @property
    def body(self) -> dict[str, Any]:
        error = {"type": self.code, "code": self.code, "message": str(self), "errors": [], "suggestions": []}
        return {"status": "error", "error": error}


def invalid(message: str) -> Refusal:
    return Refusal(400, "invalid_input", message)


def not_found(what: str) -> Refusal:
    return Refusal(404, "not_found", f"{what} not found")


def already_exists(message: str) -> Refusal:
    return Refusal(409, "already_exists", message)


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
