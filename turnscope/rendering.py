"""What a stack would deploy, as text: without engine, Docker or AWS.

Paths are `<role>/<path in the container>`, `<role>/environment` (a line NAME=value each, sorted),
`content/<kind>/<key>.json` (what SigNoz' API is given), `insights/<agent>/<query>.insights` and `host/user-data` (what
SigNoz' machine runs at every boot). Pure, except `write` and `read`.
"""

from __future__ import annotations

import difflib
import itertools
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from cloudwatch.plan.model import CloudWatchPlan
from core.errors import UserError
from core.roles import Role
from core.secrets.reference import SecretRef
from host.plan.model import HostPlan
from host.plan.policies import Names
from host.plan.user_data import user_data
from signoz.content.model import ContentObject
from signoz.content.placeholders import filled, ids_in
from signoz.plan.environment import PATH as SECRET_ENVIRONMENT
from signoz.plan.files import content, masked
from signoz.plan.model import Container, File, SigNozPlan
from turnscope.options import What
from turnscope.plans import ExistingPlan

Texts = dict[str, str]
"""Path below the output folder -> text."""

ALERTMANAGER_VARIABLES = "SIGNOZ_ALERTMANAGER_"
ENVIRONMENT = "environment"
EXISTING_COLLECTOR = "/collector.yaml"
VOLUME = "vol-VOLUME"
"""In place of the data volume's identifier, which only the deployment knows."""
ACCOUNT = "ACCOUNT"
"""In place of the AWS account's."""


_ROLES = {
    What.COLLECTOR: (Role.COLLECTOR,),
    What.CLICKHOUSE: (Role.CLICKHOUSE, Role.KEEPER),
    What.GATEWAY: (Role.GATEWAY,),
    # The setup container only carries the other roles' files.
    What.ALL: tuple(role for role in Role if role != Role.SETUP),
}


def render(
    what: What,
    *,
    cloudwatch: CloudWatchPlan | None,
    signoz: SigNozPlan | None,
    host: HostPlan | None = None,
    existing: ExistingPlan | None = None,
    secrets: Mapping[str, str] | None = None,
) -> Texts:
    """The texts of `what`, byte for byte what would be deployed where `secrets` (path in the configuration -> value)
    are given; else with a placeholder in place of each secret.

    Raises `UserError` for a part of SigNoz, of its machine or of CloudWatch in a stack without it.
    """
    if cloudwatch is None and what is What.INSIGHTS:
        raise UserError("The stack has no CloudWatch (turnscope:cloudwatch is null), so it has no insights.")
    if what is What.USER_DATA and host is None:
        raise UserError("The stack makes no machine (section host), so it has no user-data.")
    if existing is not None:
        _refuse_what_others_run(what, existing)
    elif signoz is None and what not in (What.INSIGHTS, What.USER_DATA, What.ALL):
        raise UserError(f"The stack has no SigNoz, so it has no {what}; allowed: insights, all.")
    if (
        signoz is not None
        and what is What.CLICKHOUSE
        and not any(each.role is Role.CLICKHOUSE for each in signoz.containers)
    ):
        raise UserError("The stack has no ClickHouse of its own (signoz.clickhouse.external), so it has no clickhouse.")
    texts: Texts = {}
    if host is not None and what in (What.USER_DATA, What.ALL):
        texts["host/user-data"] = user_data(host, VOLUME, Names(host, ACCOUNT))
    if signoz is not None:
        if what is What.ALERTMANAGER:
            texts |= _alertmanager(signoz, secrets)
        for container in signoz.containers:
            if container.role in _ROLES.get(what, ()):
                texts |= _container(container, secrets)
    if existing and existing.collector and what in (What.COLLECTOR, What.ALL):
        texts[f"{Role.COLLECTOR}{EXISTING_COLLECTOR}"] = existing.collector
    target = signoz or existing
    if target and what in (What.CONTENT, What.ALL):
        texts |= {f"content/{each.name}.json": _body(each, secrets) for each in target.content.objects}
    if cloudwatch and what in (What.INSIGHTS, What.ALL):
        texts |= {f"insights/{query.key}.insights": query.query for query in cloudwatch.saved_queries}
    return texts


def _refuse_what_others_run(what: What, existing: ExistingPlan) -> None:
    if what in (What.CLICKHOUSE, What.GATEWAY, What.ALERTMANAGER):
        allowed = [str(each) for each in (What.CONTENT, What.COLLECTOR, What.INSIGHTS, What.ALL)]
        raise UserError(
            f"The stack does not run its SigNoz ({existing.url}), so it has no {what}; allowed: {', '.join(allowed)}."
        )
    if what is What.COLLECTOR and existing.collector is None:
        raise UserError(
            "The stack has no collector before its SigNoz: set turnscope:existing_signoz.ingest, and "
            "turnscope:existing_signoz.collector.endpoint, where agents reach the collector."
        )


def as_one_text(texts: Mapping[str, str]) -> str:
    """All texts, each under a line with its path, for a terminal."""
    return "\n".join(f"==> {path} <==\n{text}" for path, text in sorted(texts.items()))


def write(texts: Mapping[str, str], out: Path, *, private: bool) -> None:
    """The texts as files below `out`; with `private` (they hold secrets) only their owner can read them."""
    for path, text in texts.items():
        target = out / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        target.touch(0o600 if private else 0o644)
        target.write_bytes(text.encode())


def read(out: Path, texts: Mapping[str, str]) -> Texts:
    """What is below `out` in the folders that `texts` have."""
    folders = {path.split("/")[0] for path in texts}
    found = (path for folder in sorted(folders) for path in (out / folder).rglob("*") if path.is_file())
    return {path.relative_to(out).as_posix(): path.read_bytes().decode(errors="replace") for path in found}


def check(texts: Mapping[str, str], out: Path) -> None:
    """Raises `UserError` (exit code 1) with a diff where `out` has other texts, lacks some or has more."""
    found = read(out, texts)
    lines = [line for path in sorted({*texts, *found}) for line in _diff(path, found.get(path), texts.get(path))]
    if lines:
        raise UserError("\n".join([*lines, f"{out} differs from what would be deployed."]), exit_code=1)


def _diff(path: str, found: str | None, wanted: str | None) -> Iterator[str]:
    if found == wanted:
        return
    yield "--- /dev/null" if found is None else f"--- found/{path}"
    yield "+++ /dev/null" if wanted is None else f"+++ deployed/{path}"
    before, after = ((text or "").splitlines(keepends=True) for text in (found, wanted))
    for line in itertools.islice(difflib.unified_diff(before, after), 2, None):
        yield line.removesuffix("\n")
        if not line.endswith("\n"):
            yield "\\ No newline at end of file"


def _alertmanager(plan: SigNozPlan, secrets: Mapping[str, str] | None) -> Texts:
    """A release has Alertmanager as a role, or inside SigNoz: then it is the variables that configure it."""
    roles = {container.role: container for container in plan.containers}
    if Role.ALERTMANAGER in roles:
        return _container(roles[Role.ALERTMANAGER], secrets)
    server = _container(roles[Role.SIGNOZ], secrets)
    texts: Texts = {}
    for path, start in ((ENVIRONMENT, ""), (SECRET_ENVIRONMENT.lstrip("/"), "export ")):
        lines = server.get(f"{Role.SIGNOZ}/{path}", "").splitlines(keepends=True)
        if kept := [line for line in lines if line.startswith(f"{start}{ALERTMANAGER_VARIABLES}")]:
            texts[f"{Role.ALERTMANAGER}/{path}"] = "".join(kept)
    return texts


def _container(container: Container, secrets: Mapping[str, str] | None) -> Texts:
    texts = {f"{container.role}{file.path}": _text(file, secrets) for file in container.files}
    if environment := _environment(container):
        texts[f"{container.role}/{ENVIRONMENT}"] = environment
    return texts


def _body(content: ContentObject, secrets: Mapping[str, str] | None) -> str:
    """Identifiers are the server's to give: their placeholders stay."""
    body = content.body
    if secrets is not None:
        ids = {name: f"{{id:{name}}}" for name in ids_in(body)}
        body = filled(body, _values(content.secrets, secrets), ids)
    return json.dumps(body, ensure_ascii=False, indent=2, sort_keys=True) + "\n"


def _text(file: File, secrets: Mapping[str, str] | None) -> str:
    return masked(file) if secrets is None else content(file, _values(file.secrets, secrets))


def _environment(container: Container) -> str:
    return "".join(f"{name}={value}\n" for name, value in sorted(container.environment))


def _values(references: Iterable[tuple[str, SecretRef]], secrets: Mapping[str, str]) -> dict[str, str]:
    return {path: secrets[reference.path] for path, reference in references}
