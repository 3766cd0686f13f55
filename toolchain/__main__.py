"""`python -m toolchain`: build what the first deployment waits for, with Python's standard library alone.

`make up` starts it while pip fills `.venv`. It does nothing where nothing has to be built, and says nothing of what is
missing or fails: `turnscope up` does.
"""

import contextlib
import signal

from core.errors import UserError
from toolchain.parts import AWS_PARTS
from toolchain.provision import build_ahead


class Lines:
    """What stands for a console as long as there is none."""

    is_terminal = False

    def print(self, line: str, /) -> None:
        """Print a line at once."""
        print(line, flush=True)


if __name__ == "__main__":
    # A shell starts background jobs with interrupts ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with contextlib.suppress(UserError, KeyboardInterrupt):
        build_ahead(AWS_PARTS, Lines())
