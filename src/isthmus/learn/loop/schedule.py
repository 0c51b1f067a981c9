"""Optimisers by name, and how the learning rate moves over a run."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import nn

from isthmus.errors import UsageError
from isthmus.learn.recipes.settings import TrainingSettings

MANY_EPOCHS = 1_000_000  # where steps or minutes end the run
KERAS_EPSILON = 1e-7  # in place of PyTorch's 1e-8: the classic experiments were made with it
FINAL_SHARE = 0.01  # of the learning rate, at the end of a cosine


@dataclass(frozen=True)
class Budget:
    """How long a run may take: the first limit that is met ends it.

    Attributes:
        epochs: passes over the training pictures.
        steps: optimiser steps; None for no limit.
        minutes: of training; None for no limit.
    """

    epochs: int
    steps: int | None = None
    minutes: float | None = None

    def __post_init__(self) -> None:
        for name in ("epochs", "steps", "minutes"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise UsageError(f"{name} is above zero, but {value} is not")

    def total_steps(self, steps_per_epoch: int) -> int:
        """Steps if time does not end the run first."""
        total = self.epochs * steps_per_epoch
        return total if self.steps is None else min(total, self.steps)

    def share_done(self, step: int, seconds: float, steps_per_epoch: int) -> float:
        """How much of the run is over, 0 to 1."""
        by_steps = step / self.total_steps(steps_per_epoch)
        by_time = seconds / (60 * self.minutes) if self.minutes is not None else 0.0
        return min(1.0, max(by_steps, by_time))


def learning_rate_at(settings: TrainingSettings, step: int, share_done: float) -> float:
    """The learning rate of a step: warm-up, then constant or a cosine."""
    factor = min(1.0, (step + 1) / settings.warm_up_steps) if settings.warm_up_steps else 1.0
    if settings.schedule == "cosine":
        factor *= FINAL_SHARE + (1 - FINAL_SHARE) * 0.5 * (1 + math.cos(math.pi * share_done))
    return settings.learning_rate * factor


def make_optimiser(settings: TrainingSettings, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
    """The optimiser that a recipe names, with its settings."""
    return OPTIMISERS[settings.optimiser](settings, parameters)


def _adam(settings: TrainingSettings, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
    """Adam as Keras has it, which the classic experiments were made with.

    Keras adds its epsilon, 1e-7, to the average of squared gradients before that is corrected for its start at zero, so
    that it counts 30 times as much in the first steps. Without that more ReLU outputs of `digits-reduction` die there.
    """
    optimiser = torch.optim.Adam(parameters, lr=settings.learning_rate, eps=KERAS_EPSILON, fused=True)
    optimiser.register_step_pre_hook(_correct_epsilon)
    return optimiser


def _correct_epsilon(optimiser: torch.optim.Optimizer, *_: object) -> None:
    for group in optimiser.param_groups:
        state = optimiser.state.get(group["params"][0], {})
        step = float(state["step"]) + 1 if "step" in state else 1.0
        group["eps"] = KERAS_EPSILON / math.sqrt(1 - group["betas"][1] ** step)


OPTIMISERS: dict[str, Callable[[TrainingSettings, Iterable[nn.Parameter]], torch.optim.Optimizer]] = {
    "adam": _adam,
    "adamw": lambda s, p: torch.optim.AdamW(
        p, lr=s.learning_rate, eps=KERAS_EPSILON, weight_decay=s.weight_decay, fused=True
    ),
    "adadelta": lambda s, p: torch.optim.Adadelta(p, lr=s.learning_rate, rho=s.rho, eps=KERAS_EPSILON),
    "sgd": lambda s, p: torch.optim.SGD(
        p, lr=s.learning_rate, momentum=s.momentum, weight_decay=s.weight_decay, fused=True
    ),
}
