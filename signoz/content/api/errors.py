"""What can go wrong with SigNoz' API, one class for each thing that callers do something about.

A message is one sentence that names the address and what to do; no key and no password is in it.
"""

from __future__ import annotations


class ApiError(Exception):
    """Any of them."""


class Unreachable(ApiError):
    """No connection, no trusted certificate, or no answer in time."""


class LostAnswer(Unreachable):
    """The request was sent and no answer came: it may have been done, or not."""


class NotSigNoz(ApiError):
    """Something else answers at the address: a page of a proxy, say."""


class Unauthorized(ApiError):
    """The key is unknown, expired or revoked; or the password is wrong."""


class Forbidden(ApiError):
    """The key's role does not allow it."""


class Invalid(ApiError):
    """The server refused the body, in its own words."""


class Conflict(ApiError):
    """There is one of that name, or another change is under way."""


class NotFound(ApiError):
    """There is no such object."""


class Locked(ApiError):
    """Somebody locked the dashboard in the UI."""


class ServerError(ApiError):
    """The server failed, also when asked again."""


class NotApplied(ApiError):
    """The server said that it was done, and it is not."""


class Unsupported(ApiError):
    """This release does not have it."""
