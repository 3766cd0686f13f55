"""Requests of the Pulumi engine in terms of the bridge, and the bridge's answers in terms of the SDK.

Works on the messages of `pulumi/provider.proto` in place; reads and writes nothing but archive files.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from google.protobuf.json_format import MessageToDict
from google.protobuf.struct_pb2 import Struct, Value

from toolchain import archives
from toolchain.tokens import Package, urn_name, urn_type

SECRET = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 (a signature, see sdk/go/common/resource/sig)
OUTPUT = "d0e6a833031e9bbcd3f4e8bde6ca49a4"

_NEW = {"Check": ("news",), "Diff": ("news",), "Create": ("properties",), "Update": ("news",)}
_OLD = {
    "Check": ("olds",),
    "Diff": ("olds", "old_inputs"),
    "Update": ("olds", "old_inputs"),
    "Read": ("properties", "inputs"),
    "Delete": ("properties", "old_inputs"),
}
_ANSWERS = ("inputs", "properties")
_POLICIES = ("policy", "assumeRolePolicy")
"""Properties that the SDK lets a program write as an object and Terraform wants as JSON."""


@dataclass
class Exchange:
    """What has to be kept from a request to translate its answer."""

    renames: Mapping[str, str] = field(default_factory=dict)
    blocks: Mapping[str, str] = field(default_factory=dict)
    archive_property: str | None = None
    archive: Value | None = None
    """The archive as the program gave it; the bridge sees a file name."""


def request(package: Package, method: str, message: Any, folder: Path) -> Exchange:
    """Translate a request in place; archives become zip files in `folder`."""
    if method in ("CheckConfig", "DiffConfig", "Configure"):
        for settings in _structs(message, ("olds", "news", "args", "old_inputs")):
            _settings(settings, package.settings)
    urn = getattr(message, "urn", "")
    token = urn_type(urn)
    exchange = Exchange(package.renames(token), package.blocks.get(token, {}))
    if urn:
        message.urn = package.urn(urn)
    for name in ("type", "tok", "token"):
        if getattr(message, name, ""):
            setattr(message, name, package.token(getattr(message, name)))
    new, old = _structs(message, _NEW.get(method, ())), _structs(message, _OLD.get(method, ()))
    for struct in [*old, *new]:
        _policies(struct)
    if token in package.archives:
        prop, _, digest = package.archives[token]
        exchange.archive_property = prop
        for struct in [*old, *new]:  # the last one that has it: that of the new inputs where there are any
            if prop in struct.fields:
                exchange.archive = Value()
                exchange.archive.CopyFrom(struct.fields[prop])
        for struct in new if method == "Check" else ():
            _write_archive(struct, prop, digest, folder)
        for struct in old if method == "Check" else [*old, *new]:
            _recorded_archive(struct, prop, digest, folder)
    states = _structs(message, ("olds",)) if method in ("Diff", "Update") else []
    if method == "Check":
        _autoname(message, urn, exchange.renames)
    for struct in [*old, *new]:
        _rename(struct, exchange.renames)
        _into_lists(struct, exchange.blocks, state=any(struct is each for each in states))
    for struct in states:
        for name in package.empty_lists.get(token, ()):
            if name not in struct.fields:
                struct.fields[name].list_value.SetInParent()
    if method == "Read":
        _complete(message, package.schema_versions.get(token, 0))
    if exchange.renames and hasattr(message, "ignoreChanges"):
        message.ignoreChanges[:] = [_path(path, exchange.renames) for path in message.ignoreChanges]
    return exchange


def answer(package: Package, exchange: Exchange, message: Any) -> None:
    """Translate the bridge's answer to that request in place."""
    back = {bridge: sdk for sdk, bridge in exchange.renames.items()}
    if not back and not exchange.blocks:
        return

    def sdk_path(path: str) -> str:
        return _path(_out_of_list(path, exchange.blocks), back)

    for struct in _structs(message, _ANSWERS):
        _out_of_lists(struct, exchange.blocks)
        _rename(struct, back)
        prop = exchange.archive_property
        if prop is None or prop not in struct.fields:
            continue
        if exchange.archive is None:
            del struct.fields[prop]
        else:
            struct.fields[prop].CopyFrom(exchange.archive)
    for name in ("replaces", "stables", "diffs"):
        if hasattr(message, name):
            paths = getattr(message, name)
            paths[:] = [sdk_path(path) for path in paths]
    for failure in getattr(message, "failures", ()):
        failure.property = sdk_path(failure.property)
    if hasattr(message, "detailedDiff"):
        for path in [path for path in message.detailedDiff if sdk_path(path) != path]:
            message.detailedDiff[sdk_path(path)].CopyFrom(message.detailedDiff[path])
            del message.detailedDiff[path]


def _complete(message: Any, schema_version: int) -> None:
    """What a state that no create recorded lacks: Terraform's `id`, which the bridge has in a property of its own, and
    the version of the schema."""
    name = f"{urn_type(message.urn).rpartition(':')[0].rpartition('/')[2]}Id"
    for struct in _structs(message, ("properties",)):
        if struct.fields and name not in struct.fields:
            struct.fields[name].string_value = message.id
            if schema_version and "__meta" not in struct.fields:
                struct.fields["__meta"].string_value = json.dumps({"schema_version": str(schema_version)})


def _structs(message: Any, names: Iterable[str]) -> list[Struct]:
    fields = message.DESCRIPTOR.fields_by_name
    return [getattr(message, name) for name in names if name in fields and message.HasField(name)]


def _rename(struct: Struct, names: Mapping[str, str]) -> None:
    for old, new in names.items():
        if old in struct.fields:
            struct.fields[new].CopyFrom(struct.fields[old])
            del struct.fields[old]


def _holders(struct: Struct, block: str) -> Iterator[tuple[Any, str]]:
    """The fields of each object that the last step of a path such as `list[].object` is in, and that step."""
    *above, name = block.split(".")
    holders = [struct.fields]
    for step in above:
        values = [_bare(fields[key]) for fields in holders if (key := step.removesuffix("[]")) in fields]
        if step.endswith("[]"):
            values = [_bare(entry) for value in values for entry in value.list_value.values]
        holders = [value.struct_value.fields for value in values]
    yield from ((fields, name) for fields in holders)


def _into_lists(struct: Struct, blocks: Mapping[str, str], *, state: bool) -> None:
    """In a `state` also the blocks that are not there are lists, empty ones."""
    for block, listed in blocks.items():
        for fields, name in _holders(struct, block):
            if name in fields:
                value = Value()
                value.CopyFrom(fields[name])
                del fields[name]
                fields[listed].list_value.values.add().CopyFrom(value)
            elif state and listed not in fields:
                fields[listed].list_value.SetInParent()


def _out_of_lists(struct: Struct, blocks: Mapping[str, str]) -> None:
    for block, listed in blocks.items():
        for fields, name in _holders(struct, block):
            if listed in fields:
                values = list(_bare(fields[listed]).list_value.values)
                found = Value()
                for value in values:
                    found.CopyFrom(value)
                del fields[listed]
                if values:
                    fields[name].CopyFrom(found)


def _out_of_list(path: str, blocks: Mapping[str, str]) -> str:
    """`rules[0].filters[0].prefix` -> `rules[0].filter.prefix`."""
    for block, listed in blocks.items():
        above, _, name = block.rpartition(".")
        steps = re.escape(above).replace(re.escape("[]"), r"\[\d+\]")
        path = re.sub(rf"^({steps})\.{listed}(\[0\])?(?=\.|$)", rf"\1.{name}", path)
    return path


def _path(path: str, names: Mapping[str, str]) -> str:
    """A property path such as `code.assets[0]` with its first step renamed."""
    end = min((i for i in (path.find("."), path.find("[")) if i >= 0), default=len(path))
    return names.get(path[:end], path[:end]) + path[end:]


def _bare(value: Value) -> Value:
    """The value inside Pulumi's wrappers for secrets and outputs."""
    while value.HasField("struct_value"):
        fields = value.struct_value.fields
        if archives.SIGNATURE not in fields or fields[archives.SIGNATURE].string_value not in (SECRET, OUTPUT):
            break
        if "value" not in fields:
            return Value(string_value=archives.UNKNOWN)
        value = fields["value"]
    return value


def _plain(value: Value) -> Any:
    """The value as Python's own types, without Pulumi's wrappers."""

    def unwrap(item: Any) -> Any:
        if isinstance(item, list):
            return [unwrap(entry) for entry in item]
        if not isinstance(item, dict):
            return item
        if item.get(archives.SIGNATURE) in (SECRET, OUTPUT):
            return unwrap(item.get("value", archives.UNKNOWN))
        return {key: unwrap(entry) for key, entry in item.items()}

    return unwrap(MessageToDict(value))


def _write_archive(struct: Struct, prop: str, digest: str, folder: Path) -> None:
    """Put the archive of checked inputs into a file, and record its content's hash beside it."""
    if prop not in struct.fields:
        return
    archive = _plain(struct.fields[prop])
    path: Path | str = archives.UNKNOWN
    content_hash = archives.UNKNOWN
    if isinstance(archive, dict):
        with suppress(archives.UnknownContent):
            path, content_hash = archives.write_zip(archive, folder)
    struct.fields[prop].string_value = str(path)
    struct.fields[digest].string_value = content_hash


def _recorded_archive(struct: Struct, prop: str, digest: str, folder: Path) -> None:
    """Name the file of inputs or a state that were checked before, by the recorded hash.

    The engine leaves the content out of most requests, and the files may have changed since.
    """
    if prop not in struct.fields:
        return
    recorded = _plain(struct.fields[digest]) if digest in struct.fields else ""
    if recorded == archives.UNKNOWN:
        struct.fields[prop].string_value = archives.UNKNOWN
    elif recorded:
        struct.fields[prop].string_value = str(archives.zip_path(recorded, folder))
    else:
        del struct.fields[prop]


def _policies(struct: Struct) -> None:
    for prop in _POLICIES:
        if prop in struct.fields and _bare(struct.fields[prop]).HasField("struct_value"):
            bare = _bare(struct.fields[prop])
            if archives.UNKNOWN in (text := json.dumps(_plain(bare), sort_keys=True)):
                text = archives.UNKNOWN
            bare.string_value = text


def _settings(struct: Struct, names: Mapping[str, str]) -> None:
    """A block of a provider's settings is an object (or its JSON) in the SDK and a list in the bridge."""
    _rename(struct, {sdk: bridge for sdk, bridge in names.items() if sdk != bridge})
    for name in names.values():
        if name not in struct.fields:
            continue
        value = _bare(struct.fields[name])
        if value.HasField("string_value") and value.string_value.startswith("{"):
            value.string_value = f"[{value.string_value}]"
        elif value.HasField("struct_value"):
            block = Value()
            block.CopyFrom(value)
            value.list_value.values.add().CopyFrom(block)


def _autoname(message: Any, urn: str, renames: Mapping[str, str]) -> None:
    """A resource without a name gets one, as from the released provider; the bridge does so only for `name`."""
    if "name" not in renames or "name" in message.news.fields:
        return
    if "name" in message.olds.fields:
        message.news.fields["name"].CopyFrom(message.olds.fields["name"])
    else:
        proposed = message.autonaming.proposed_name
        message.news.fields["name"].string_value = proposed or f"{urn_name(urn)}-{message.randomSeed.hex()[:7]}"
