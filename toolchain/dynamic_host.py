"""pulumi-resource-pulumi-python for a CLI built from its Go module, which brings none.

    dynamic_host.py [ENGINE_ADDRESS]

Serves the dynamic providers of the program in the working directory, with the server in the Pulumi SDK. That one
stays for ever where the engine is killed; this process ends with its parent.
"""

import runpy
import sys
import threading
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from toolchain import processes


def main() -> None:
    """Serve until the parent ends."""
    parent = processes.lead_group()
    threading.Thread(target=processes.wait_for_parent, args=(parent,), daemon=True).start()
    # Providers are found by the names of their modules, in the program's own folder first.
    sys.path.insert(0, str(Path.cwd()))
    runpy.run_module("pulumi.dynamic", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
