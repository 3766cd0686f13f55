"""The gateway's Caddyfile: what it may reach, on which terms, and what never gets out."""

from __future__ import annotations

import re
from typing import Any

import pytest
from pydantic import ValidationError

from core.secrets import placeholders
from core.secrets.reference import SecretRef
from signoz.roles.collector import config as collector
from signoz.roles.gateway import (
    CERTIFICATE_PATH,
    CONFIG_PATH,
    FIREHOSE_LOGS_PATH,
    HEALTH_PORT,
    PRIVATE_KEY_PATH,
    UI_PORT,
    gateway_files,
    gateway_ports,
    render_caddyfile,
)
from stacks.settings.roles.collector import Firehose
from stacks.settings.roles.gateway import GatewaySettings
from tests.role_cases import ACME, FIREHOSE, GATEWAY, RELEASES, gateway_settings

EVERY = [(case, release) for case in GATEWAY for release in RELEASES]
UPSTREAMS = {
    "current": {"signoz:8080"},
    "classic": {"frontend:3301"},
}
RECEIVERS = {
    f"h2c://collector:{collector.OTLP_GRPC_PORT}",
    f"collector:{collector.OTLP_HTTP_PORT}",
    f"collector:{collector.FIREHOSE_LOGS_PORT}",
    f"collector:{collector.FIREHOSE_METRICS_PORT}",
}


def caddyfile(case: str, release: str = "current") -> str:
    return render_caddyfile(gateway_settings(case), RELEASES[release], FIREHOSE.get(case))


def sites(text: str) -> dict[str, str]:
    """Address line -> block, of every site."""
    blocks = re.findall(r"^(https?://[^{\n]*?) \{\n(.*?)^\}$", text, re.M | re.S)
    return dict(blocks)


@pytest.mark.parametrize(("case", "release"), EVERY)
def test_reaches_pages_and_receivers_only(case: str, release: str) -> None:
    """OpAMP (4320), ClickHouse and internal APIs cannot be reached, in any release and with any option."""
    found = set(re.findall(r"reverse_proxy (\S+)", caddyfile(case, release)))
    assert found <= UPSTREAMS[release] | RECEIVERS
    assert UPSTREAMS[release] < found


@pytest.mark.parametrize("case", GATEWAY)
def test_nothing_is_proxied_without_tls(case: str) -> None:
    """A site without TLS redirects or tells the health check, no more."""
    for address, block in sites(caddyfile(case)).items():
        if "http://" in address:
            assert "reverse_proxy" not in block, address
        elif "reverse_proxy" in block:
            assert "import certificate" in block, address


@pytest.mark.parametrize("case", GATEWAY)
def test_ingest_needs_a_token_before_anything_is_read(case: str) -> None:
    """Both OTLP ports refuse a request without a token, or with an empty one, in front of the collector."""
    text = caddyfile(case)
    pattern = re.search(r'header_regexp Authorization "(.*)"', text)
    assert pattern
    for accepted in ("Bearer t", "Bearer abc-123._~+/="):
        assert re.search(pattern[1], accepted)
    for refused in ("", "Bearer", "Bearer ", "Bearer  ", "Bearer \t", "Basic dXNlcg==", "x Bearer t", "Bearer t t"):
        assert not re.search(pattern[1], refused), refused
    ingest = [block for address, block in sites(text).items() if re.search(r":431[78]", address) and "proxy" in block]
    assert len(ingest) == 2
    for block in ingest:
        assert block.index("respond @no_token") < block.index("request_body") < block.index("reverse_proxy")


@pytest.mark.parametrize(("log_groups", "limited"), [(None, True), ({}, False)])
def test_log_groups_come_from_addresses_that_nobody_knows(log_groups: dict[str, Any] | None, limited: bool) -> None:
    """A stream of your own may have known addresses; that of the stack is let in by its key. Pages stay closed."""
    firehose = Firehose.model_validate({"access_key": SecretRef("key"), "log_groups": log_groups})
    text = render_caddyfile(gateway_settings("networks"), RELEASES["current"], firehose)
    [pages] = [block for address, block in sites(text).items() if f":{UI_PORT}" in address and "handle" in block]
    path, rest = re.split(r"\n\t\t}\n", pages.partition(f"handle {FIREHOSE_LOGS_PATH}")[2], maxsplit=1)
    assert ("respond @not_sender 403" in path) is limited
    assert rest.index("respond @outside 403") < rest.index("reverse_proxy")


@pytest.mark.parametrize("case", FIREHOSE)
def test_firehose_never_meets_a_limit_of_size(case: str) -> None:
    """It deletes a batch that is answered with 413, and sends up to 64 MiB before base64."""
    sizes = re.findall(r"handle /firehose/\w+ \{.*?max_size (\d+)MiB", caddyfile(case), re.DOTALL)
    assert len(sizes) == 2
    assert all(int(size) > 64 * 4 / 3 for size in sizes)


def test_health_is_told_inside_the_container_only() -> None:
    """The health port is bound to loopback and never published."""
    settings = gateway_settings("prod")
    assert "bind 127.0.0.1" in sites(render_caddyfile(settings, RELEASES["current"]))[f"http://:{HEALTH_PORT}"]
    assert HEALTH_PORT not in {port.internal for port in gateway_ports(settings)}


def test_publishes_what_is_set_at_the_address_that_is_set() -> None:
    """Each published port is one of the settings', and nothing is published beside them."""
    settings = GatewaySettings(
        listen_address="127.0.0.1", ui_port=1443, otlp_grpc_port=1317, otlp_http_port=1318, plain_http_port=1080
    )
    assert {port.external for port in gateway_ports(settings)} == {1443, 1317, 1318, 1080}
    assert {port.address for port in gateway_ports(settings)} == {"127.0.0.1"}
    assert 1080 not in {port.external for port in gateway_ports(settings.model_copy(update={"plain_http_port": None}))}


@pytest.mark.parametrize(
    ("case", "expected"), [("prod", True), ("own-certificate", True), ("local", False), ("no-hsts", False)]
)
def test_hsts_only_with_certificates_that_browsers_trust(case: str, expected: bool) -> None:
    """HSTS on localhost would lock a developer out of everything else there."""
    assert ("Strict-Transport-Security" in caddyfile(case)) is expected


@pytest.mark.parametrize(
    ("ports", "expected"),
    [
        ({"plain_http_port": 80}, "https://{host}{uri}"),
        ({"plain_http_port": 8080, "ui_port": 9443}, "https://{host}:9443{uri}"),
    ],
)
def test_redirect_goes_to_the_published_port(ports: dict[str, int], expected: str) -> None:
    """The port in the address is the host's, not the container's."""
    text = render_caddyfile(GatewaySettings.model_validate(ports), RELEASES["current"])
    assert f"redir {expected} 308" in text


def test_secrets_stand_as_placeholders_in_files_only_their_owner_reads() -> None:
    """A key and a token are in no text before deployment, and then in no file that others can read."""
    files = {file.path: file for file in gateway_files(gateway_settings("own-certificate"), RELEASES["current"])}
    assert set(files) == {CONFIG_PATH, CERTIFICATE_PATH, PRIVATE_KEY_PATH}
    key = files[PRIVATE_KEY_PATH]
    assert key.text == "{secret:signoz.gateway.own_certificate.private_key_pem}\n"
    assert key.mode == "0400"
    [config] = gateway_files(gateway_settings("dns-challenge"), RELEASES["current"])
    assert config.secrets == (("signoz.gateway.acme.dns_token", SecretRef("signoz.gateway.acme.dns_token")),)
    assert config.mode == "0400"
    filled = placeholders.fill(config.text, {"signoz.gateway.acme.dns_token": "t0ken"})
    assert 'dns cloudflare "t0ken"' in filled


def test_log_records_carry_no_headers() -> None:
    """Neither access nor error records name a token: the filter is the default logger's, which both go to."""
    text = caddyfile("prod")
    head = text[: text.index("(certificate)")]
    assert "request>headers delete" in head
    assert not re.search(r"^\tlog \{", text[len(head) :], re.M)


@pytest.mark.parametrize(
    ("mistake", "field", "words"),
    [
        ({"hostname": "https://x"}, "hostname", "a DNS name"),
        ({"hostname": "a", "extra_hostnames": ["A"]}, "extra_hostnames", "each name once"),
        ({"certificates": "acme"}, "acme", "set with certificates: acme"),
        ({"acme": ACME}, "acme", "set with certificates: acme"),
        ({"certificates": "own"}, "own_certificate", "set with certificates: own"),
        ({"certificates": "acme", "acme": ACME}, "plain_http_port", "80, the port of ACME"),
        (
            {"certificates": "acme", "acme": {**ACME, "challenge": "dns"}},
            "acme.dns_provider",
            "a name with challenge dns",
        ),
        ({"certificates": "acme", "acme": {**ACME, "challenge": "dns", "dns_provider": "x"}}, "image", "plugin"),
        (
            {"certificates": "acme", "acme": {**ACME, "dns_token": SecretRef("t")}},
            "acme.dns_token",
            "without dns_provider",
        ),
        ({"image": "caddy:latest"}, "image", "other than latest"),
        ({"ui_port": 4317}, "otlp_grpc_port", "another port"),
        ({"otlp_grpc_port": 4318}, "otlp_http_port", "another port"),
        ({"plain_http_port": 443}, "plain_http_port", "another port"),
        ({"ui_networks": ["10.0.0.1/8"]}, "ui_networks.0", "CIDR"),
        ({"hsts_dayz": 3}, "hsts_dayz", "Extra inputs"),
    ],
)
def test_a_mistake_is_told_where_it_is(mistake: dict[str, Any], field: str, words: str) -> None:
    """What Caddy would refuse, or would take and serve wrongly, is refused with the key and what is allowed."""
    with pytest.raises(ValidationError) as caught:
        GatewaySettings.model_validate(mistake)
    told = {".".join(map(str, error["loc"])): error["msg"] for error in caught.value.errors()}
    assert words in told[field]
