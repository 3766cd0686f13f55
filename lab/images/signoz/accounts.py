"""Who may do what: the root user, sessions, service accounts and their keys."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import time
import uuid
from collections.abc import Mapping
from typing import Any

from .answers import Answer, Refusal, already_exists, invalid, not_found
from .store import Object, Store

ROLES = ("signoz-viewer", "signoz-editor", "signoz-admin")
"""Each may do what those before it may."""
VIEWER, EDITOR, ADMIN = range(3)
SESSION_SECONDS = 1800
_SYMBOLS = '~!@#$%^&*()_+`-={}|[]\\:"<>?,./'


def password_problem(password: str) -> str | None:
    """Why SigNoz refuses a password; None for a good one."""
    kinds = ("[a-z]", "[A-Z]", "[0-9]", f"[{re.escape(_SYMBOLS)}]")
    if len(password) < 12 or not all(re.search(kind, password) for kind in kinds):
        return "a password has 12 characters or more, with a lower and an upper case letter, a digit and a symbol"
    if re.search(f"[^a-zA-Z0-9{re.escape(_SYMBOLS)}]", password):
        return f"a password has letters, digits and {_SYMBOLS} only"
    return None


class Accounts:
    """Accounts in a store. Sessions live in memory: a restart ends them."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._sessions: dict[str, float] = {}
        for name in ROLES:
            if not any(role["name"] == name for role in store.all("role")):
                store.add("role", {"name": name, "description": "", "type": "managed", "transactionGroups": []})

    @property
    def organisation(self) -> Object | None:
        return next(iter(self._store.all("organisation")), None)

    @property
    def organisation_id(self) -> str:
        organisation = self.organisation
        return organisation["id"] if organisation else ""

    def set_root(self, environ: Mapping[str, str]) -> None:
        """The root user as the environment says: it decides at every start. Raises `ValueError`."""
        if environ.get("SIGNOZ_USER_ROOT_ENABLED", "").lower() not in ("true", "1"):
            return
        email, password = environ.get("SIGNOZ_USER_ROOT_EMAIL", ""), environ.get("SIGNOZ_USER_ROOT_PASSWORD", "")
        if "@" not in email:
            raise ValueError("SIGNOZ_USER_ROOT_EMAIL: no address")
        if problem := password_problem(password):
            raise ValueError(f"SIGNOZ_USER_ROOT_PASSWORD: {problem}")
        for user in self._store.all("user"):
            if user["root"]:
                self._store.remove("user", user["id"])
        name = environ.get("SIGNOZ_USER_ROOT_ORG_NAME") or "default"
        self._add_user(email, password, name, environ.get("SIGNOZ_USER_ROOT_ORG_ID") or None, root=True)

    def register(self, body: Object) -> Answer:
        if self._store.all("user"):
            raise Refusal(400, "invalid_input", "self-registration is disabled")
        email, password = text(body, "email"), text(body, "password")
        if problem := password_problem(password):
            raise invalid(problem)
        user = self._add_user(email, password, str(body.get("orgName") or "default"), None, root=False)
        return Answer(200, {"id": user["id"], "email": email, "orgId": self.organisation_id})

    def context(self, email: str) -> Answer:
        if "@" not in email:
            raise invalid(f"invalid email {email}", code="invalid_valuer")
        exists = any(user["email"] == email for user in self._store.all("user"))
        organisation = self.organisation
        support = {"callback": [], "password": [{"provider": "email_password"}]}
        known = (
            [{"id": organisation["id"], "name": organisation["name"], "authNSupport": support}] if organisation else []
        )
        return Answer(200, {"exists": exists, "orgs": known})

    def open_session(self, body: Object) -> Answer:
        organisation, email = text(body, "orgId"), text(body, "email")
        users = [user for user in self._store.all("user") if user["email"] == email]
        if not users or organisation != self.organisation_id:
            raise not_found(f"user {email} in org {organisation}", "user_not_found")
        for user in users:
            given = _hash(text(body, "password"), user["salt"])
            if hmac.compare_digest(given, user["hash"]):
                token = secrets.token_urlsafe(32)
                self._sessions[token] = time.time() + SESSION_SECONDS
                refresh = secrets.token_urlsafe(32)
                session = {"tokenType": "bearer", "accessToken": token, "refreshToken": refresh}
                return Answer(200, {**session, "expiresIn": SESSION_SECONDS})
        raise Refusal(401, "incorrect_password", "invalid email or password")

    def rank(self, key: str | None, authorization: str | None) -> int:
        """What the caller may do. Raises `Refusal` for an unknown one."""
        token = (authorization or "").removeprefix("Bearer ")
        if token and self._sessions.get(token, 0) > time.time():
            return ADMIN
        if key:
            for found in self._store.all("key"):
                expired = 0 < found["expiresAt"] < time.time()
                if hmac.compare_digest(found["hash"], _hash(key, "")) and not expired:
                    roles = [role["name"] for role in self._roles_of(found["serviceAccountId"])]
                    if roles:
                        return max(ROLES.index(name) for name in roles)
                    raise Refusal(403, "authz_forbidden", "the service account has no role")
        raise Refusal(401, "unauthenticated", "unauthenticated")

    def add_service_account(self, body: Object) -> Answer:
        name = text(body, "name")
        if not re.fullmatch("[a-z][a-z0-9-]{0,49}", name):
            raise invalid(
                "name: 1 to 50 lower case letters, digits and hyphens, a letter first",
                code="service_account_invalid_input",
            )
        if any(account["name"] == name for account in self._active()):
            raise already_exists(f"a service account {name} exists", "service_account_already_exists")
        value = {"name": name, "email": f"{name}@lab", "status": "active", "orgId": self.organisation_id}
        return Answer(201, {"id": self._store.add("service_account", value)["id"]})

    def service_account(self, identifier: str) -> Object:
        found = self._store.get("service_account", identifier)
        if found is None:
            raise not_found(f"service account {identifier}", "service_account_not_found")
        return {**found, "serviceAccountRoles": [{"role": role} for role in self._roles_of(identifier)]}

    def remove_service_account(self, identifier: str) -> Answer:
        """It stays in listings, and its name is free again."""
        account = self._active_account(identifier)
        for each in self._store.all("key"):
            if each["serviceAccountId"] == identifier:
                self._store.remove("key", each["id"])
        self._store.replace("service_account", account, {**account, "status": "deleted"})
        return Answer(204)

    def _active_account(self, identifier: str) -> Object:
        account = next((each for each in self._active() if each["id"] == identifier), None)
        if account is None:
            raise not_found(f"an active service account {identifier}", "service_account_not_found")
        return account

    def _active(self) -> list[Object]:
        return [account for account in self._store.all("service_account") if account["status"] == "active"]

    def add_role(self, body: Object) -> Answer:
        account, role = text(body, "serviceAccountId"), text(body, "roleId")
        self._active_account(account)
        if self._store.get("role", role) is None:
            raise not_found(f"role {role}", "role_not_found")
        value = {"serviceAccountId": account, "roleId": role}
        there = (each for each in self._store.all("service_account_role") if value.items() <= each.items())
        given = next(there, None) or self._store.add("service_account_role", value)
        return Answer(201, {"id": given["id"]})

    def keys(self, account: str) -> list[Object]:
        self.service_account(account)
        keys = [key for key in self._store.all("key") if key["serviceAccountId"] == account]
        return [{name: value for name, value in key.items() if name != "hash"} for key in keys]

    def add_key(self, account: str, body: Object) -> Answer:
        name, expires = text(body, "name"), body.get("expiresAt", 0)
        if not isinstance(expires, int) or (expires and expires < time.time()):
            raise invalid("a key's expiry is in the past", code="api_key_invalid_input")
        if not re.fullmatch("[a-z][a-z0-9-]{0,79}", name):
            raise invalid("name: lower case letters, digits and hyphens", code="api_key_invalid_input")
        self._active_account(account)
        if any(key["name"] == name for key in self.keys(account)):
            raise already_exists(f"a key {name} exists", "api_key_already_exists")
        secret = secrets.token_urlsafe(32)
        value = {"name": name, "expiresAt": expires, "serviceAccountId": account, "hash": _hash(secret, "")}
        added = self._store.add("key", {**value, "lastObservedAt": "0001-01-01T00:00:00Z"})
        return Answer(201, {"id": added["id"], "key": secret})

    def remove_key(self, account: str, identifier: str) -> Answer:
        if not any(key["id"] == identifier for key in self.keys(account)):
            raise not_found(f"key {identifier}", "api_key_not_found")
        self._store.remove("key", identifier)
        return Answer(204)

    def _roles_of(self, account: str) -> list[Object]:
        given = [
            each["roleId"] for each in self._store.all("service_account_role") if each["serviceAccountId"] == account
        ]
        return [role for role in self._store.all("role") if role["id"] in given]

    def _add_user(self, email: str, password: str, organisation: str, identifier: str | None, *, root: bool) -> Object:
        if self.organisation is None:
            self._store.add("organisation", {"name": organisation}, identifier or str(uuid.uuid4()))
        salt = secrets.token_hex(8)
        return self._store.add("user", {"email": email, "salt": salt, "hash": _hash(password, salt), "root": root})


def _hash(value: str, salt: str) -> str:
    return hashlib.sha256((salt + value).encode()).hexdigest()


def text(body: Object, name: str) -> str:
    """A text that must be there. Raises `Refusal`."""
    value: Any = body.get(name)
    if not isinstance(value, str) or not value.strip():
        raise invalid(f"{name} is required")
    return value
