"""The loss curves of runs, as every run's folder has them and `isthmus plot` draws several together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from isthmus.evaluate.figure_file import figure_bytes, new_figure
from isthmus.learn.loop.checkpoint import EpochResult
from isthmus.metrics.distortion import psnr_of_mse

FIGURE = "curves.png"
_DECADE = 10.0


def draw_curves(runs: Mapping[str, Sequence[EpochResult]], *, form: str = "png") -> bytes:
    """Losses, on a logarithmic axis where they span a decade, and PSNR on test pictures, over the epochs.

    Args:
        runs: name -> a result for each epoch; one run shows training and test loss in two colours, several have a
            colour each, with the training loss dashed.
        form: "png", "svg" or "pdf".
    """
    figure = new_figure(9.5, 3.6)
    left, right = figure.subplots(1, 2)
    _draw_losses(left, runs)
    _draw_decibels(right, runs)
    for axis in (left, right):
        axis.tick_params(which="both", labelsize=8)
        axis.xaxis.get_major_locator().set_params(integer=True)
        axis.spines[["top", "right"]].set_visible(False)
        axis.grid(visible=True, which="both", alpha=0.2)
    if len(runs) == 1 and next(iter(runs)):
        figure.suptitle(next(iter(runs)), fontsize=10)
    return figure_bytes(figure, form)


def _draw_losses(axis: Any, runs: Mapping[str, Sequence[EpochResult]]) -> None:
    is_one = len(runs) == 1
    for index, (name, history) in enumerate(runs.items()):
        kinds = (
            ("training", [one.train_loss for one in history], "--"),
            ("test", [one.test_loss for one in history], "-"),
        )
        for number, (kind, losses, line) in enumerate(kinds):
            label = kind if is_one else name if kind == "test" else None
            colour = f"C{number}" if is_one else f"C{index % 10}"
            style = "-" if is_one else line
            axis.plot(_epochs(history), losses, style, marker=_marker(history), color=colour, label=label)
    losses = [loss for history in runs.values() for one in history for loss in (one.train_loss, one.test_loss)]
    if 0 < _DECADE * min(losses) < max(losses):  # below a decade a logarithmic axis has hardly a tick
        from matplotlib.ticker import LogLocator, NullLocator

        axis.set_yscale("log")
        axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.yaxis.set_minor_locator(NullLocator())
        axis.yaxis.set_major_formatter("{x:g}")
    axis.set(xlabel="epoch", ylabel="loss" if is_one else "loss (training dashed)")
    axis.legend(frameon=False, fontsize=8)


def _draw_decibels(axis: Any, runs: Mapping[str, Sequence[EpochResult]]) -> None:
    for index, history in enumerate(runs.values()):
        colour = "C1" if len(runs) == 1 else f"C{index % 10}"
        decibels = [psnr_of_mse(result.test_mse, peak=1.0) for result in history]
        axis.plot(_epochs(history), decibels, marker=_marker(history), color=colour)
        axis.annotate(
            f"{decibels[-1]:.2f}", (history[-1].epoch, decibels[-1]), xytext=(4, 0), textcoords="offset points",
            va="center", fontsize=8, color=colour,
        )  # fmt: skip
    axis.set(xlabel="epoch", ylabel="PSNR in dB, test pictures")


def _epochs(history: Sequence[EpochResult]) -> list[int]:
    return [result.epoch for result in history]


def _marker(history: Sequence[EpochResult]) -> str:
    """A line of one or two points is hardly seen."""
    return "o" if len(history) < 3 else ""
