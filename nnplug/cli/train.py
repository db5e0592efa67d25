"""``nnplug train``: a whole training job."""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np

from nnplug.cli.output import count, results_only, say, say_json, table
from nnplug.cli.params import PATH, json_option, set_option
from nnplug.job import TrainResult, train
from nnplug.naming import printable
from nnplug.presets import preset_entries
from nnplug.runfolder import config_of


class TrainCommand(click.Command):
    """Names the presets at the end of its help."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the names, which installed plugins decide."""
        with formatter.section("Presets"):
            formatter.write_text(", ".join(entry.name for entry in preset_entries()) or "none is installed")


@click.command(cls=TrainCommand)
@click.argument("config", metavar="CONFIG|PRESET", required=False)
@set_option("a value of the config")
@click.option("--out", type=PATH, metavar="DIR", help="The run's folder.  [default: runs/NAME-1]")
@click.option("--resume", is_flag=True, help="Go on with the run in DIR where it stopped; it may stand without CONFIG.")
@json_option
@click.option("--quiet", is_flag=True, help="Add no progress to the config's callbacks.")
@click.pass_context
def command(
    ctx: click.Context,
    config: str | None,
    changes: tuple[str, ...],
    out: Path | None,
    resume: bool,
    as_json: bool,
    quiet: bool,
) -> int:
    """Train a network as a config file or a preset says.

    The run's folder receives the model, the config with every default written out, the history and the result.
    Ctrl-C ends training after the step in progress; the model is kept, and a checkpoint from which --resume goes on.

    \b
    Values are written as in TOML:
      nnplug train mnist --set train.epochs=5 --set update.type=adam
      nnplug train my.toml --set 'model.layers[0].units=64'

    \b
    After an interrupt, a crash or a power cut:
      nnplug train --out runs/my-1 --resume
    """  # noqa: D301  (\b keeps click from wrapping what follows)
    if resume and out is None:
        raise click.UsageError("name the folder of the run that is to be resumed: --out DIR --resume")
    if config is None and resume and out is not None:
        config = str(config_of(out))
    if config is None:
        say(ctx.get_help(), err=True)
        raise click.UsageError("name a config file or a preset, such as: nnplug train digits")
    # Numbers that overflow end training with a message of its own, which says more than NumPy's warnings.
    with results_only(), np.errstate(over="ignore", invalid="ignore"):
        callbacks = () if quiet else ("progress",)
        result = train(config, changes=changes, out=out, callbacks=callbacks, resume=resume)
    if as_json:
        say_json(result.as_dict())
    else:
        _say_result(result)
    if result.how_to_go_on:
        say(f"to go on: {printable(result.how_to_go_on)}", err=True)
    interrupted = result.history.signal if result.history.stopped != "finished" else 0
    return 128 + interrupted if interrupted else 0


def _say_result(result: TrainResult) -> None:
    columns = list(result.results["train"])
    rows = [["", *columns]]
    for split in ("train", "validation", "test"):
        if split in result.results:
            rows.append([split, *(f"{result.results[split][c]:#.4g}" for c in columns)])
    for line in table(rows, right=range(1, len(columns) + 1)):
        say(line)
    history = result.history
    told = f"{count(history.epochs, 'epoch')}, {count(history.losses, 'step')} in {history.train_seconds:.1f} s"
    if history.best_epoch is not None:
        told += f"; the best is epoch {history.best_epoch}, by {printable(str(history.monitor))}"
    say(told if history.stopped == "finished" else f"{told}; {printable(history.stopped)}")
    say(f"model: {printable(str(result.model_path))}")
