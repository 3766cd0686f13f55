"""ClickHouse's and Keeper's files: who gets in, what is kept, and that nothing is misspelt."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from core.releases import CATALOGUE, CLASSIC, CURRENT
from core.secrets import placeholders
from core.secrets.reference import SecretRef
from signoz.roles.clickhouse import (
    CONFIG_PATH,
    DATA_PATH,
    DATABASE_USER,
    FUNCTION_PATH,
    HISTOGRAM_QUANTILE_PATH,
    SYSTEM_LOGS,
    USERS_PATH,
    clickhouse_files,
    render_clickhouse,
    start,
)
from signoz.roles.collector.config import render_collector
from signoz.roles.keeper import CONFIG_PATH as KEEPER_CONFIG_PATH
from signoz.roles.keeper import DATA_PATH as KEEPER_DATA_PATH
from signoz.roles.keeper import keeper_files
from stacks.settings.roles.clickhouse import ClickHouseSettings
from tests import clickhouse_schema
from tests.collector_cases import collector_context, collector_settings
from tests.role_cases import (
    CLICKHOUSE,
    CLICKHOUSE_PASSWORD,
    COLD,
    COLD_ACCESS,
    RELEASES,
    clickhouse_settings,
    clickhouse_texts,
)

SCHEMAS = {
    CONFIG_PATH: clickhouse_schema.SERVER,
    USERS_PATH: clickhouse_schema.USERS,
    FUNCTION_PATH: clickhouse_schema.FUNCTIONS,
    KEEPER_CONFIG_PATH: clickhouse_schema.KEEPER,
}
EVERY = [(case, release) for case in CLICKHOUSE for release in RELEASES]


def parsed(path: str, case: str = "prod", release: str = "current") -> ElementTree.Element:
    return ElementTree.fromstring(clickhouse_texts(case, release)[path])  # noqa: S314


@pytest.mark.parametrize(("case", "release"), EVERY)
def test_every_element_is_known(case: str, release: str) -> None:
    """ClickHouse ignores a misspelt key without a word, so each is checked here."""
    for path, text in clickhouse_texts(case, release).items():
        assert clickhouse_schema.problems(text, SCHEMAS[path]) == [], path


@pytest.mark.parametrize(
    ("path", "right", "wrong"),
    [
        (CONFIG_PATH, "max_server_memory_usage_to_ram_ratio>", "max_server_memory_usage_ratio>"),
        (CONFIG_PATH, "<ttl>event_date", "<ttl>event_day"),
        (CONFIG_PATH, "<port>9000", "<port>90000"),
        (USERS_PATH, "password_sha256_hex>", "password_sha256>"),
        (FUNCTION_PATH, "return_type>", "returns>"),
        (KEEPER_CONFIG_PATH, "snapshot_storage_path>", "snapshots_path>"),
    ],
)
def test_a_wrong_key_is_found(path: str, right: str, wrong: str) -> None:
    """The check above fails for a key or value that is wrong."""
    text = clickhouse_texts("prod", "current")[path]
    assert right in text
    assert clickhouse_schema.problems(text.replace(right, wrong), SCHEMAS[path])


def test_one_user_who_needs_the_password() -> None:
    """Nobody gets in without the password: the collector's user is the only one, and no `default` is left."""
    users = parsed(USERS_PATH).find("users")
    assert users is not None
    assert [user.tag for user in users] == [DATABASE_USER]
    assert f"tcp://{DATABASE_USER}:" in render_collector(collector_settings(), collector_context())
    assert [each.tag for each in users[0] if "password" in each.tag] == ["password_sha256_hex"]


def test_only_the_passwords_hash_is_deployed() -> None:
    """What lies on the Docker host does not reveal the password."""
    file = next(file for file in clickhouse_files(clickhouse_settings("prod"), CURRENT) if file.path == USERS_PATH)
    assert file.secrets == ((CLICKHOUSE_PASSWORD.path, CLICKHOUSE_PASSWORD),)
    deployed = placeholders.fill(file.text, {CLICKHOUSE_PASSWORD.path: "abc"})
    assert ">ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad<" in deployed
    assert ">abc<" not in deployed


@pytest.mark.parametrize("case", ["prod", "numbers"])
def test_tables_about_itself_end(case: str) -> None:
    """Every system log has the TTL of the settings; without one they fill the disk (signoz#12050)."""
    root = parsed(CONFIG_PATH, case)
    days = clickhouse_settings(case).system_log_retention_days
    found = {each.tag: each.findtext("ttl") for each in root if each.tag.endswith("_log")}
    assert found == dict.fromkeys(SYSTEM_LOGS, f"event_date + INTERVAL {days} DAY DELETE")


@pytest.mark.parametrize(("case", "release"), EVERY)
def test_what_is_written_is_on_a_volume(case: str, release: str) -> None:
    """State beside the volume is lost with the container; Keeper's loss makes tables read-only."""
    for path, volume in ((CONFIG_PATH, DATA_PATH), (KEEPER_CONFIG_PATH, KEEPER_DATA_PATH)):
        if path not in clickhouse_texts(case, release):
            continue
        root = parsed(path, case, release)
        # Paths in Keeper's tree and in a users file are not the server's to write.
        elsewhere = {*root.findall("distributed_ddl/path"), *root.findall("user_directories/users_xml/path")}
        paths = [each for each in root.iter() if each.tag == "path" or each.tag.endswith("_path")]
        written = [each.text or "" for each in paths if each not in elsewhere]
        assert len(written) > 3
        assert [each for each in written if not each.startswith(f"{volume}/")] == []


def test_the_quantile_function_is_found() -> None:
    """The server reads the very file that is deployed, and the command is where the executable goes."""
    root = parsed(CONFIG_PATH)
    assert root.findtext("user_defined_executable_functions_config") == FUNCTION_PATH
    command = parsed(FUNCTION_PATH).findtext("function/command")
    assert f"{root.findtext('user_scripts_path')}{(command or '').removeprefix('./')}" == HISTOGRAM_QUANTILE_PATH


@pytest.mark.parametrize("release", CATALOGUE, ids=lambda release: release.version)
def test_older_servers_get_no_newer_settings(release: Any) -> None:
    """A ClickHouse that does not know a setting of a profile refuses to start."""
    text = render_clickhouse(clickhouse_settings("prod"), release)[USERS_PATH]
    assert ("secondary_indices_enable_bulk_filtering" in text) is (not release.clickhouse.startswith("24."))


def test_coordination_follows_the_release() -> None:
    """ZooKeeper listens on 2181 and has no file here; Keeper on 9181, the port that its own file says."""
    assert keeper_files(clickhouse_settings("prod"), CLASSIC) == ()
    assert parsed(CONFIG_PATH, release="classic").findtext("zookeeper/node/port") == "2181"
    [keeper] = keeper_files(clickhouse_settings("prod"), CURRENT)
    port = ElementTree.fromstring(keeper.text).findtext("keeper_server/tcp_port")  # noqa: S314
    assert parsed(CONFIG_PATH).findtext("zookeeper/node/port") == port == "9181"


def starting(folder: Path) -> subprocess.Popen[str]:
    """ClickHouse's command on a machine that hands out credentials, with `echo` for the server."""
    shell, option, script = start(COLD_ACCESS)
    script = script.replace("/etc/turnscope/s3", str(folder)).replace("/usr/bin/clickhouse-server", "echo started")
    return subprocess.Popen([shell, option, script], stdout=subprocess.PIPE, text=True)


def test_clickhouse_waits_for_its_credentials(tmp_path: Path) -> None:
    """Without them its S3 disk, and so the whole server, would fail; a boot has them a moment after Docker."""
    with starting(tmp_path) as waiting:
        with pytest.raises(subprocess.TimeoutExpired):
            waiting.wait(1.5)
        (tmp_path / COLD_ACCESS.file).write_text("[default]\n")
        assert waiting.communicate(timeout=60)[0].startswith("started --config-file=")
        assert waiting.returncode == 0


def test_clickhouse_can_be_stopped_while_it_waits(tmp_path: Path) -> None:
    with starting(tmp_path) as waiting:
        with pytest.raises(subprocess.TimeoutExpired):
            waiting.wait(0.5)
        waiting.terminate()
        assert waiting.wait(60) in (143, -15)


@given(st.integers(1024, 1_048_576), st.integers(30, 95), st.integers(5, 95))
def test_a_query_stays_within_the_server(memory_mib: int, server_percent: int, query_percent: int) -> None:
    """One query may never use more than the server may, in whole bytes."""
    raw = {
        "password": CLICKHOUSE_PASSWORD,
        "memory_mib": memory_mib,
        "server_memory_percent": server_percent,
        "query_memory_percent": min(query_percent, server_percent),
    }
    files = render_clickhouse(ClickHouseSettings.model_validate(raw), CURRENT)
    root, users = (ElementTree.fromstring(files[path]) for path in (CONFIG_PATH, USERS_PATH))  # noqa: S314
    ratio = float(root.findtext("max_server_memory_usage_to_ram_ratio") or 0)
    assert 0 < int(users.findtext("profiles/default/max_memory_usage") or 0) <= ratio * memory_mib * 1024**2 + 1


@pytest.mark.parametrize(
    ("mistake", "field", "words"),
    [
        ({"password": "plain"}, "password", "plain text"),
        ({"query_memory_percent": 90}, "query_memory_percent", "at most server_memory_percent (80)"),
        (
            {"cold_storage": {**COLD, "access_key_id": SecretRef("a")}},
            "cold_storage.secret_access_key",
            "together, or neither",
        ),
        ({"cold_storage": {**COLD, "prefix": "/data/"}}, "cold_storage.prefix", "without a leading or trailing slash"),
        ({"system_log_retention_days": 0}, "system_log_retention_days", "greater than or equal to 1"),
        ({"memory_mb": 4096}, "memory_mb", "Extra inputs"),
    ],
)
def test_a_mistake_is_told_where_it_is(mistake: dict[str, Any], field: str, words: str) -> None:
    """What would lock everybody out, or lose data, is refused with the key and what is allowed."""
    with pytest.raises(ValidationError) as caught:
        ClickHouseSettings.model_validate({"password": CLICKHOUSE_PASSWORD, **mistake})
    told = {".".join(map(str, error["loc"])): error["msg"] for error in caught.value.errors()}
    assert words in told[field]
