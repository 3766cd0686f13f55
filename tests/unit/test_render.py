"""`turnscope render`: the texts that a stack would deploy, and the comparison with a folder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from core.errors import UserError
from core.roles import Role
from core.secrets import placeholders
from core.secrets.reference import SecretRef
from signoz.plan.environment import environment_file
from signoz.plan.files import rendered_file
from signoz.plan.model import Container, File, Image, SigNozPlan
from tests.unit.conftest import MakePlan
from turnscope.options import What
from turnscope.rendering import as_one_text, check, render, write

PASSWORD = SecretRef("signoz.clickhouse.password")
SECRETS = {PASSWORD.path: "pa55word"}
IMAGE = Image("example", "1")


def container(role: Role, *files: File, **over: object) -> Container:
    return Container(role=role, name=f"turnscope-{role}", image=IMAGE, files=files, **over)  # pyright: ignore[reportArgumentType]


def plan(*containers: Container) -> SigNozPlan:
    return SigNozPlan("dev", "dev", "0.138.0", "turnscope-dev", containers, ())


SIGNOZ = container(
    Role.SIGNOZ,
    environment=(("SIGNOZ_ALERTMANAGER_PROVIDER", "signoz"), ("SIGNOZ_ANALYTICS_ENABLED", "false")),
)
STACK = plan(
    container(Role.SETUP, File("/staged/000", "copy of the Caddyfile")),
    container(Role.KEEPER, File("/etc/keeper.xml", "<keeper/>\n")),
    container(Role.CLICKHOUSE, rendered_file("/etc/users.xml", f"<p>{placeholders.value_of(PASSWORD)}</p>\n")),
    SIGNOZ,
    container(Role.GATEWAY, File("/etc/caddy/Caddyfile", "{\n}\n")),
)


def test_paths_say_role_and_place(make_plan: MakePlan) -> None:
    """Each file once, below its role; the setup container's copies are not repeated."""
    texts = render(What.ALL, cloudwatch=make_plan(), signoz=STACK)
    signoz = {path for path in texts if not path.startswith("insights/")}
    assert signoz == {
        "keeper/etc/keeper.xml",
        "clickhouse/etc/users.xml",
        "signoz/environment",
        "gateway/etc/caddy/Caddyfile",
    }
    assert "insights/latency-percentiles.insights" in texts


@pytest.mark.parametrize(
    ("what", "folders"),
    [
        (What.CLICKHOUSE, {"clickhouse", "keeper"}),
        (What.GATEWAY, {"gateway"}),
        (What.ALERTMANAGER, {"alertmanager"}),
        (What.INSIGHTS, {"insights"}),
    ],
)
def test_only_what_was_asked_for(make_plan: MakePlan, what: What, folders: set[str]) -> None:
    """A part's name selects the roles that belong to it."""
    texts = render(what, cloudwatch=make_plan(), signoz=STACK)
    assert {path.split("/")[0] for path in texts} == folders


def test_insights_are_what_is_deployed(make_plan: MakePlan) -> None:
    """The rendered query is the saved query's text, unchanged."""
    cloudwatch = make_plan()
    texts = render(What.INSIGHTS, cloudwatch=cloudwatch, signoz=None)
    assert sorted(texts.values()) == sorted(query.query for query in cloudwatch.saved_queries)


def test_secrets_are_masked_unless_given(make_plan: MakePlan) -> None:
    """Without values no secret can be in the output; with them it is what would be deployed, byte for byte."""
    masked = as_one_text(render(What.ALL, cloudwatch=make_plan(), signoz=STACK))
    assert "{secret:signoz.clickhouse.password}" in masked
    shown = render(What.ALL, cloudwatch=make_plan(), signoz=STACK, secrets=SECRETS)
    assert shown["clickhouse/etc/users.xml"] == "<p>pa55word</p>\n"


def test_alertmanager_is_where_the_release_has_it(make_plan: MakePlan) -> None:
    """Its own container's file, or the variables that configure it inside SigNoz and no others."""
    variables = {f"SIGNOZ_{name}_PASSWORD": placeholders.value_of(PASSWORD) for name in ("ALERTMANAGER", "USER_ROOT")}
    stack = plan(replace(SIGNOZ, files=(environment_file(variables, owner="0:0"),)))
    inside = render(What.ALERTMANAGER, cloudwatch=make_plan(), signoz=stack)
    assert inside == {
        "alertmanager/environment": "SIGNOZ_ALERTMANAGER_PROVIDER=signoz\n",
        "alertmanager/etc/turnscope/secrets/environment.sh": "export SIGNOZ_ALERTMANAGER_PASSWORD="
        "'{secret:signoz.clickhouse.password}'\n",
    }
    apart = plan(container(Role.ALERTMANAGER, File("/etc/alertmanager/alertmanager.yml", "route: {}\n")))
    assert render(What.ALERTMANAGER, cloudwatch=make_plan(), signoz=apart) == {
        "alertmanager/etc/alertmanager/alertmanager.yml": "route: {}\n"
    }


def test_a_stack_without_signoz_has_no_roles(make_plan: MakePlan) -> None:
    """Asking for a role that the stack does not have is told as a mistake; everything there is, is rendered."""
    with pytest.raises(UserError, match="no gateway"):
        render(What.GATEWAY, cloudwatch=make_plan(), signoz=None)
    assert all(path.startswith("insights/") for path in render(What.ALL, cloudwatch=make_plan(), signoz=None))


def test_check_passes_on_what_was_written(tmp_path: Path) -> None:
    """Writing and checking agree to the byte, also on foreign line ends and none at the end; writing repeats."""
    texts = {"gateway/etc/caddy/Caddyfile": "a\r\nb", "alertmanager/secret": "é"}
    write(texts, tmp_path, private=False)
    write(texts, tmp_path, private=False)
    check(texts, tmp_path)


@pytest.mark.parametrize(
    ("path", "text", "told"),
    [
        ("gateway/Caddyfile", "a\nB\n", "-B\n+b"),
        ("gateway/Caddyfile", "a\nb", "No newline at end of file"),
        ("gateway/Caddyfile", "a\r\nb\n", "-a\r\n+a"),
        ("gateway/Caddyfile", None, "--- /dev/null\n+++ deployed/gateway/Caddyfile"),
        ("gateway/left-over", "x\n", "+++ /dev/null"),
    ],
)
def test_check_tells_every_difference(tmp_path: Path, path: str, text: str | None, told: str) -> None:
    """Changed, missing and superfluous files each end in exit code 1 and a diff."""
    texts = {"gateway/Caddyfile": "a\nb\n"}
    write(texts, tmp_path, private=False)
    if text is None:
        (tmp_path / path).unlink()
    else:
        (tmp_path / path).write_bytes(text.encode())
    with pytest.raises(UserError) as caught:
        check(texts, tmp_path)
    assert caught.value.exit_code == 1
    assert told in str(caught.value)


def test_other_folders_are_left_alone(tmp_path: Path) -> None:
    """Rendering one part into a folder that holds others does not call these superfluous."""
    write({"clickhouse/etc/users.xml": "x\n"}, tmp_path, private=False)
    write({"gateway/Caddyfile": "a\n"}, tmp_path, private=False)
    check({"gateway/Caddyfile": "a\n"}, tmp_path)


def test_shown_secrets_are_for_their_owner(tmp_path: Path) -> None:
    """A file with secrets in it is readable by its owner alone, also where an open one was before."""
    write({"gateway/Caddyfile": "masked"}, tmp_path, private=False)
    write({"gateway/Caddyfile": "secret"}, tmp_path, private=True)
    assert (tmp_path / "gateway/Caddyfile").stat().st_mode & 0o777 == 0o600
