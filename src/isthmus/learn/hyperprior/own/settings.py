"""How a codec of one's own pictures is trained."""

from __future__ import annotations

from dataclasses import dataclass

from isthmus.learn.loop.timed import warm_and_down


@dataclass(frozen=True)
class OwnTraining:
    """What a run is trained with."""

    base: str = "photo-psnr"
    """The shipped model that it is a difference to."""
    tune: str = "eyes"
    """What pictures shall be alike in: "eyes", SSIMULACRA2; or "psnr", squared errors."""
    batch_pixels: int = 73_728
    """Of a batch: eight pictures of 96×96."""
    ranks: tuple[int, int] = (8, 16)
    """Of what is added to the encoder's matrices, and to the decoder's."""
    rate: float = 2e-3
    """Learning rate of the narrow matrices, of their size."""
    table_rate: float = 1e-3
    """The same of tables over the quality."""
    warm_up_steps: int = 20
    decay_from: float = 0.3
    """Share of the time after which the learning rate goes down."""
    average: float = 0.98
    """Of the running average of what is learnt, per step."""
    clip: float = 3.0
    """Gradients longer than this many times their running mean are shortened."""
    most: float = 6.0
    """A sample whose loss is larger counts as if it were this."""
    seed: int = 0


def rate_factor(share: float, step: int, training: OwnTraining) -> float:
    """Factor of all learning rates, for a share of the time 0..1."""
    return warm_and_down(share, step, warm_up_steps=training.warm_up_steps, decay_from=training.decay_from)
