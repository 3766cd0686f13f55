"""SigNoz' content as Pulumi resources: dynamic providers over its API.

The engine runs them in a process of its own (`pulumi-resource-pulumi-python`), which finds them by the name of their
class: no code is in the state, and a new version of Turnscope changes nothing in it. Bodies are recorded with
placeholders (`signoz.content.placeholders`), so previews show them; secrets are in properties of their own, which the
engine encrypts.

What the engine cannot do with dynamic resources: `pulumi import` (it hands a provider no inputs with the identifier, so
nothing says which provider; pkg/resource/deploy/step.go, ImportStep). Instead, a create adopts an object of the same
kind and name that is there already.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any, Protocol

import pulumi
from pulumi import dynamic
from pulumi.output import Unknown

from core.secrets.placeholders import without_secrets
from signoz.content.access import SET_KEY
from signoz.content.api import bootstrap
from signoz.content.api.client import SigNozClient
from signoz.content.api.errors import ApiError, Conflict, Forbidden, NotFound, Unauthorized, Unreachable
from signoz.content.api.normalise import normalise
from signoz.content.model import Kind
from signoz.content.placeholders import as_text, filled, masked
from signoz.content.resource_types import API_KEY_TYPE, EXISTING_SERVER_TYPE, MODULE, TYPES

IMMUTABLE = {
    Kind.CHANNEL: ("name",),
    Kind.DASHBOARD: ("name",),
    Kind.SAVED_VIEW: ("name",),
    Kind.RETENTION: ("signal",),
}
"""What the API refuses to change in an object: another one takes its place."""

CONNECTION = ("address", "server_name", "root_certificate")

Props = dict[str, Any]


class Client(Protocol):
    """What the providers need of `SigNozClient`."""

    def create(self, kind: Kind, body: Mapping[str, Any]) -> str: ...
    def read(self, kind: Kind, object_id: str) -> dict[str, Any] | None: ...
    def update(self, kind: Kind, object_id: str, body: Mapping[str, Any]) -> None: ...
    def delete(self, kind: Kind, object_id: str) -> None: ...
    def find(self, kind: Kind, body: Mapping[str, Any]) -> str | None: ...


class ContentError(Exception):
    """A clear sentence for whoever deploys; the engine shows it."""


@lru_cache(maxsize=8)
def _connected(
    address: str, server_name: str | None, root_certificate: str | None, api_key: str, existing: bool
) -> SigNozClient:
    return SigNozClient(
        address,
        api_key=api_key,
        root_certificate=root_certificate,
        server_name=server_name,
        # One that the stack does not run is reached as any other service on the internet.
        use_proxy=existing,
    )


def _client(props: Props, api_key: str) -> SigNozClient:
    names = ("address", "server_name", "root_certificate")
    address, server_name, root_certificate = (props.get(name) for name in names)
    return _connected(str(address), server_name, root_certificate, api_key, bool(props.get("existing")))


class ContentProvider(dynamic.ResourceProvider):
    """Any kind of content."""

    serialize_as_secret_always = False
    adopted: set[tuple[str, str]] = set()  # noqa: RUF012 - of this process, which lives for one run of the engine
    """Kind and identifier of what this run made or adopted: not to be deleted under another name of the same thing."""

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), ()

    newest_keys: dict[str, str] = {}  # noqa: RUF012 - as above
    """Address -> the key that the settings have for it: what a deletion finds in the state may be revoked by now."""

    def connect(self, props: Props) -> Client:
        return _client(props, self.newest_keys.get(props["address"], str(props["api_key"])))

    def diff(self, _id: str, _olds: Props, _news: Props) -> dynamic.DiffResult:
        changed = _changed(_olds, _news, ("title", "body", "secrets", "ids", "api_key", "service_account"))
        replaces = _immutable_changes(_olds, _news)
        # Nothing that its server knew is on another server.
        if "service_account" in changed and not isinstance(_news["service_account"], Unknown):
            replaces.append("service_account")
        return dynamic.DiffResult(changes=bool(changed), replaces=replaces)

    def create(self, props: Props) -> dynamic.CreateResult:
        kind, body = _desired(props)
        with _explained(props):
            client = self.connect(props)
            object_id = client.find(kind, body)
            if object_id is None:
                try:
                    object_id = client.create(kind, body)
                except Conflict:
                    # Made between the two questions, or by a create whose answer was lost.
                    object_id = client.find(kind, body)
                    if object_id is None:
                        raise
                    client.update(kind, object_id, body)
            else:
                client.update(kind, object_id, body)
        self.adopted.add((kind, object_id))
        return dynamic.CreateResult(object_id, dict(props))

    def read(self, id_: str, props: Props) -> dynamic.ReadResult:
        kind, body = _desired(props)
        with _explained(props):
            try:
                actual = self.connect(props).read(kind, id_)
            except Unauthorized:
                # The key was revoked, which its own resource finds out: what is here shows with the next key.
                return dynamic.ReadResult(id_, dict(props))
        if actual is None:
            return dynamic.ReadResult(None, {})
        comparable = normalise(kind, body, actual)
        if comparable == body:
            return dynamic.ReadResult(id_, dict(props))
        found = masked(kind, json.loads(props["body"]), body, comparable, props["ids"])
        drifted = {**props, "body": as_text(found)}
        # The inputs too, or a preview would show the object as changed, but not what is.
        return dynamic.ReadResult(id_, drifted, {name: drifted[name] for name in drifted if name != "__provider"})

    def update(self, _id: str, _olds: Props, _news: Props) -> dynamic.UpdateResult:
        kind, body = _desired(_news)
        with _explained(_news):
            self.connect(_news).update(kind, _id, body)
        return dynamic.UpdateResult(dict(_news))

    def delete(self, _id: str, _props: Props) -> None:
        kind = Kind(_props["kind"])
        if (kind, _id) in self.adopted:
            return
        with _explained(_props):
            self.connect(_props).delete(kind, _id)


class ExistingServerProvider(dynamic.ResourceProvider):
    """A SigNoz that the stack does not run, asked with a given key before anything is deployed to it."""

    serialize_as_secret_always = False

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), ()

    def organisation(self, props: Props) -> str:
        return _client(props, str(props["api_key"])).organisation()

    def diff(self, _id: str, _olds: Props, _news: Props) -> dynamic.DiffResult:
        return dynamic.DiffResult(changes=bool(_changed(_olds, _news, ("api_key",))))

    def create(self, props: Props) -> dynamic.CreateResult:
        found = self._asked(props)
        return dynamic.CreateResult(found["organisation"], found)

    def update(self, _id: str, _olds: Props, _news: Props) -> dynamic.UpdateResult:
        return dynamic.UpdateResult(self._asked(_news))

    def read(self, id_: str, props: Props) -> dynamic.ReadResult:
        """As recorded: the settings may have another key, which the update that follows asks with."""
        return dynamic.ReadResult(id_, dict(props))

    def delete(self, _id: str, _props: Props) -> None:
        """The key is its owner's."""

    def _asked(self, props: Props) -> Props:
        with _explained(props):
            organisation = self.organisation(props)
        ContentProvider.newest_keys[props["address"]] = str(props["api_key"])
        return {**props, "organisation": organisation}


class ExistingServer(dynamic.Resource, module=MODULE, name=EXISTING_SERVER_TYPE):
    """A SigNoz that the stack does not run. Creating it asks with the given key and changes nothing there; a key that
    is wrong or no administrator's fails it (`ContentError`), before any content. Deletion forgets it."""

    organisation: pulumi.Output[str]
    """Its identifier, which tells one server's database from another's."""

    def __init__(self, name: str, props: Mapping[str, Any], opts: pulumi.ResourceOptions | None = None) -> None:
        """`props`: the connection (`CONNECTION`), `existing`, and `api_key`."""
        secret = pulumi.ResourceOptions(additional_secret_outputs=["api_key"])
        super().__init__(
            ExistingServerProvider(),
            name,
            {**props, "organisation": None},
            pulumi.ResourceOptions.merge(opts, secret),
        )


class ApiKeyProvider(dynamic.ResourceProvider):
    """A key of a service account, made as the root user."""

    serialize_as_secret_always = False

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), ()

    def diff(self, _id: str, _olds: Props, _news: Props) -> dynamic.DiffResult:
        changed = _changed(_olds, _news, ("email", "password", "account", "database"))
        # Another database knows neither the account nor its key.
        replaces = [name for name in changed if name in ("account", "database")]
        return dynamic.DiffResult(changes=bool(changed), replaces=replaces)

    def create(self, props: Props) -> dynamic.CreateResult:
        with _explained(props):
            key, key_id, service_account = bootstrap.make_api_key(
                props["address"],
                props.get("root_certificate"),
                props["email"],
                str(props["password"]),
                props["account"],
                server_name=props.get("server_name"),
            )
        return dynamic.CreateResult(key_id, {**props, "key": key, "service_account": service_account})

    def read(self, id_: str, props: Props) -> dynamic.ReadResult:
        with _explained(props):
            works = bootstrap.key_works(
                props["address"],
                props.get("root_certificate"),
                str(props["key"]),
                server_name=props.get("server_name"),
            )
        return dynamic.ReadResult(id_, dict(props)) if works else dynamic.ReadResult(None, {})

    def update(self, _id: str, _olds: Props, _news: Props) -> dynamic.UpdateResult:
        """The key stays; how to make and revoke one is recorded."""
        return dynamic.UpdateResult({**_news, "key": _olds["key"], "service_account": _olds["service_account"]})

    def delete(self, _id: str, _props: Props) -> None:
        with _explained(_props):
            bootstrap.remove_service_account(
                _props["address"],
                _props.get("root_certificate"),
                _props["email"],
                str(_props["password"]),
                _props["service_account"],
                server_name=_props.get("server_name"),
            )


class ApiKey(dynamic.Resource, module=MODULE, name=API_KEY_TYPE):
    """The key with which Turnscope deploys content; made once, for a service account of its own.

    A key that SigNoz does not know any more is made again after a refresh. Deletion removes the service account, and
    with it the key. Errors of the API fail the deployment (`ContentError`), with its words and no secret.
    """

    key: pulumi.Output[str]
    """A secret."""
    service_account: pulumi.Output[str]
    """Its identifier, which tells one server's database from another's."""

    def __init__(self, name: str, props: Mapping[str, Any], opts: pulumi.ResourceOptions | None = None) -> None:
        """`props`: the connection (`CONNECTION`), `email` and `password` of the root user, the service account's name,
        `account`, and `database`, which differs where another one takes SigNoz' own database's place."""
        outputs = {"key": None, "service_account": None}
        secret = pulumi.ResourceOptions(additional_secret_outputs=["key", "password"])
        super().__init__(ApiKeyProvider(), name, {**props, **outputs}, pulumi.ResourceOptions.merge(opts, secret))


class Content(dynamic.Resource):
    """One object of the API, by its identifier there. Subclasses differ in their type token alone.

    Created where it is not there by name, else adopted; a change is an update, or a replacement where the API cannot
    update (`IMMUTABLE`). Deletion removes it (retention stays as it is) and is no error where it is gone. Errors
    as `ApiKey`'s.
    """

    def __init__(self, name: str, props: Mapping[str, Any], opts: pulumi.ResourceOptions | None = None) -> None:
        """`props`: the connection, `api_key`, `service_account` (of an existing SigNoz, whose service account nobody
        knows, the organisation), `kind`, `key`, `title`, `body` (JSON, with placeholders), `secrets` (path in
        placeholders -> value), `ids` (`<kind>/<key>` -> identifier), and for an existing SigNoz `existing`."""
        secret = pulumi.ResourceOptions(additional_secret_outputs=["api_key", "secrets"])
        super().__init__(ContentProvider(), name, {**props}, pulumi.ResourceOptions.merge(opts, secret))


def _resource_class(name: str) -> Callable[..., Content]:
    # The type token is made from keywords of the class statement.
    return type(name, (Content,), {}, module=MODULE, name=name)


RESOURCES = {kind: _resource_class(name) for kind, name in TYPES.items()}
"""The resource of each kind."""


def _desired(props: Props) -> tuple[Kind, dict[str, Any]]:
    secrets = {path: str(value) for path, value in props["secrets"].items()}
    return Kind(props["kind"]), filled(json.loads(props["body"]), secrets, props["ids"])


def _changed(olds: Props, news: Props, names: tuple[str, ...]) -> list[str]:
    """Which properties differ. A connection that is not known before the gateway runs is taken to stay."""
    known = tuple(name for name in CONNECTION if not isinstance(news.get(name), Unknown))
    return [name for name in (*names, *known) if olds.get(name) != news.get(name)]


def _immutable_changes(olds: Props, news: Props) -> list[str]:
    old, new = json.loads(olds["body"]), json.loads(news["body"])
    fields = IMMUTABLE.get(Kind(news["kind"]), ())
    return ["body"] if any(old.get(field) != new.get(field) for field in fields) else []


@contextlib.contextmanager
def _explained(props: Props) -> Iterator[None]:
    """Errors of the API as the server's words and what to do, no secret in them; the engine names the resource."""
    hidden = {"key": str(props.get("api_key") or props.get("key") or ""), "password": str(props.get("password") or "")}
    hidden |= {path: str(value) for path, value in (props.get("secrets") or {}).items()}
    try:
        yield
    except ApiError as error:
        said = without_secrets(str(error), hidden.values())
        raise ContentError(said + (_advice_of_existing if props.get("existing") else _advice)(error)) from None


def _advice_of_existing(error: ApiError) -> str:
    match error:
        case Unauthorized() | Forbidden():
            return f" {SET_KEY}"
        case NotFound():
            return " It was deleted in SigNoz: `turnscope up STACK --refresh` creates it again."
        case _:
            return ""


def _advice(error: ApiError) -> str:
    match error:
        case Unauthorized():
            return " The key was revoked: `turnscope up STACK --refresh` creates a new one."
        case NotFound():
            return " It was deleted in SigNoz: `turnscope up STACK --refresh` creates it again."
        case Unreachable():
            return " If its containers are stopped, `turnscope up STACK` without --refresh starts them."
        case _:
            return ""
