"""One contestant at one workload in a process of its own: reads ``run N`` or ``accuracy``, answers with a number."""

from __future__ import annotations

import importlib
import json
import sys
from importlib.metadata import version

from workloads import WORKLOADS, mnist


def main(name: str, workload: str) -> None:
    """Answer until standard input ends."""
    module = importlib.import_module(f"with_{name}")
    data = mnist()
    contestant = module.Contestant(WORKLOADS[workload], data)
    print(json.dumps({"version": f"{module.VERSION} {version(module.VERSION)}"}), flush=True)
    for line in sys.stdin:
        command, _, argument = line.strip().partition(" ")
        if command == "run":
            answer = contestant.run(int(argument))
        else:
            answer = float((contestant.predict(data["x_test"]) == data["y_test"]).mean())
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
