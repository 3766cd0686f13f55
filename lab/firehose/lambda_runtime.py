"""Runs a Lambda function's handler: an event in JSON on each line of standard input, an answer on each of output.

    python lambda_runtime.py DIRECTORY MODULE.FUNCTION

An answer is {"result": ...} or {"error": ...}. A program of its own, that the function shares nothing with.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import traceback


def main(directory: str, handler: str) -> None:
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    # What the function prints is no answer.
    os.dup2(2, 1)
    sys.path.insert(0, directory)
    for line in sys.stdin:
        try:
            module, _, name = handler.rpartition(".")
            answer = {"result": getattr(importlib.import_module(module), name)(json.loads(line), None)}
        except Exception as error:
            traceback.print_exc()
            answer = {"error": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
