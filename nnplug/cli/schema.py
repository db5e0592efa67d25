"""``nnplug schema``: the JSON Schema of the config."""

from __future__ import annotations

import click

from nnplug.cli.output import results_only, say


@click.command()
def command() -> None:
    """Print a JSON Schema of the config.

    It is composed from what is installed; editors complete and check configs with it. It imports every plugin; those
    that are broken are left out.

    \b
    nnplug schema > nnplug.schema.json
    """  # noqa: D301  (\b keeps click from wrapping what follows)
    from nnplug.files import json_text
    from nnplug.registry import default_registry
    from nnplug.schema import config_schema

    with results_only():
        schema = config_schema(default_registry())
    say(json_text(schema, indent=1))
