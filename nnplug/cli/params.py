"""Arguments and options that several commands have."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

PATH = click.Path(readable=False, path_type=Path)  # click does not look at the file: opening it tells more

json_option = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON, on one line.")


def set_option(what: str) -> Callable[[Any], Any]:
    """The option ``--set KEY=VALUE``; ``what`` is changed."""
    text = f"Change {what}; repeatable."
    return click.option("--set", "changes", metavar="KEY=VALUE", multiple=True, help=text)
