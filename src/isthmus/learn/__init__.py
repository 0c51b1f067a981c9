"""The training wing: recipes, data, models, the loop and the export. Everything here may load PyTorch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from isthmus.codec.model import Model


def train_codec(
    folder: str | Path, *, minutes: float = 60, output: str | Path = "runs/own", base: str = "auto",
    settings: Mapping[str, object] | None = None, seed: int = 0, force: bool = False,
) -> Model:  # fmt: skip
    """Learn a codec for pictures that are alike: what `isthmus train own` does.

    Args:
        folder: of pictures, or whatever else commands take for pictures.
        minutes: that all of it takes, 0.5 or more.
        output: folder of the run: model.isthmus, page.html, figures.json, log.csv, checkpoint.pt.
        base: "auto", the shipped model that suits the pictures better; "photo" or "photo-psnr"; or "nothing", for what
            no photograph resembles.
        settings: others than the recipe's, such as {"tune": "psnr"}: `isthmus recipes own` explains them.
        seed: of what is drawn.
        force: replace a run that the output holds.

    Returns:
        The model, ready to code; its file is in the output.

    Raises:
        InputError: fewer than eight pictures that differ.
        OutputError: the output holds a run already, or cannot be written.
        UsageError: minutes or a base that cannot be.
    """
    from isthmus.codec.model import load_model
    from isthmus.learn.hyperprior.own.run import train_own

    changed = [f"{key}={value}" for key, value in (settings or {}).items()]
    done = train_own(
        Path(output), data=folder, minutes=minutes, base=base, settings=changed, seed=seed, force=force
    )  # fmt: skip
    return load_model(done.model)
