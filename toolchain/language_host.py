"""pulumi-language-python for a CLI built from its Go module, which brings none.

    language_host.py [ENGINE_ADDRESS]

Runs a program with the language server that the Pulumi SDK contains for inline programs, in the Python that
runs this file; `virtualenv` and `toolchain` of Pulumi.yaml are for the released host and are not read.
"""

import json
import os
import runpy
import sys
from concurrent import futures
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from toolchain import processes


def main() -> None:
    """Serve until the parent ends."""
    parent = processes.lead_group()

    import grpc
    from pulumi.automation._server import LanguageServer
    from pulumi.runtime.proto import language_pb2, language_pb2_grpc

    class Host(LanguageServer):
        def Run(self, request: Any, context: Any) -> Any:
            folder = request.info.program_directory or request.pwd or str(Path.cwd())
            entry = request.info.entry_point or "."
            os.chdir(folder)
            sys.path.insert(0, folder)
            # As the released host does: a program may read its whole configuration, also keys it does not know.
            os.environ["PULUMI_CONFIG"] = json.dumps(dict(request.config))
            os.environ["PULUMI_CONFIG_SECRET_KEYS"] = json.dumps(list(request.configSecretKeys))
            program = Path(folder, entry if entry.endswith(".py") else "__main__.py")

            def run() -> None:
                runpy.run_path(str(program), run_name="__main__")

            self.program = run
            return super().Run(request, context)

        def Handshake(self, request: Any, context: Any) -> Any:
            return language_pb2.LanguageHandshakeResponse()

        def RuntimeOptionsPrompts(self, request: Any, context: Any) -> Any:
            return language_pb2.RuntimeOptionsResponse()

    options = [("grpc.max_receive_message_length", 400 << 20)]
    server = grpc.server(futures.ThreadPoolExecutor(8), options=options)
    language_pb2_grpc.add_LanguageRuntimeServicer_to_server(Host(lambda: None), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)  # Pulumi connects at once
    processes.wait_for_parent(parent)


if __name__ == "__main__":
    main()
