"""All fuzzers, one after another: ``python tests/fuzz --runs 20000 --seed 0``; exits with 1 if any of them fails.

Each is a process of its own, so that the memory of one is not counted against the next.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

FUZZERS = ("models.py", "readers.py", "checkpoints.py")


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="tests/fuzz", description=(__doc__ or "").partition(":")[0])
    parser.add_argument("--runs", type=int, default=1000, help="of each fuzzer")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    warnings = [f"-W{option}" for option in sys.warnoptions]
    failed = []
    for name in FUZZERS:
        print(f"== {name}", flush=True)
        script = Path(__file__).with_name(name)
        command = [sys.executable, *warnings, script, "--runs", str(given.runs), "--seed", str(given.seed)]
        if subprocess.run(command, check=False).returncode:
            failed.append(name)
    print(f"== {'failed: ' + ', '.join(failed) if failed else 'all well'}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
