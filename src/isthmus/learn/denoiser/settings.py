"""How the denoiser for photographs is made: sizes of its networks, and what `--set` changes of its training."""

from __future__ import annotations

from dataclasses import dataclass

from isthmus.errors import UsageError
from isthmus.learn.loop.timed import warm_and_down


@dataclass(frozen=True)
class NetworkSettings:
    """Sizes of the networks, from half resolution downwards."""

    widths: tuple[int, ...] = (48, 64, 96)
    """Channels at 1/2, 1/4, 1/8, ... of the resolution."""
    depths: tuple[int, ...] = (3, 3, 2)
    """Residual blocks there, on the way down and again on the way up."""
    estimator: int = 32
    """Channels of the network that estimates the noise level."""

    @property
    def stride(self) -> int:
        """What the sides of a picture are padded to a multiple of."""
        return 1 << len(self.widths)


@dataclass(frozen=True)
class Training:
    """How to train: what `--set` changes."""

    batch: int = 16
    """Windows of a step."""
    side: int = 96
    """Of the square windows, in pixels; a multiple of 8 from 16 on."""
    muon_rate: float = 2e-3
    """Learning rate of the convolutions' weights."""
    adam_rate: float = 1e-3
    """Learning rate of biases and of the network that estimates the level."""
    warm_up_steps: int = 100
    """In which the learning rates rise from nothing."""
    decay_from: float = 0.25
    """Share of the budget after which the learning rates go down, to a fiftieth."""
    average: float = 0.999
    """Of the running average of the weights, per step; it is what is exported."""
    gaussian: float = 0.5
    """Share of windows with Gaussian noise."""
    camera: float = 0.22
    """Share of windows with a camera's noise."""
    jpeg: float = 0.18
    """Share of windows with the artefacts of JPEG."""
    impulse: float = 0.04
    """Share of windows with salt-and-pepper noise. What is left of 1 are clean windows."""
    weights: str = ""
    """Half-precision weights that a new run starts from, such as training/denoise/weights.npz."""
    mixed: int = 1
    """1: the U-Net in bfloat16 where the processor computes in it. 0: in float32."""
    level_only: int = 0
    """1: train the network that estimates the level alone, as after the other one has learnt enough."""
    largest_sigma: float = 55
    """The strongest Gaussian noise, in grey levels; the weakest is 0."""

    def __post_init__(self) -> None:
        shares = (self.gaussian, self.camera, self.jpeg, self.impulse)
        if min(shares) < 0 or sum(shares) > 1:
            raise UsageError(
                "training: the shares gaussian, camera, jpeg and impulse are 0 or more, together at most 1"
            )
        if self.batch < 1 or self.side < 16 or self.side % 8:
            raise UsageError("training.batch is 1 or more, training.side a multiple of 8 from 16 on")
        if not 0 < self.largest_sigma <= 255:
            raise UsageError("training.largest_sigma is above 0 and at most 255")


def rate_factor(share: float, step: int, training: Training) -> float:
    """Factor of all learning rates, for a share of the budget 0..1."""
    return warm_and_down(share, step, warm_up_steps=training.warm_up_steps, decay_from=training.decay_from)
