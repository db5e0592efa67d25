"""Compare update rules on one network: each at its best learning rate, the losses and accuracies as curves.

Writes update-rules.png to the current folder; needs matplotlib. A few seconds.
"""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np

import nnplug

LEARNING_RATES = {
    "sgd": (0.3, 1.0, 2.0),
    "momentum": (0.06, 0.2, 0.6),
    "adagrad": (0.03, 0.1, 0.3),
    "rmsprop": (0.001, 0.003, 0.01),
    "adam": (0.01, 0.03, 0.1),
    "adamw": (0.01, 0.03, 0.1),
}


def train(data: nnplug.Dataset, rule: str, learning_rate: float) -> nnplug.History:
    """Train the network once; the seed gives every run the same initial values and the same batches."""
    model = nnplug.build(
        [{"type": "affine", "units": 50}, "relu", {"type": "affine", "units": 10}], input_shape=(64,), seed=0
    )
    update = {"type": rule, "learning_rate": learning_rate}
    return nnplug.Solver(model, data, update=update, epochs=10, batch_size=50, validation=0.2).fit()


def main() -> None:
    """Find each rule's best learning rate, print a table, draw the curves."""
    data = nnplug.load_data("digits")
    fig, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    print("rule      learning rate  best accuracy on validation")
    for rule, learning_rates in LEARNING_RATES.items():
        runs = [(train(data, rule, rate), rate) for rate in learning_rates]
        history, rate = max(runs, key=lambda run: max(run[0].column("validation_accuracy")))
        print(f"{rule:8}  {rate:13}  {max(history.column('validation_accuracy')):27.3f}")

        window = len(history.losses) // len(history.epochs)
        smooth = np.convolve(history.losses, np.ones(window) / window, mode="valid")
        left.plot(smooth, label=f"{rule}, {rate}")
        right.plot(history.column("epoch"), history.column("validation_accuracy"))
    left.set(xlabel="step", ylabel="loss, mean of an epoch's batches", yscale="log")
    left.legend(title="rule, learning rate")
    right.set(xlabel="epoch", ylabel="accuracy on validation")
    fig.savefig("update-rules.png")


if __name__ == "__main__":
    main()
