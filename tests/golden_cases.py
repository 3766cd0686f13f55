"""Every golden file: its folder, its cases, how each is rendered, and which are kept as a difference to which."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from host.plan.build import plan_host
from host.plan.policies import Names
from host.plan.user_data import setup_script
from signoz.content.build import plan_content
from signoz.content.channels import plan_channels
from signoz.content.compile import compile_dashboard
from signoz.content.model import ContentObject
from signoz.content.policies import plan_policies
from signoz.content.schema import Dashboard
from signoz.roles.alertmanager import render_alertmanager
from signoz.roles.collector.config import Generation, render_collector
from signoz.roles.gateway import render_caddyfile
from tests import collector_cases, content_cases, program, targets
from tests.golden_files import Golden
from tests.readable import readable
from tests.role_cases import (
    ALERTMANAGER,
    CLICKHOUSE,
    FIREHOSE,
    GATEWAY,
    PAGED,
    RELEASES,
    alertmanager_settings,
    alertmanager_variables,
    clickhouse_texts,
    gateway_settings,
)
from tests.unit.conftest import HOST, SIGNOZ, settings_with

LIBRARY = Path(__file__).parents[1] / "signoz" / "content" / "library"


def _of_releases(cases: Iterable[str]) -> tuple[str, ...]:
    return tuple(f"{case}-{release}" for case in cases for release in RELEASES)


def _parts(case: str) -> tuple[str, str]:
    """`no-hsts-classic` -> its settings' case and its release."""
    name, _, release = case.rpartition("-")
    return name, release


def _bases(cases: Iterable[str], base: str, others: Mapping[str, str]) -> dict[str, str]:
    """With a classic release a case is compared with itself in the current one; there with another of `others`, or
    with `base`."""
    found: dict[str, str] = {}
    for case in cases:
        name, release = _parts(case)
        compared = f"{name if release == 'classic' else others.get(name, base)}-current"
        if compared != case:
            found[case] = compared
    return found


# --- Roles ---


def _caddyfile(case: str) -> str:
    name, release = _parts(case)
    return render_caddyfile(gateway_settings(name), RELEASES[release], FIREHOSE.get(name))


def _clickhouse(path: str) -> Golden:
    cases = tuple(case for case in _of_releases(CLICKHOUSE) if path in clickhouse_texts(*_parts(case)))
    bases = _bases(cases, "dev", dict.fromkeys(("cold-storage-keys", "cold-storage-role"), "cold-storage"))
    return Golden(
        f"clickhouse/{Path(path).stem}", ".xml", cases, lambda case: clickhouse_texts(*_parts(case))[path], bases
    )


def _collector(case: str) -> str:
    name, release = _parts(case)
    environment = name if name in collector_cases.ENVIRONMENTS else "dev"
    settings = collector_cases.collector_settings(**collector_cases.OPTIONS.get(name, {}))
    return render_collector(settings, collector_cases.collector_context(environment, Generation[release.upper()]))


CLICKHOUSE_PATHS = sorted({path for case in _of_releases(CLICKHOUSE) for path in clickhouse_texts(*_parts(case))})
COLLECTOR = _of_releases((*collector_cases.ENVIRONMENTS, *collector_cases.OPTIONS))

# --- The machine ---

HOST_CASES: dict[str, dict[str, Any]] = {
    "session-manager": {},
    "cold-storage": {},
    "ssh-x86": {"instance_type": "m7i.large", "access": "ssh", "ssh": {"allowed_networks": ["203.0.113.7"]}},
}

COLD: dict[str, Any] = {**SIGNOZ, "clickhouse": {**SIGNOZ["clickhouse"], "cold_storage": {}}}

# --- Content ---


@functools.cache
def _content() -> dict[str, ContentObject]:
    """What a stack's SigNoz is to hold, by `<kind>/<key>`."""
    settings = settings_with(signoz={**SIGNOZ, "alertmanager": PAGED}, targets=targets.OPTIONAL)
    return {each.name: each for each in plan_content("dev", settings, folder=None).objects}


def _shipped(folder: str, kind: str, suffix: str, text: Callable[[dict[str, Any]], str]) -> Golden:
    keys = tuple(sorted(path.stem for path in (LIBRARY / folder).glob("*.yaml")))
    return Golden(f"content/{folder}", suffix, keys, lambda key: text(_content()[f"{kind}/{key}"].body))


def _channels_and_policies(case: str) -> str:
    alertmanager = alertmanager_settings(case)
    planned = (*plan_channels(alertmanager), *plan_policies(alertmanager, ("service.name",)))
    return readable({each.name: each.body for each in planned})


def _panels(body: dict[str, Any]) -> str:
    return "".join(f"{line}\n" for line in content_cases.panel_lines(body))


def _host_setup(case: str) -> str:
    plan = plan_host(
        "example", settings_with(host=HOST | HOST_CASES[case], signoz=COLD if case == "cold-storage" else SIGNOZ)
    )
    assert plan
    return setup_script(plan, "vol-0123456789abcdef0", Names(plan, "123456789012"))


def _every_feature(_: str) -> str:
    return readable(compile_dashboard(Dashboard.model_validate(content_cases.EVERYTHING), "test").body)


GOLDENS = (
    Golden(
        "gateway",
        ".Caddyfile",
        _of_releases(GATEWAY),
        _caddyfile,
        _bases(_of_releases(GATEWAY), "prod", {"networks": "local", "numbers": "local"}),
    ),
    *map(_clickhouse, CLICKHOUSE_PATHS),
    Golden(
        "collector",
        ".yaml",
        COLLECTOR,
        _collector,
        {case: base for case in COLLECTOR if case != (base := f"dev-{_parts(case)[1]}")},
    ),
    Golden(
        "collector-existing",
        ".yaml",
        tuple(collector_cases.EXISTING),
        collector_cases.existing_collector,
        {"everything": "least"},
    ),
    Golden(
        "alertmanager/file", ".yml", tuple(ALERTMANAGER), lambda case: render_alertmanager(alertmanager_settings(case))
    ),
    Golden("alertmanager/environment", ".env", tuple(ALERTMANAGER), alertmanager_variables),
    Golden("content/alertmanager", ".yaml", tuple(ALERTMANAGER), _channels_and_policies),
    _shipped("rules", "alert-rule", ".yaml", readable),
    _shipped("views", "saved-view", ".yaml", readable),
    _shipped("dashboards", "dashboard", ".txt", _panels),
    Golden(
        "host", ".sh", tuple(HOST_CASES), _host_setup, dict.fromkeys(("cold-storage", "ssh-x86"), "session-manager")
    ),
    Golden("content/schema", ".yaml", ("everything",), _every_feature),
    Golden(
        "program",
        ".yaml",
        program.CASES,
        lambda case: program.program(case).text,
        # Production is staging and more; everything is what the local stack has, and more.
        {"staging": "dev", "prod": "staging", "local": "dev", "everything": "local", "forwarding": "local"},
    ),
)
