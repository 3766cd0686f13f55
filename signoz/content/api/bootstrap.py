"""A key of a service account on a SigNoz that nobody has signed in to: made as the root user, unattended.

The service account, not a person, owns what Turnscope deploys; removing it revokes its keys. Service accounts are in
SigNoz from release 0.114 on.
"""

from __future__ import annotations

import httpx

from signoz.content.api.errors import ApiError, Conflict, Invalid, LostAnswer, NotFound, NotSigNoz, Unauthorized
from signoz.content.api.http import Http, RetryPolicy

ADMIN = "signoz-admin"
"""Channels, route policies and retention can be set by nobody else."""
ACCOUNTS = "/api/v1/service_accounts"
READY_WITHIN_SECONDS = 120.0
ASK_EVERY_SECONDS = 1.0


def make_api_key(
    address: str,
    root_certificate: str | None,
    email: str,
    password: str,
    name: str,
    *,
    server_name: str | None = None,
    retry_policy: RetryPolicy | None = None,
    transport: httpx.BaseTransport | None = None,
) -> tuple[str, str, str]:
    """Key, its identifier, and the identifier of the service account `name`, which is made where there is none.

    A key of the same name, whose value nobody can read any more, is revoked first. Raises `ApiError`; `Unauthorized`
    for a wrong password.
    """
    http = _signed_in(address, root_certificate, email, password, server_name, retry_policy, transport)
    account = _account(http, name)
    _give_role(http, account)
    keys = f"{ACCOUNTS}/{account}/keys"
    for key in http.ask("GET", keys) or []:
        if key.get("name") == name:
            http.ask("DELETE", f"{keys}/{key['id']}")
    made = http.ask("POST", keys, json={"name": name, "expiresAt": 0})
    return str(made["key"]), str(made["id"]), account


def key_works(
    address: str,
    root_certificate: str | None,
    key: str,
    *,
    server_name: str | None = None,
    retry_policy: RetryPolicy | None = None,
    transport: httpx.BaseTransport | None = None,
) -> bool:
    """Whether the server still knows the key. Raises `ApiError` where that cannot be determined."""
    http = Http(
        address,
        root_certificate=root_certificate,
        server_name=server_name,
        headers={"SIGNOZ-API-KEY": key},
        retry_policy=retry_policy,
        transport=transport,
    )
    try:
        http.ask("GET", "/api/v1/channels")
    except Unauthorized:
        return False
    return True


def remove_service_account(
    address: str,
    root_certificate: str | None,
    email: str,
    password: str,
    account: str,
    *,
    server_name: str | None = None,
    retry_policy: RetryPolicy | None = None,
    transport: httpx.BaseTransport | None = None,
) -> None:
    """Revoke every key of the account, and remove it; fine where it is gone."""
    http = _signed_in(address, root_certificate, email, password, server_name, retry_policy, transport)
    try:
        http.ask("DELETE", f"{ACCOUNTS}/{account}")
    except NotFound:
        return


def _signed_in(
    address: str,
    root_certificate: str | None,
    email: str,
    password: str,
    server_name: str | None,
    retry_policy: RetryPolicy | None,
    transport: httpx.BaseTransport | None,
) -> Http:
    retry_policy = retry_policy or RetryPolicy()
    options = {"root_certificate": root_certificate, "server_name": server_name, "transport": transport}
    http = Http(address, retry_policy=retry_policy, **options)  # pyright: ignore[reportArgumentType]
    organisation = _organisation(http, email, retry_policy)
    try:
        session = http.ask(
            "POST",
            "/api/v2/sessions/email_password",
            json={"email": email, "password": password, "orgId": organisation},
            repeatable=True,
        )
    except (Unauthorized, Invalid, NotFound):
        raise Unauthorized(
            f"SigNoz at {http.address} rejects the password of its root user {email}. It sets the one in the "
            "settings (signoz.root_user.password) again whenever it starts."
        ) from None
    token = session.get("accessToken") if isinstance(session, dict) else None
    if not token:
        raise NotSigNoz(f"{http.address} returns no session. Is this the address of SigNoz?")
    return Http(address, headers={"Authorization": f"Bearer {token}"}, retry_policy=retry_policy, **options)  # pyright: ignore[reportArgumentType]


def _organisation(http: Http, email: str, retry_policy: RetryPolicy) -> str:
    """The root user's organisation; the server makes both a moment after it answers for the first time."""
    deadline = retry_policy.now() + READY_WITHIN_SECONDS
    while True:
        context = http.ask("GET", "/api/v2/sessions/context", params={"email": email, "ref": http.address})
        found = context.get("orgs") if isinstance(context, dict) and context.get("exists") else None
        if found:
            return str(found[0]["id"])
        if retry_policy.now() > deadline:
            raise Unauthorized(
                f"SigNoz at {http.address} has no user {email}: was it started with a different root user "
                "(signoz.root_user.email)?"
            )
        retry_policy.sleep(ASK_EVERY_SECONDS)


def _account(http: Http, name: str) -> str:
    if found := _find_account(http, name):
        return found
    try:
        return str(http.ask("POST", ACCOUNTS, json={"name": name})["id"])
    except (Conflict, LostAnswer) as error:
        if found := _find_account(http, name):
            return found
        raise error


def _find_account(http: Http, name: str) -> str | None:
    # A removed account is still listed, with its name, and cannot be given keys.
    accounts = http.ask("GET", ACCOUNTS) or []
    alive = (each for each in accounts if each.get("name") == name and each.get("status", "active") == "active")
    return next((str(each["id"]) for each in alive), None)


def _give_role(http: Http, account: str) -> None:
    roles = http.ask("GET", "/api/v1/roles") or []
    role = next((each["id"] for each in roles if each.get("name") == ADMIN), None)
    if role is None:
        raise ApiError(f"SigNoz at {http.address} has no role {ADMIN}.")
    try:
        http.ask(
            "POST",
            "/api/v1/service_account_roles",
            json={"serviceAccountId": account, "roleId": role},
            repeatable=True,
        )
    except Conflict:
        return
