"""How a codec of one's own pictures is trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from isthmus.container.model_difference import MAX_RANK
from isthmus.errors import UsageError
from isthmus.learn.hyperprior.training.settings import check_tune
from isthmus.learn.loop.timed import warm_and_down
from isthmus.learn.recipes.loading import changed_settings, split_setting
from isthmus.learn.recipes.photo import OWN

NOT_SET = ("base", "seed")
"""What options of their own say, --from and --seed."""


@dataclass(frozen=True)
class OwnTraining:
    """What a run is trained with: what `--set` changes, but for NOT_SET."""

    base: str = "photo-psnr"
    """The shipped model that it is a difference to; or "nothing"."""
    tune: str = "eyes"
    """What pictures shall be alike in: "eyes", SSIMULACRA2; or "psnr", squared errors."""
    error_share: float = 0.4
    """Of the squared error in the loss for eyes. With the 0.1 of `photo`, which has to serve any picture, 20 minutes of
    faces came to 0.46 of other files at equal SSIMULACRA2, and to 0.88 at equal PSNR, where `photo-psnr` has 0.82."""
    batch_pixels: int = 73_728
    """Of a batch: eight pictures of 96×96."""
    ranks: tuple[int, int] = (8, 16)
    """Of what is added to the encoder's matrices, and to the decoder's."""
    rate: float = 2e-3
    """Learning rate of the narrow matrices, of their size."""
    table_rate: float = 1e-3
    """The same of tables over the quality."""
    muon_rate: float = 2e-3
    """From nothing: of weight matrices."""
    warm_up_steps: int = 20
    """In which the learning rates rise from nothing."""
    decay_from: float = 0.3
    """Share of the time after which the learning rate goes down."""
    average: float = 0.98
    """Of the running average of what is learnt, per step."""
    clip: float = 3.0
    """Gradients longer than this many times their running mean are shortened."""
    most: float = 6.0
    """A sample whose loss is larger counts as if it were this."""
    seed: int = 0
    """Of what is drawn."""

    def __post_init__(self) -> None:
        check_tune(self.tune)
        if not 0 <= self.error_share <= 1:
            raise UsageError(f"training.error_share is from 0 to 1, not {self.error_share:g}")
        if len(self.ranks) != 2 or not all(1 <= rank <= MAX_RANK for rank in self.ranks):
            raise UsageError(f"training.ranks are two whole numbers from 1 to {MAX_RANK}, not {self.ranks}")
        if self.batch_pixels < 1 or not 0 <= self.average < 1 or min(self._positive()) <= 0:
            raise UsageError(
                "training.batch_pixels, rate, table_rate, muon_rate and clip are above 0, training.average below 1"
            )

    def _positive(self) -> tuple[float, ...]:
        return self.rate, self.table_rate, self.muon_rate, self.clip


def training_of(settings: Sequence[str], saved: Mapping[str, Any] | None) -> OwnTraining:
    """What is asked for, or what a run has trained with, changed by what is asked for.

    Args:
        settings: "KEY=VALUE" each.
        saved: by the run's checkpoint; None of a new one.

    Raises:
        UsageError: no such setting, a value that cannot be, or one of NOT_SET.
    """
    for setting in settings:
        if split_setting(setting)[0].removeprefix("training.") in NOT_SET:
            raise UsageError(f"train own takes --from and --seed, not --set {setting}")
    kept: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in (saved or {}).items()
    }
    return changed_settings(OwnTraining(**kept), settings, recipe=OWN)


def rate_factor(share: float, step: int, training: OwnTraining) -> float:
    """Factor of all learning rates, for a share of the time 0..1."""
    return warm_and_down(share, step, warm_up_steps=training.warm_up_steps, decay_from=training.decay_from)
