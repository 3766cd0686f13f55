"""What runs on the Docker host: rules that hold for every container of every release."""

from __future__ import annotations

import base64
import json
import re
import subprocess
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from core.environments import Environment
from core.errors import UserError
from core.releases import VERSIONS, find_release
from core.roles import Role
from core.secrets import generated
from core.secrets.reference import SecretRef
from core.templating import TEMPLATES_FOLDER
from lab.telemetry_store import TelemetryStore
from signoz.docker_host import DockerHost
from signoz.plan.build import plan_signoz
from signoz.plan.environment import PATH as SECRET_ENVIRONMENT
from signoz.plan.files import content
from signoz.plan.images import registry_images
from signoz.plan.model import CHECKOUT_LABEL, Container, File, Image, SigNozPlan
from signoz.plan.volumes import volumes
from signoz.roles.collector.config import CLICKHOUSE_PASSWORD, CONFIG_FILE, SECRETS_FOLDER
from signoz.stack import database_volume, start_order
from stacks.settings.model import Prices
from stacks.settings.roles.images import Images
from stacks.settings.roles.signoz import SigNozSettings
from turnscope.options import What
from turnscope.rendering import render

ROOT_ALLOWED = {Role.SETUP: "gives volumes to their users; ends before anything else starts, without network"}
WRITABLE_ROOT_ALLOWED = {
    Role.SETUP: "is given its files by upload, which Docker refuses with a read-only root",
    "zookeeper": "its image writes its configuration at every start",
}
CHECKOUT = Path("/home/me/turnscope")
MAKES_TABLES = (Role.SIGNOZ, Role.QUERY_SERVICE, Role.COLLECTOR)


def secret(path: str) -> SecretRef:
    return SecretRef(f"signoz.{path}")


def settings(release: str = VERSIONS[-1], **over: Any) -> SigNozSettings:
    least: dict[str, Any] = {
        "release": release,
        "jwt_secret": secret("jwt_secret"),
        "clickhouse": {"password": secret("clickhouse.password")},
        "collector": {"tokens": {"agents": secret("collector.tokens.agents")}},
    }
    if find_release(release).root_user:
        least["root_user"] = {"email": "ops@example.com", "password": secret("root_user.password")}
    if release != VERSIONS[-1]:
        least["content"] = None
    return SigNozSettings(**{**least, **over})


def plan(release: str = VERSIONS[-1], *, environment: Environment = Environment.DEV, **over: Any) -> SigNozPlan:
    made = settings(release, **over)
    return plan_signoz(
        "dev",
        made,
        environment=environment,
        owner="tests",
        prices=Prices(),
        slow_turn_seconds=1.5,
        lab_image=lab_image,
        checkout=CHECKOUT,
    )


@pytest.mark.parametrize("environment", Environment)
def test_only_a_local_stack_names_its_checkout(environment: Environment) -> None:
    """A CI job deploys the others, from a folder that is another each time."""
    named = dict(plan(environment=environment).labels).get(CHECKOUT_LABEL)
    assert named == (str(CHECKOUT) if environment is Environment.LOCAL else None)


def lab_image(role: Role) -> Image:
    return Image(f"lab/{role}", "1", lab=True)


SMTP = {"host": "mail.example.com", "sender": "signoz@example.com", "username": "u", "password": secret("smtp")}
EVERYTHING: dict[str, Any] = {
    "alertmanager": {
        "receivers": {"ops": {"emails": ("ops@example.com",), "slack_webhook_url": secret("slack")}},
        "default_receiver": "ops",
        "smtp": SMTP,
    },
    "gateway": {
        "certificates": "own",
        "own_certificate": {
            "certificate_pem": "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
            "private_key_pem": secret("key"),
        },
    },
}
PLANS = {
    f"{release}{name}": plan(release, **over)
    for release in VERSIONS
    for name, over in (("", {}), (" with everything", EVERYTHING))
} | {
    "with PostgreSQL": plan(database={"postgres": {"host": "db.example.com", "password": secret("database")}}),
    "with an external ClickHouse": plan(clickhouse={"password": secret("p"), "external": {"hosts": ("ch",)}}),
}
every_plan = pytest.mark.parametrize("planned", PLANS.values(), ids=PLANS)


def called(container: Container) -> str:
    return "zookeeper" if "zookeeper" in container.image.repository else container.role


@every_plan
def test_only_the_gateway_publishes_ports(planned: SigNozPlan) -> None:
    assert [container.role for container in planned.containers if container.ports] == [Role.GATEWAY]


@every_plan
def test_every_container_has_limits(planned: SigNozPlan) -> None:
    """One without would take the host with it."""
    for container in planned.containers:
        assert container.memory_mib >= 64, container.name
        assert 0 < container.cpus <= 2, container.name
        assert container.open_files >= 1024, container.name
        assert container.stop_grace_seconds > 0, container.name


@every_plan
def test_every_container_proves_that_it_works_or_ends(planned: SigNozPlan) -> None:
    for container in planned.containers:
        assert (container.health is None) == container.one_shot, container.name


@every_plan
def test_containers_run_without_root(planned: SigNozPlan) -> None:
    for container in planned.containers:
        assert container.user, f"{container.name}: the image's own user may be root"
        is_root = container.user.split(":")[0] == "0"
        assert is_root == (container.role in ROOT_ALLOWED), container.name


@every_plan
def test_file_systems_are_read_only(planned: SigNozPlan) -> None:
    for container in planned.containers:
        assert container.read_only_root == (called(container) not in WRITABLE_ROOT_ALLOWED), container.name


@every_plan
def test_only_setup_has_uploads_and_no_network(planned: SigNozPlan) -> None:
    """Docker refuses to put files into a container whose root is read-only."""
    for container in planned.containers:
        assert bool(container.uploads) == (container.role is Role.SETUP), container.name
        assert container.networked == (container.role is not Role.SETUP), container.name


@every_plan
def test_images_are_pinned_by_version(planned: SigNozPlan) -> None:
    for container in planned.containers:
        assert re.search(r"\d", container.image.tag), container.image.reference
        assert "latest" not in container.image.reference


@every_plan
def test_containers_can_start_in_order(planned: SigNozPlan) -> None:
    """`start_order` raises for a cycle; it must name every container once, after those that it waits for."""
    order = [container.role for container in start_order(planned)]
    assert sorted(order) == sorted(container.role for container in planned.containers)
    for container in planned.containers:
        assert all(order.index(role) < order.index(container.role) for role in container.after)


def all_before(planned: SigNozPlan, role: Role) -> set[Role]:
    after = planned.container(role).after
    return set(after).union(*(all_before(planned, each) for each in after))


@every_plan
def test_migrations_come_before_what_uses_tables(planned: SigNozPlan) -> None:
    """A collector or server that starts before would make, or miss, half of the tables."""
    roles = {container.role for container in planned.containers}
    for role in roles.intersection(MAKES_TABLES):
        # An external ClickHouse runs already.
        assert {Role.KEEPER, Role.CLICKHOUSE} & roles | {Role.MIGRATOR} <= all_before(planned, role)
    assert {Role.COLLECTOR, find_release(planned.release).pages[0]} <= all_before(planned, Role.GATEWAY)


@pytest.mark.parametrize("opamp", [True, False])
def test_the_collector_finds_opamp_where_the_release_serves_it(opamp: bool) -> None:
    """At another address it would start, and never open its ports."""
    for release in VERSIONS:
        planned = plan(release, collector={"tokens": {"agents": secret("collector.tokens.agents")}, "opamp": opamp})
        files = {file.path: file.text for file in planned.container(Role.COLLECTOR).files}
        expected = f"server_endpoint: ws://{find_release(release).server}:4320/v1/opamp\n" if opamp else None
        assert files.get("/etc/turnscope/opamp.yaml") == expected


@pytest.mark.parametrize("opamp", [True, False])
def test_collector_under_opamp_waits_for_the_organisation(opamp: bool) -> None:
    """With OpAMP its ports open only once SigNoz has an organisation, and `health_check` answers long before."""
    planned = plan(collector={"tokens": {"agents": secret("collector.tokens.agents")}, "opamp": opamp})
    collector = planned.container(Role.COLLECTOR)
    assert (Role.SIGNOZ in collector.after) == opamp
    assert collector.health
    probe = " ".join(collector.health.command)
    assert "4317" in probe
    assert "4318" in probe
    environment = dict(planned.container(Role.SIGNOZ).environment)
    assert environment["SIGNOZ_USER_ROOT_ENABLED"] == "true"
    assert planned.container(Role.SIGNOZ).health.command[-1].endswith("/api/v2/healthz")  # type: ignore[union-attr]


def references(value: object) -> list[SecretRef]:
    """Every reference to a secret inside settings."""
    if isinstance(value, SecretRef):
        return [value]
    if isinstance(value, dict):
        return [found for each in value.values() for found in references(each)]
    if isinstance(value, tuple | list):
        return [found for each in value for found in references(each)]
    return []


def texts(value: object) -> list[str]:
    """Every text inside a plan."""
    if isinstance(value, str):
        return [value]
    if is_dataclass(value):
        return [found for each in fields(value) for found in texts(getattr(value, each.name))]
    if isinstance(value, tuple | list):
        return [found for each in value for found in texts(each)]
    return []


@every_plan
def test_no_secret_is_in_a_variable_or_a_readable_file(planned: SigNozPlan) -> None:
    """`docker inspect` shows variables, and another process of the container reads files of mode 0444."""
    for container in planned.containers:
        assert not any("{secret:" in value for _, value in container.environment), container.name
        for file in (*container.files, *container.uploads):
            if file.secrets:
                assert file.mode.startswith("04"), file.path
                assert file.mode.endswith("00"), file.path


@every_plan
def test_every_file_is_readable_by_its_program(planned: SigNozPlan) -> None:
    """A mounted file with another owner and mode 0400 stops its program at the first start."""
    for container in planned.containers:
        for file in container.files:
            assert file.owner == container.user or file.mode.endswith(("4", "5")), (container.name, file.path)


@pytest.mark.parametrize("release", VERSIONS)
def test_every_secret_setting_reaches_its_program(release: str) -> None:
    """A secret that is set and used nowhere is one that its owner believes in for nothing."""
    made = settings(release, **EVERYTHING)
    used = {
        reference
        for each in plan(release, **EVERYTHING).containers
        for file in each.files
        for _, reference in file.secrets
    }
    asked = set(references(made.model_dump()))
    if find_release(release).root_user or release == "0.86.2":
        asked -= {secret("slack")}  # receivers are content of SigNoz' API there
    assert asked <= used


def test_secrets_with_quotes_survive_the_shell_and_the_address(tmp_path: Path) -> None:
    """Passwords may hold what a shell or a URL gives a meaning to."""
    awkward = 'it\'s $HOME `id` "x" \\ @:/?#%'
    server = plan().container(Role.SIGNOZ)
    (file,) = (file for file in server.files if file.path == SECRET_ENVIRONMENT)
    script = tmp_path / "environment.sh"
    script.write_text(content(file, {path: awkward for path, _ in file.secrets}))
    names = ("SIGNOZ_TOKENIZER_JWT_SECRET", "SIGNOZ_TELEMETRYSTORE_CLICKHOUSE_DSN")
    shown = subprocess.run(
        ["sh", "-c", f". {script}; printenv {' '.join(names)}"],
        capture_output=True, text=True, check=True,
    ).stdout.splitlines()  # fmt: skip
    assert shown[0] == awkward
    assert re.fullmatch(r"tcp://turnscope:[A-Za-z0-9%._~-]+@clickhouse:9000", shown[1])


@pytest.mark.parametrize("value", ["", "  ", "\n"])
def test_empty_secrets_are_refused_without_being_shown(value: str) -> None:
    file = File("/x", "{secret:a}", secrets=(("a", SecretRef("a")),))
    with pytest.raises(UserError, match="Secret a is empty"):
        content(file, {"a": value})


def test_tokens_rotate_without_replacing_the_collector() -> None:
    """The collector watches its token file: it is the one file that replaces nothing."""
    watched = {file.path for each in plan().containers for file in each.files if file.watched}
    assert watched == {"/etc/turnscope/secrets/otlp_tokens"}


def test_token_file_has_no_empty_line() -> None:
    """An empty line would let in whoever sends an empty token (`signoz.roles.collector.credentials.token_file`)."""
    tokens = {"tokens": {name: secret(f"collector.tokens.{name}") for name in ("first", "second")}}
    (file,) = (file for file in plan(collector=tokens).container(Role.COLLECTOR).files if file.watched)
    filled = content(file, {path: f"{number:020}" for number, (path, _) in enumerate(file.secrets)})
    assert filled.split("\n") == ["0" * 20, f"{1:020}"]


@pytest.mark.parametrize("value", ["short", "a key with spaces in it", "$" * 20])
def test_credentials_of_the_collector_are_checked_when_they_are_filled_in(value: str) -> None:
    """What the collector would read as something else, or as no protection, is never deployed."""
    good = "k" * 20
    own = {
        "tokens": {"agents": secret("collector.tokens.agents")},
        "langfuse": {"public_key": secret("langfuse.public_key"), "secret_key": secret("langfuse.secret_key")},
        "firehose": {"access_key": secret("firehose.access_key")},
    }
    files = [file for file in plan(collector=own).container(Role.COLLECTOR).files if file.compose]
    texts = {file.path.rpartition("/")[2]: content(file, {path: good for path, _ in file.secrets}) for file in files}
    assert texts == {
        "otlp_tokens": good,
        "langfuse_credentials": base64.b64encode(f"{good}:{good}".encode()).decode(),
        "firehose_access_key": good,
    }
    for file in files:
        for wrong, _ in file.secrets:
            with pytest.raises(UserError, match="16 or more letters") as raised:
                content(file, {path: value if path == wrong else good for path, _ in file.secrets})
            assert value not in str(raised.value)


@every_plan
def test_setup_fills_every_volume_of_files(planned: SigNozPlan) -> None:
    """A container reads its files from volumes alone, each mounted where the files belong, without nesting."""
    setup = planned.container(Role.SETUP)
    assert {mount.volume for mount in setup.volumes} == {volume.name for volume in volumes(planned.containers)}
    staged = [upload for upload in setup.uploads if upload.path.startswith("/turnscope/staged/")]
    wanted = [file for container in planned.containers for file in container.files]
    assert [(each.text, each.compose) for each in staged] == [(each.text, each.compose) for each in wanted]
    for container in planned.containers:
        if container.files:
            assert Role.SETUP in container.after
        mounted = [mount.path for mount in container.volumes if mount.read_only]
        for file in container.files:
            assert sum(file.path.startswith(f"{path}/") for path in mounted) == 1, file.path


@every_plan
def test_only_data_is_kept(planned: SigNozPlan) -> None:
    """Kept volumes of files would hold old secrets for ever; data that is not kept is lost with the stack."""
    for volume in volumes(planned.containers):
        assert volume.keep == volume.name.endswith("-data"), volume.name


def test_keep_volumes_false_keeps_nothing() -> None:
    assert not any(volume.keep for volume in volumes(plan(keep_volumes=False).containers))


POSTGRES = {"host": "db.example.com", "password": secret("database.postgres.password")}
CA = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"


def with_postgres(**over: Any) -> SigNozPlan:
    return plan(database={"postgres": {**POSTGRES, **over}})


def exported(planned: SigNozPlan, name: str) -> str:
    """A variable of SigNoz' server as its file of secrets sets it, with placeholders."""
    [file] = [file for file in planned.container(Role.SIGNOZ).files if file.path == SECRET_ENVIRONMENT]
    return next(line for line in file.text.splitlines() if line.startswith(f"export {name}=")).partition("=")[2]


def test_with_postgres_the_server_has_no_volume_of_data() -> None:
    planned = with_postgres()
    server = planned.container(Role.SIGNOZ)
    variables = dict(server.environment)
    assert variables["SIGNOZ_SQLSTORE_PROVIDER"] == "postgres"
    assert not any("SQLITE" in name for name in variables)
    assert database_volume(planned) is None
    assert not any(mount.keep for mount in server.volumes)
    assert database_volume(plan()) == "turnscope-dev-signoz-data"


def test_postgres_is_checked_by_its_certificate() -> None:
    """`github.com/jackc/pgx` knows the options of libpq."""
    dsn = "'postgres://signoz:{url:signoz.database.postgres.password}@db.example.com:5432/signoz?sslmode="
    assert exported(with_postgres(), "SIGNOZ_SQLSTORE_POSTGRES_DSN") == f"{dsn}verify-full'"
    assert exported(with_postgres(tls="require"), "SIGNOZ_SQLSTORE_POSTGRES_DSN") == f"{dsn}require'"
    own = with_postgres(ca_certificates_pem=CA)
    path = "/etc/turnscope/secrets/postgres-ca.pem"
    assert exported(own, "SIGNOZ_SQLSTORE_POSTGRES_DSN") == f"{dsn}verify-full&sslrootcert={path}'"
    assert {file.path: file.text for file in own.container(Role.SIGNOZ).files}[path] == CA


@pytest.mark.parametrize(
    ("over", "expected"),
    [
        ({"release": "0.86.2"}, "postgres: allowed: null, with release 0.86.2"),
        ({"images": {"edition": "community"}}, "null, with images.edition community"),
        ({"images": {"source": "lab"}}, "null, with lab images"),
        (
            {"database": {"postgres": {**POSTGRES, "tls": "require", "ca_certificates_pem": CA}}},
            "except with tls: veri",
        ),
        ({"database": {"postgres": {**POSTGRES, "host": "https://db"}}}, "a host name or an IPv4 address"),
    ],
)
def test_a_database_that_cannot_be_is_refused(over: dict[str, Any], expected: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(expected)):
        settings(**{"database": {"postgres": POSTGRES}, **over})


EXTERNAL = {"hosts": ("ch1.example.com", "ch2.example.com")}


def with_external(**over: Any) -> SigNozPlan:
    return plan(clickhouse={"password": secret("clickhouse.password"), "external": {**EXTERNAL, **over}})


def test_with_an_external_clickhouse_there_is_none_of_the_stacks_own() -> None:
    planned = with_external()
    roles = {container.role for container in planned.containers}
    assert roles == {Role.SETUP, Role.MIGRATOR, Role.SIGNOZ, Role.COLLECTOR, Role.GATEWAY}
    assert all(set(container.after) <= roles for container in planned.containers)
    assert "clickhouse" not in json.dumps([container.image.reference for container in planned.containers])
    assert {volume.name for volume in volumes(planned.containers) if volume.keep} == {
        "turnscope-dev-signoz-data", "turnscope-dev-collector-data", "turnscope-dev-gateway-data",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("tls", "options"),
    [("verify-full", "?secure=true"), ("require", "?secure=true&skip_verify=true"), ("disable", "")],
)
def test_everybody_reaches_an_external_clickhouse_in_the_same_way(tls: str, options: str) -> None:
    """Migrator, collector and server; with TLS unless it was switched off."""
    planned = with_external(tls=tls, user="telemetry", cluster="voice")
    password = "{url:signoz.clickhouse.password}"
    where = "ch1.example.com:9440,ch2.example.com:9440"
    dsn = f"tcp://telemetry:{password}@{where}{'/' if options else ''}{options}"
    assert exported(planned, "SIGNOZ_TELEMETRYSTORE_CLICKHOUSE_DSN") == f"'{dsn}'"
    for role in (Role.MIGRATOR, Role.COLLECTOR):
        container = planned.container(role)
        texts = {file.path: file.text for file in container.files}
        assert f"CLICKHOUSE_DSN='{dsn}'" in next(text for path, text in texts.items() if "environment" in path)
        assert dict(container.environment)["SIGNOZ_OTEL_COLLECTOR_CLICKHOUSE_CLUSTER"] == "voice"
    assert dict(planned.container(Role.SIGNOZ).environment)["SIGNOZ_TELEMETRYSTORE_CLICKHOUSE_CLUSTER"] == "voice"
    written = yaml.safe_load({file.path: file.text for file in planned.container(Role.COLLECTOR).files}[CONFIG_FILE])
    addresses = {
        value
        for name, exporter in written["exporters"].items()
        if "clickhouse" in name or name == "metadataexporter"
        for key, value in exporter.items()
        if key in ("dsn", "datasource", "endpoint")
    }
    reads = f"${{file:{SECRETS_FOLDER}/{CLICKHOUSE_PASSWORD}}}"
    databases = ("traces", "metrics", "logs", "meter", "metadata")
    assert addresses == {f"tcp://telemetry:{reads}@{where}/signoz_{each}{options}" for each in databases}


def test_the_cas_of_an_external_clickhouse_are_trusted_by_all_who_reach_it() -> None:
    planned = with_external(ca_certificates_pem=CA)
    for role in (Role.MIGRATOR, Role.COLLECTOR, Role.SIGNOZ):
        container = planned.container(role)
        folder = dict(container.environment)["SSL_CERT_DIR"]
        assert {file.path: file.text for file in container.files}[f"{folder}/ca.pem"] == CA
    assert not any("SSL_CERT_DIR" in dict(container.environment) for container in with_external().containers)


def test_commands_about_the_stacks_own_clickhouse_say_that_there_is_none() -> None:
    """Counting stored telemetry and printing its files; nobody is asked."""
    with pytest.raises(UserError, match="no ClickHouse of its own") as asked:
        TelemetryStore(DockerHost("unix:///nowhere"), with_external(), "p").ask("SELECT 1")
    assert asked.value.exit_code == 2
    with pytest.raises(UserError, match="so it has no clickhouse"):
        render(What.CLICKHOUSE, cloudwatch=None, signoz=with_external())


def test_the_password_of_an_external_clickhouse_is_not_made_up() -> None:
    """Its owner knows it."""
    given = {"signoz": {"clickhouse": {"external": {"hosts": ["ch"]}}}}
    assert SecretRef("signoz.clickhouse.password") not in generated.missing(given)
    assert SecretRef("signoz.clickhouse.password") in generated.missing({"signoz": {}})


@pytest.mark.parametrize(
    ("over", "expected"),
    [
        ({"clickhouse": {"memory_mib": 8192, "simdjson": False}}, "allowed: null with memory_mib, simdjson"),
        ({"clickhouse": {"cold_storage": {"bucket": "b-b", "region": "us-west-1"}}}, "null with cold_storage"),
        ({"release": "0.86.2"}, "external: allowed: null, with release 0.86.2"),
        ({"coordination": "zookeeper"}, "external: allowed: null with coordination"),
        ({"images": {"source": "lab"}}, "external: allowed: null, with lab images"),
        ({"limits": {"clickhouse_cpus": 4}}, "allowed: nothing in clickhouse_cpus"),
        ({"clickhouse": {"external": {"hosts": ()}}}, "at least 1 item"),
    ],
)
def test_what_is_of_the_stacks_own_clickhouse_is_refused_with_another(over: dict[str, Any], expected: str) -> None:
    clickhouse = {"password": secret("p"), "external": EXTERNAL, **over.get("clickhouse", {})}
    with pytest.raises(ValidationError, match=re.escape(expected)):
        settings(**{**over, "clickhouse": clickhouse})


def test_an_upgrade_finds_its_data() -> None:
    """The container's name changes from query-service to signoz; users and dashboards must not stay behind."""

    def data(release: str, path: str, **over: Any) -> set[str]:
        mounts = (mount for each in plan(release, **over).containers for mount in each.volumes)
        return {mount.volume for mount in mounts if mount.path == path}

    for path in ("/var/lib/signoz", "/var/lib/clickhouse"):
        assert len(set().union(*(data(release, path) for release in VERSIONS))) == 1
    zookeeper = [data(release, "/bitnami/zookeeper", coordination="zookeeper") for release in VERSIONS]
    assert zookeeper == [{"turnscope-dev-zookeeper-data"}] * len(VERSIONS)


def test_one_changed_file_changes_one_container() -> None:
    """Others that would change too would be replaced, and stop for it."""
    before, after = plan(), plan(gateway={"ingest_body_mib": 17})
    changed = [b.role for b, a in zip(before.containers, after.containers, strict=True) if b != a]
    assert changed == [Role.SETUP, Role.GATEWAY]


def test_open_files_stay_within_what_the_host_allows() -> None:
    limited = plan(limits={"open_files": 4096})
    assert max(container.open_files for container in limited.containers) == 4096
    assert plan().container(Role.CLICKHOUSE).open_files == 262_144


def test_lab_images_only_in_local() -> None:
    for environment in set(Environment) - {Environment.LOCAL}:
        with pytest.raises(UserError, match="except in environment local"):
            plan(images={"source": "lab"}, environment=environment)
    local = plan(images={"source": "lab"}, environment=Environment.LOCAL)
    assert all(container.image.lab for container in local.containers)


def test_a_server_of_ones_own_among_lab_images() -> None:
    """What is worked on is SigNoz; the rest may be the lab's."""
    images = {"source": "lab", "server": "registry.example.com/signoz:dev"}
    planned = plan(images=images, environment=Environment.LOCAL).containers
    assert [each.role for each in planned if not each.image.lab] == [Role.SIGNOZ]
    assert {each.image.reference for each in planned if not each.image.lab} == {"registry.example.com/signoz:dev"}


def test_digests_pin_images_of_a_mirror() -> None:
    """The lock names an image as the mirror does; setup, which is ClickHouse's image, is pinned with it."""
    digest = "sha256:" + "0" * 64
    name = "registry.example.com/hub/clickhouse/clickhouse-server:25.12.5"
    release = find_release("0.138.0")
    images = registry_images(Images(registry="registry.example.com/hub"), release, None, {name: digest})
    assert images[Role.CLICKHOUSE].reference == images[Role.SETUP].reference == f"{name}@{digest}"
    assert images[Role.GATEWAY].reference == "registry.example.com/hub/caddy:2.10.2"


def test_nothing_is_reported_to_signoz() -> None:
    """SigNoz' statistics are on by default."""
    current = dict(plan().container(Role.SIGNOZ).environment)
    assert current["SIGNOZ_STATSREPORTER_ENABLED"] == current["SIGNOZ_ANALYTICS_ENABLED"] == "false"
    assert dict(plan("0.75.0").container(Role.QUERY_SERVICE).environment)["TELEMETRY_ENABLED"] == "false"


def test_classic_migrator_hides_its_password_and_keeps_its_exit_code(tmp_path: Path) -> None:
    """It logs its DSN; and a pipe's exit code is that of its last command."""
    shell = plan("0.75.0").container(Role.MIGRATOR).entrypoint[-1]
    for succeeds in (True, False):
        program = tmp_path / "migrator"
        said = json.dumps({"dsn": "tcp://u:pw1@clickhouse:9000", "Auth": {"Password": "pw1"}})
        program.write_text(f"#!/bin/sh\necho '{said}' | tr -d ' '\nexit {0 if succeeds else 3}\n")
        program.chmod(0o755)
        (tmp_path / "environment.sh").write_text("")
        script = shell.replace(SECRET_ENVIRONMENT, str(tmp_path / "environment.sh"))
        script = script.replace("/signoz-schema-migrator", str(program)).replace(
            "/tmp/failed",  # noqa: S108 - in the container
            str(tmp_path / "failed"),
        )
        ran = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=False)
        assert (ran.returncode == 0) == succeeds
        assert "pw1" not in ran.stdout + ran.stderr
        assert "hidden" in ran.stdout


def quantile(*rows: str) -> list[str]:
    program = TEMPLATES_FOLDER / "histogramQuantile"
    ran = subprocess.run(
        ["awk", "-f", program], input="".join(f"{row}\n" for row in rows), capture_output=True, text=True, check=True
    )
    return ran.stdout.split()


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ('"[0.5,1,inf]","[3,9,10]",0.5', 0.5 + 0.5 * 2 / 6),
        ('"[1,0.5,inf]","[9,3,10]",0.5', 0.5 + 0.5 * 2 / 6),  # in any order
        ('"[0.5,1,inf]","[3,9,10]",0.95', 1.0),  # above the last bound: that bound
        ('"[1,2,inf]","[5,3,10]",0.25', 0.5),  # a count below the one before counts as that
        ('"[1,1,2,inf]","[2,2,8,8]",0.5', 1.0),  # one bound twice: added up
        ('"[-1,1,inf]","[4,4,8]",0.25', -1.0),
    ],
)  # fmt: skip
def test_histogram_quantile_is_that_of_prometheus(row: str, expected: float) -> None:
    assert float(quantile(row)[0]) == pytest.approx(expected)


def test_histogram_quantile_of_nothing() -> None:
    """What cannot be told is NaN; a row without an answer would leave ClickHouse waiting for one."""
    rows = ('"[]","[]",0.5', '"[1,inf]","[0,0]",0.5', '"[1,2]","[1,2]",0.5', '"[1,inf]","[1,1]",nan')
    assert quantile(*rows) == ["nan"] * len(rows)
    assert quantile('"[1,inf]","[1,1]",-0.1', '"[1,inf]","[1,1]",1.1') == ["-inf", "inf"]


def test_settings_of_a_classic_release() -> None:
    """It has no administrator in settings and no Keeper; both are said before anything is deployed."""
    with pytest.raises(ValueError, match="first visitor"):
        settings("0.75.0", root_user={"email": "a@example.com", "password": secret("p")})
    with pytest.raises(ValueError, match="allowed: zookeeper"):
        settings("0.75.0", coordination="keeper")
    with pytest.raises(ValueError, match="e-mail address and password"):
        settings(root_user=None)
