"""The loss curves of runs, as every run's folder has them and `isthmus plot` draws several together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from isthmus.evaluate.figure_file import figure_bytes, new_figure
from isthmus.learn.loop.checkpoint import EpochResult
from isthmus.metrics.distortion import psnr_of_mse

FIGURE = "curves.png"


def draw_curves(runs: Mapping[str, Sequence[EpochResult]], *, form: str = "png") -> bytes:
    """Losses on a logarithmic axis and PSNR on test pictures, over the epochs.

    Args:
        runs: name -> a result for each epoch; one run shows training and test loss in two colours, several have a
            colour each, with the training loss dashed.
        form: "png", "svg" or "pdf".
    """
    figure = new_figure(9.5, 3.6)
    left, right = figure.subplots(1, 2)
    is_one = len(runs) == 1
    for index, (name, history) in enumerate(runs.items()):
        epochs = [result.epoch for result in history]
        marker = "o" if len(epochs) < 3 else ""
        kinds = (
            ("training", [one.train_loss for one in history], "--"),
            ("test", [one.test_loss for one in history], "-"),
        )
        for number, (kind, losses, line) in enumerate(kinds):
            label = kind if is_one else name if kind == "test" else None
            colour = f"C{number}" if is_one else f"C{index % 10}"
            left.plot(epochs, losses, "-" if is_one else line, marker=marker, color=colour, label=label)
        decibels = [psnr_of_mse(result.test_mse, peak=1.0) for result in history]
        right.plot(epochs, decibels, marker=marker, color="C1" if is_one else f"C{index % 10}")
        right.annotate(
            f"{decibels[-1]:.2f} dB", (epochs[-1], decibels[-1]), xytext=(-4, -12), textcoords="offset points",
            ha="right", fontsize=8,
        )  # fmt: skip
    left.set_yscale("log")
    left.yaxis.set_major_formatter("{x:g}")
    left.yaxis.set_minor_formatter("{x:g}")
    left.tick_params(which="both", labelsize=8)
    left.set(xlabel="epoch", ylabel="loss" if is_one else "loss (training dashed)")
    right.set(xlabel="epoch", ylabel="PSNR in dB, test pictures")
    left.legend(frameon=False, fontsize=8)
    for axis in (left, right):
        axis.xaxis.get_major_locator().set_params(integer=True)
        axis.spines[["top", "right"]].set_visible(False)
        axis.grid(visible=True, which="both", alpha=0.2)
    if is_one and next(iter(runs)):
        figure.suptitle(next(iter(runs)), fontsize=10)
    return figure_bytes(figure, form)
