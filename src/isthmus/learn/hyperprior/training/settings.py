"""How the photo codec is trained: what `--set` changes, and how the learning rate moves over a run."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from isthmus.errors import UsageError
from isthmus.learn.loop.timed import warm_and_down

PSNR, EYES = TUNES = ("psnr", "eyes")


def check_tune(tune: str) -> None:
    """Refuse what is none of TUNES.

    Raises:
        UsageError: it is none.
    """
    if tune not in TUNES:
        raise UsageError(f"training.tune is one of {', '.join(TUNES)}, not {tune!r}")


@dataclass(frozen=True)
class Training:
    """How to train: what `--set` changes."""

    tune: str = "psnr"
    """What pictures shall be alike in: "psnr", squared errors; or "eyes", SSIMULACRA2, best begun with the weights of
    the other one."""
    batch: int = 8
    """Windows of a step."""
    side: int = 192
    """Of the square windows; a multiple of 64."""
    muon_rate: float = 2e-3
    """Learning rate of weight matrices behind nonlinearities."""
    adam_rate: float = 1e-3
    """Learning rate of tables, biases and depthwise weights."""
    gain_rate: float = 2e-3
    """Learning rate of the gains per channel and quality. Another tune moves bits between channels first of all."""
    basis_rate: float = 2e-4
    """Learning rate of the four matrices that start as cosine transforms."""
    warm_up_steps: int = 500
    """In which the learning rates rise from nothing."""
    decay_from: float = 0.25
    """Share of the budget after which the learning rate goes down."""
    quantise_from: float = 0.30
    """Share of the budget after which the entropy networks run in integers and latents are rounded as the encoder
    rounds them."""
    average: float = 0.999
    """Of the running average of the weights, per step."""
    clip: float = 3.0
    """Gradients longer than this many times their running mean are shortened."""
    most: float = 6.0
    """A sample whose loss is larger counts as if it were this."""
    vivid: float = 0.12
    """Share of windows with colours that photographs seldom have."""
    drawn: float = 0.08
    """Share of windows that are drawings."""
    flat: float = 0.0
    """Share of windows of one colour, or two; 0.04 for eyes, whose measure sees structure alone."""
    grey: float = 0.0
    """Share of windows that are photographs without colours."""
    weights: str = ""
    """Half-precision weights that a new run starts from."""
    mixed: int = 1
    """1: residual blocks in bfloat16 where the processor computes in it; linear transforms, entropy networks and the
    loss never are. 0: all in float32."""
    compile: int = 1
    """1: torch.compile of the networks and the loss, about twice as fast after minutes, needs a C++ compiler. 0:
    without."""

    def __post_init__(self) -> None:
        check_tune(self.tune)


def kept_training(checkpoint: Mapping[str, Any]) -> Training:
    """What a run has trained with."""
    return Training(**checkpoint["training"])


def rate_factor(share: float, step: int, training: Training) -> float:
    """Factor of all learning rates, for a share of the budget 0..1."""
    return warm_and_down(share, step, warm_up_steps=training.warm_up_steps, decay_from=training.decay_from)
