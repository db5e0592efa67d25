"""One contestant at one workload, in a process of its own; see `turns.Worker`, which starts it.

Reads a question a line from standard input and answers with a line of JSON: ``run N`` trains N steps and tells the
seconds, ``accuracy`` that on the test rows, ``memory`` bytes of this process, ``about`` what runs here.
"""

from __future__ import annotations

import importlib
import json
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

from workloads import Workload, read


def main(task: dict[str, Any]) -> None:
    """Answer until standard input ends."""
    try:
        module = importlib.import_module(f"with_{task['name']}")
    except ModuleNotFoundError as error:
        print(json.dumps({"missing": error.name}), flush=True)
        return
    work = Workload(**task["work"] | {"sizes": tuple(task["work"]["sizes"])})
    data = read(Path(task["folder"]), task["mapped"])
    before = memory()
    contestant = module.Contestant(work, dict(data))
    x_test, y_test = data["x_test"], data["y_test"]
    del data  # who made a copy of the training rows need not keep these
    print(json.dumps({"version": f"{module.VERSION} {version(module.VERSION)}"}), flush=True)
    for line in sys.stdin:
        question, _, argument = line.strip().partition(" ")
        if question == "run":
            answer: Any = contestant.run(int(argument))
        elif question == "accuracy":
            answer = float((contestant.predict(x_test) == y_test).mean())
        elif question == "memory":
            answer = memory() | {"before": before["now"]}
        else:
            answer = pools()
        print(json.dumps(answer), flush=True)


def memory() -> dict[str, int]:
    """Bytes of this process in physical memory: now, the peak so far, and what belongs to no file; Linux only."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    kilobytes = {line.split(":")[0]: line.split()[1] for line in status.splitlines() if line.endswith(" kB")}
    return {
        name: int(kilobytes[key]) * 1024
        for name, key in (("now", "VmRSS"), ("peak", "VmHWM"), ("anonymous", "RssAnon"))
    }


def pools() -> list[str]:
    """The thread pools in this process: the BLAS with its kernel, OpenMP."""
    try:
        from threadpoolctl import threadpool_info  # type: ignore[import-untyped]
    except ModuleNotFoundError:
        return ["unknown without threadpoolctl"]
    return sorted(
        f"{pool['internal_api']} {pool['version'] or ''} ({pool.get('architecture') or pool['prefix']}, "
        f"threads: {pool['num_threads']})"
        for pool in threadpool_info()
    )


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
