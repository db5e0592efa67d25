"""Put measured results into a page: ``python tests/bench/compare/report.py speed.json docs/explanation/speed.md``.

A page marks the place of a part's tables with its name; what stands between is replaced::

    <!-- speed: steps -->
    ...
    <!-- end of speed -->

``machine`` is a part too. The plots are written beside the page. Needs matplotlib.
"""

from __future__ import annotations

import argparse
import re
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from plots import draw
from results import load

PLACE = re.compile(r"(<!-- speed: (\w+) -->\n).*?(<!-- end of speed -->)", re.DOTALL)


def fill(text: str, results: dict[str, Any]) -> str:
    """The page with every part that was measured; the others stay as they are."""

    def replace(place: re.Match[str]) -> str:
        start, part, end = place.groups()
        if part not in results:
            return place[0]
        return f"{start}{_words(part, results[part])}\n{end}"

    return PLACE.sub(replace, text)


def _words(part: str, found: Any) -> str:
    return found if part == "machine" else import_module(part).markdown(found)


def main() -> None:
    """Read the command line, write the page and the plots."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("json", type=Path, help="what `python tests/bench/compare --json` wrote")
    parser.add_argument("page", type=Path)
    options = parser.parse_args()
    results = load(options.json)
    text = options.page.read_text(encoding="utf-8")
    if missing := results.keys() - {place[2] for place in PLACE.finditer(text)}:
        sys.exit(f"{options.page} has no place for {', '.join(sorted(missing))}: <!-- speed: NAME -->")
    options.page.write_text(fill(text, results), encoding="utf-8")
    for file in draw(results, options.page.parent):
        print(f"wrote {file}")


if __name__ == "__main__":
    main()
