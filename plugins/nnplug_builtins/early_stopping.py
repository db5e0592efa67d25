"""Ends training when it no longer gets better."""

from __future__ import annotations

from math import inf

from attrs import define, field
from attrs.validators import ge

from nnplug import Callback, NnplugError, Run, hookimpl


@define
class EarlyStopping(Callback):
    """Ends training when the monitored column of the history has not improved for some epochs.

    All is read off the history, so a run that is resumed goes on as if it had not stopped. NaN is no improvement.

    Args:
        patience: how many epochs in a row without improvement end the training.
        min_delta: by how much an epoch must be better than the best one before to count as an improvement.
    """

    patience: int = field(default=5, validator=ge(1))
    min_delta: float = field(default=0.0, validator=ge(0))

    def start(self, run: Run) -> None:
        """Check that there is something to watch.

        Raises:
            NnplugError: nothing is monitored.
        """
        _monitored(run)

    def epoch(self, run: Run) -> None:
        """Stop the run if the best epoch lies ``patience`` epochs back."""
        sign = 1.0 if run.higher_is_better else -1.0
        values = run.history.column(_monitored(run))
        best, best_index = -inf, -1
        for index, value in enumerate(values):
            if sign * value > best + self.min_delta:
                best, best_index = sign * value, index
        waited = len(values) - 1 - best_index
        if waited >= self.patience:
            than = f"over {sign * best:.4g} (epoch {best_index + 1})" if best_index >= 0 else "at all"
            epochs = "1 epoch" if waited == 1 else f"{waited} epochs"
            run.stop(f"no improvement of {run.monitor} {than} for {epochs}")


def _monitored(run: Run) -> str:
    if run.monitor is None:
        raise NnplugError(
            "early_stopping watches a validation result, but nothing is monitored: give the data a validation split "
            "([train] validation = 0.1), or leave early_stopping out"
        )
    return run.monitor


@hookimpl
def nnplug_callbacks() -> dict[str, type[Callback]]:
    """Register ``early_stopping``."""
    return {"early_stopping": EarlyStopping}
