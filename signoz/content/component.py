"""All content of a plan in a SigNoz that runs: the key first, then each object after what it refers to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import pulumi
from pulumi import UNKNOWN

from core.component import Component, ReadSecret
from core.errors import UserError
from core.secrets.placeholders import secrets_in
from signoz.content.access import Access, ExistingAccess
from signoz.content.api.client import identity_of
from signoz.content.model import ContentObject, ContentPlan, Kind
from signoz.content.placeholders import as_text, ids_in
from signoz.content.resources import RESOURCES, ApiKey, Content, ExistingServer

ACCOUNT = "turnscope"
"""The service account's name."""

NEEDS: Mapping[Kind, tuple[Kind, ...]] = {
    Kind.ROUTE_POLICY: (Kind.CHANNEL,),
    Kind.ALERT_RULE: (Kind.CHANNEL,),
    Kind.DOWNTIME: (Kind.ALERT_RULE,),
}
"""Kinds that refer to others by name: the server refuses a name that it does not know."""


class SigNozContent(Component):
    """The content of a SigNoz that runs: a service account `turnscope` with its API key, and with that key a resource
    for each object of the plan, named `<kind>/<key>` whatever its title. In one that the stack does not run
    (`ExistingAccess`) no account is made: the key is given.

    An object that is there already under the same name is adopted, not made twice. `read_secret` gives the root user's
    password and the secrets in bodies; `after` must be ready before the API is asked. Deletion removes the objects and
    the service account through the API; where `deleted_with` is deleted too, nothing is asked.
    """

    def __init__(
        self,
        name: str,
        plan: ContentPlan,
        access: Access | ExistingAccess,
        *,
        read_secret: ReadSecret,
        after: Sequence[pulumi.Input[pulumi.Resource]] = (),
        deleted_with: pulumi.Resource | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """`deleted_with` holds SigNoz' database, or goes with the stack while that stays: where it goes, content needs
        no deleting, and where the database is kept, content stays in it and is adopted by the next deployment. Raises
        `UserError`, see `checked`."""
        super().__init__(name, opts)
        options = pulumi.ResourceOptions(deleted_with=deleted_with)
        if isinstance(access, ExistingAccess):
            connection = self._of_existing(name, access, read_secret)
        else:
            ready = pulumi.ResourceOptions.merge(options, pulumi.ResourceOptions(depends_on=list(after)))
            certificate = pulumi.Output.all(*after).apply(lambda _: _read(access.read_root_certificate))
            connection = self._with_new_key(name, access, certificate, read_secret, ready)
        made: dict[str, Content] = {}
        by_kind: dict[Kind, list[Content]] = defaultdict(list)
        for each in checked(plan):
            needed = [resource for kind in NEEDS.get(each.kind, ()) for resource in by_kind[kind]]
            resource = RESOURCES[each.kind](
                each.name,
                {**connection, **_props(each, {name: made[name].id for name in ids_in(each.body)}, read_secret)},
                self.child(pulumi.ResourceOptions.merge(options, pulumi.ResourceOptions(depends_on=needed))),
            )
            made[each.name] = resource
            by_kind[each.kind].append(resource)
        self.register_outputs({})

    def _of_existing(self, name: str, access: ExistingAccess, read_secret: ReadSecret) -> dict[str, Any]:
        connection = {"address": access.address, "server_name": None, "root_certificate": access.root_certificate}
        given = {**connection, "existing": True, "api_key": read_secret(access.api_key)}
        server = ExistingServer(f"{name}-server", given, self.child())
        return {**given, "service_account": server.organisation}

    def _with_new_key(
        self,
        name: str,
        access: Access,
        root_certificate: pulumi.Output[Any],
        read_secret: ReadSecret,
        opts: pulumi.ResourceOptions,
    ) -> dict[str, Any]:
        connection = {
            "address": access.address,
            "server_name": access.server_name,
            "root_certificate": root_certificate,
        }
        credentials = {"email": access.email, "password": read_secret(access.password), "account": ACCOUNT}
        if access.database:
            credentials["database"] = access.database
        key = ApiKey(f"{name}-api-key", {**connection, **credentials}, self.child(opts))
        return {**connection, "api_key": key.key, "service_account": key.service_account}


def checked(plan: ContentPlan) -> tuple[ContentObject, ...]:
    """The objects of a plan that can be deployed as it is.

    Raises `UserError` with every problem: two objects of one kind with the same key or identity (the second would
    adopt the first), a reference to what does not come before, a placeholder of a secret that is not declared.
    """
    problems: list[str] = []
    keys: dict[str, ContentObject] = {}
    same: dict[tuple[Kind, Any], ContentObject] = {}
    for each in plan.objects:
        if other := keys.get(each.name):
            problems.append(f"{each.source}: {each.name} is also in {other.source}; allowed: each key once")
        elif other := same.get((each.kind, identity_of(each.kind, each.body))):
            problems.append(
                f"{each.source}: {each.name} is the same {each.kind} in SigNoz as {other.name} in {other.source}; "
                "allowed: each once"
            )
        missing = [name for name in ids_in(each.body) if name not in keys]
        problems += [f"{each.source}: {each.name} refers to {name}; allowed: {_listed(keys)}" for name in missing]
        declared = dict(each.secrets)
        undeclared = [path for path, _ in secrets_in(each.body) if path not in declared]
        problems += [f"{each.source}: {each.name} has no secret {path}" for path in undeclared]
        keys.setdefault(each.name, each)
        same.setdefault((each.kind, identity_of(each.kind, each.body)), each)
    if problems:
        raise UserError("\n".join(["The content of SigNoz cannot be deployed:", *(f"  {each}" for each in problems)]))
    return plan.objects


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none (no object precedes it)"


def _props(each: ContentObject, ids: Mapping[str, pulumi.Input[str]], read_secret: ReadSecret) -> dict[str, Any]:
    return {
        "kind": str(each.kind),
        "key": each.key,
        "title": each.title,
        "body": as_text(each.body),
        "secrets": {path: read_secret(reference) for path, reference in each.secrets},
        "ids": dict(ids),
    }


def _read(certificate: Callable[[], str | None]) -> Any:
    if pulumi.runtime.is_dry_run():
        # A preview does not ask the Docker host: the gateway may not be there, or about to be replaced.
        return UNKNOWN
    try:
        return certificate()
    except UserError as error:
        raise pulumi.RunError(str(error)) from None
