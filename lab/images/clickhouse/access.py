"""Where the server listens and who may use it, from the configuration files that a ClickHouse server reads.

https://clickhouse.com/docs/operations/configuration-files, https://clickhouse.com/docs/operations/settings/settings-users
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.etree.ElementTree import Element, parse  # only files that the container's owner wrote are read

_LOOPBACK = ("::1", "127.0.0.1")


@dataclass(frozen=True)
class User:
    """A user: how the password is proved, and from where."""

    name: str
    kind: str = "no_password"
    """`password`, `password_sha256_hex`, `password_double_sha1_hex` or `no_password`, as in users.xml."""
    value: str = ""
    networks: tuple[str, ...] = ("::/0",)

    def accepts(self, password: str, address: str) -> bool:
        return self._proved(password) and any(_within(address, network) for network in self.networks)

    def _proved(self, password: str) -> bool:
        given = password.encode()
        if self.kind == "no_password":
            return True
        if self.kind == "password_sha256_hex":
            return hmac.compare_digest(hashlib.sha256(given).hexdigest(), self.value.strip().lower())
        if self.kind == "password_double_sha1_hex":
            twice = hashlib.sha1(hashlib.sha1(given).digest()).hexdigest()  # noqa: S324 - the format's own hash
            return hmac.compare_digest(twice, self.value.strip().lower())
        return hmac.compare_digest(given, self.value.encode())


@dataclass(frozen=True)
class Configuration:
    """What the lab's server takes from a ClickHouse configuration; the rest is the engine's own."""

    users: Mapping[str, User]
    tcp_port: int = 9000
    http_port: int = 8123
    metrics_port: int | None = None
    """Prometheus' endpoint `/metrics`; None without one."""
    data: Path = Path("/var/lib/clickhouse")

    def authenticated(self, name: str, password: str, address: str) -> bool:
        user = self.users.get(name or "default")
        return user is not None and user.accepts(password, address)


def read(folder: Path, environ: Mapping[str, str]) -> Configuration:
    """The configuration below `folder` (`/etc/clickhouse-server`), then what the official image takes as variables.

    Raises `ValueError` for a user whose password is in a form that this server does not know.
    """
    users: dict[str, User] = {}
    for root in _roots(folder, "users", environ):
        for element in root.findall("users/*"):
            if element.get("remove"):
                users.pop(element.tag, None)
            else:
                users[element.tag] = _user(element, environ)
    if (name := environ.get("CLICKHOUSE_USER")) or environ.get("CLICKHOUSE_PASSWORD"):
        name = name or "default"
        users = {other: user for other, user in users.items() if other != "default"}
        users[name] = User(name, "password", environ.get("CLICKHOUSE_PASSWORD", ""))
    if not users:
        users["default"] = User("default", networks=_LOOPBACK)
    found: dict[str, str] = {}
    for root in _roots(folder, "config", environ):
        for key in ("tcp_port", "http_port", "prometheus/port", "path"):
            if (element := root.find(key)) is not None:
                found[key] = _text(element, environ)
    return Configuration(
        users=users,
        tcp_port=int(found.get("tcp_port", 9000)),
        http_port=int(found.get("http_port", 8123)),
        metrics_port=int(found["prometheus/port"]) if "prometheus/port" in found else None,
        data=Path(found.get("path", "/var/lib/clickhouse")),
    )


def _roots(folder: Path, name: str, environ: Mapping[str, str]) -> Iterator[Element]:
    main = Path(environ.get("CLICKHOUSE_CONFIG", folder / "config.xml")) if name == "config" else folder / "users.xml"
    parts: Iterable[Path] = sorted((folder / f"{name}.d").glob("*.xml"))
    for path in (main, *parts):
        if path.is_file():
            yield parse(path).getroot()  # noqa: S314


def _text(element: Element, environ: Mapping[str, str]) -> str:
    variable = element.get("from_env")
    return environ.get(variable, "") if variable else (element.text or "").strip()


def _user(element: Element, environ: Mapping[str, str]) -> User:
    networks = tuple(_text(ip, environ) for ip in element.findall("networks/ip")) or ("::/0",)
    for kind in ("password", "password_sha256_hex", "password_double_sha1_hex"):
        if (secret := element.find(kind)) is not None:
            value = _text(secret, environ)
            return User(element.tag, kind if value else "no_password", value, networks)
    if element.find("no_password") is None:
        raise ValueError(f"user {element.tag}: no password in a form that the lab's ClickHouse knows")
    return User(element.tag, networks=networks)


def _within(address: str, network: str) -> bool:
    client = ipaddress.ip_address(address)
    if client.version == 6 and client.ipv4_mapped:
        client = client.ipv4_mapped
    allowed = ipaddress.ip_network(network, strict=False)
    if allowed.version == 6 and allowed.prefixlen == 0:
        return True
    return client.version == allowed.version and client in allowed


def from_environment() -> Configuration:
    """The container's configuration."""
    return read(Path("/etc/clickhouse-server"), os.environ)
