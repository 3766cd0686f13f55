"""pulumi-resource-NAME: serve a Terraform provider binary under the names of the released Pulumi SDK.

    plugin.py NAME BRIDGE PROVIDER ARCHIVES [ENGINE_ADDRESS]

Pulumi's dynamic bridge (the program BRIDGE) serves the Terraform provider (the program PROVIDER); this
process stands before it and translates. ARCHIVES is the folder for zip files. Started by a script in the
toolchain, by path: `up` starts it several times, so that imports are kept few and the bridge loads meanwhile.
"""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType


def skip_packages(*names: str) -> None:
    """Let modules inside these packages be imported without running the packages' own code.

    The messages of the protocol need nothing of the SDK, whose import takes longer than all the others here.
    """
    for name in names:
        spec = find_spec(name)
        package = ModuleType(name)
        package.__path__ = list(spec.submodule_search_locations or ()) if spec else []
        sys.modules[name] = package


if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[1])
    skip_packages("toolchain", "pulumi", "pulumi.runtime")

from toolchain import processes  # noqa: E402

MAX_MESSAGE_BYTES = 400 << 20
OPTIONS = [
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
]


def main(name: str, bridge: str, provider: str, archives: str, engine: str = "") -> None:
    """Serve until the parent ends."""
    parent = processes.lead_group()
    # The provider's schema is large and short-lived: collecting garbage less often halves the start.
    environment = {"GOGC": "400", **os.environ}
    child = subprocess.Popen([bridge, *filter(None, [engine])], stdout=subprocess.PIPE, env=environment)
    _server = serve(name, child, provider, Path(archives))
    processes.wait_for_parent(parent)


def serve(name: str, child: "subprocess.Popen[bytes]", provider: str, archives: Path) -> object:
    """Start the server and print its port, as Pulumi expects. It stops when the returned object is gone."""
    from concurrent.futures import Future, ThreadPoolExecutor
    from typing import Any

    import grpc
    from google.protobuf import empty_pb2
    from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc

    from toolchain import pins, translate
    from toolchain.archives import ArchiveError
    from toolchain.tokens import PACKAGES

    package = PACKAGES[name]
    pool = ThreadPoolExecutor(32)

    def connect() -> Any:
        assert child.stdout is not None  # noqa: S101
        port = child.stdout.readline().decode().strip()
        if not port:
            raise RuntimeError(f"{child.args} ended with code {child.wait()} before it started to serve")
        bridge = provider_pb2_grpc.ResourceProviderStub(grpc.insecure_channel(f"127.0.0.1:{port}", options=OPTIONS))
        args = provider_pb2.ParameterizeRequest.ParametersArgs(args=[provider])
        bridge.Parameterize(provider_pb2.ParameterizeRequest(args=args))
        return bridge

    connection: Future[Any] = pool.submit(connect)

    def handler(method: str) -> Any:
        def handle(_: Any, request: Any, context: grpc.ServicerContext) -> Any:
            if method == "Attach":
                return empty_pb2.Empty()
            if method == "GetPluginInfo":
                return plugin_pb2.PluginInfo(version=pins.SDK[name])
            if method == "GetSchema":  # nobody here reads it, and the bridge takes half a minute for AWS
                schema = f'{{"name": "{name}", "version": "{pins.SDK[name]}"}}'
                return provider_pb2.GetSchemaResponse(schema=schema)
            if method in ("Parameterize", "Handshake", "GetMapping", "GetMappings", "List"):
                context.abort(grpc.StatusCode.UNIMPLEMENTED, method)
            try:
                exchange = translate.request(package, method, request, archives)
                answer = getattr(connection.result(), method)(request)
            except (ArchiveError, OSError, RuntimeError) as error:
                context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
            except grpc.RpcError as error:
                context.set_trailing_metadata(error.trailing_metadata() or ())  # type: ignore[attr-defined]
                context.abort(error.code(), error.details())  # type: ignore[attr-defined]
            translate.answer(package, exchange, answer)
            return answer

        return handle

    methods = provider_pb2.DESCRIPTOR.services_by_name["ResourceProvider"].methods
    service = type("Plugin", (provider_pb2_grpc.ResourceProviderServicer,), {m.name: handler(m.name) for m in methods})
    server = grpc.server(pool, options=OPTIONS)
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(service(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)  # Pulumi connects at once
    return server


if __name__ == "__main__":
    main(*sys.argv[1:])
