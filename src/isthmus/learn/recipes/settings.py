"""The settings of a recipe: frozen dataclasses that check themselves. `--set KEY=VALUE` names their fields."""

from __future__ import annotations

from dataclasses import dataclass, field

from isthmus.errors import UsageError

ACTIVATIONS = ("relu", "leaky-relu", "gelu")
OUTPUTS = ("sigmoid", "linear")
INITIAL_WEIGHTS = ("glorot", "pytorch")
LOSSES = ("mse", "bce")
OPTIMISERS = ("adam", "adamw", "adadelta", "sgd")
SCHEDULES = ("constant", "cosine")
PRECISIONS = ("auto", "fp32", "bf16")


@dataclass(frozen=True)
class DataSettings:
    """What a recipe learns from, where `--data` names nothing else."""

    source: str = "glyphs"
    """"glyphs" (drawn on the fly), "mnist" (fetched once), or the path of a folder, an IDX file or a NumPy file."""
    characters: str = "0123456789"
    """Which characters `glyphs` draws."""
    count: int = 20_000
    """How many training pictures `glyphs` draws; a sixth of it more for testing."""
    held_out: float = 0.1
    """Share of the pictures kept for testing where the data has no test set of its own."""

    def __post_init__(self) -> None:
        _positive("data.count", self.count)
        if not self.characters or any(not character.isprintable() for character in self.characters):
            raise UsageError("data.characters is one or more printable characters")
        if not 0 < self.held_out < 1:
            raise UsageError(f"data.held_out is a share between 0 and 1, not {self.held_out}")


@dataclass(frozen=True)
class DenseSettings:
    """A dense autoencoder: picture -> hidden widths -> code -> hidden widths backwards -> picture."""

    height: int = 28
    """Rows of the pictures."""
    width: int = 28
    """Columns of the pictures."""
    channels: int = 1
    """1 for grey, 3 for RGB."""
    hidden: tuple[int, ...] = ()
    """Widths between picture and code; the decoder has them backwards."""
    code: int = 32
    """Numbers in the code."""
    activation: str = "relu"
    """Behind each hidden layer: relu, leaky-relu or gelu."""
    code_activation: str = "relu"
    """Behind the code: one of the activations, or linear."""
    output: str = "sigmoid"
    """Behind the last layer: sigmoid or linear."""
    initial_weights: str = "glorot"
    """glorot: Glorot-uniform with zero biases; pytorch: PyTorch's default."""

    def __post_init__(self) -> None:
        for name in ("height", "width", "code"):
            _positive(f"model.{name}", getattr(self, name))
        if self.height * self.width > 1 << 16:
            raise UsageError(
                f"model.height x model.width is {self.height}×{self.width}: dense models are for small pictures"
            )
        if self.channels not in (1, 3):
            raise UsageError(f"model.channels is 1 (grey) or 3 (RGB), not {self.channels}")
        for width in self.hidden:
            _positive("model.hidden", width)
        _one_of("model.activation", self.activation, ACTIVATIONS)
        _one_of("model.code_activation", self.code_activation, (*ACTIVATIONS, "linear"))
        _one_of("model.output", self.output, OUTPUTS)
        _one_of("model.initial_weights", self.initial_weights, INITIAL_WEIGHTS)


@dataclass(frozen=True)
class TrainingSettings:
    """How a model learns."""

    epochs: int = 12
    """Passes over the training pictures."""
    batch_size: int = 256
    """Pictures in a step."""
    loss: str = "bce"
    """mse: mean squared error; bce: binary cross-entropy, for pictures that are nearly black and white."""
    optimiser: str = "adam"
    """adam, adamw, adadelta or sgd."""
    learning_rate: float = 1e-3
    """Step size."""
    weight_decay: float = 0.0
    """For adamw and sgd."""
    momentum: float = 0.9
    """For sgd."""
    rho: float = 0.9
    """For adadelta: how slowly its averages forget."""
    schedule: str = "cosine"
    """constant, or cosine: the learning rate falls to a hundredth over the run."""
    warm_up_steps: int = 0
    """Steps over which the learning rate rises from zero."""
    precision: str = "auto"
    """fp32, bf16 (mixed), or auto: bf16 where the processor computes in it."""
    patience: int = 0
    """Stop after this many epochs without a better test loss; 0 never stops early."""

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "learning_rate"):
            _positive(f"training.{name}", getattr(self, name))
        for name in ("weight_decay", "momentum", "rho", "warm_up_steps", "patience"):
            if getattr(self, name) < 0:
                raise UsageError(f"training.{name} is not negative, but {getattr(self, name)} is")
        _one_of("training.loss", self.loss, LOSSES)
        _one_of("training.optimiser", self.optimiser, OPTIMISERS)
        _one_of("training.schedule", self.schedule, SCHEDULES)
        _one_of("training.precision", self.precision, PRECISIONS)


@dataclass(frozen=True)
class CodingSettings:
    """How codes become bytes."""

    default_quality: int = 75
    """The quality where none is asked for."""
    default_excess: float = 0.012
    """How much coding adds to the mean squared error at the default quality, as a share of it."""
    qualities_per_octave: float = 14.0
    """How many qualities halve the quantisation step."""

    def __post_init__(self) -> None:
        if not 1 <= self.default_quality <= 100:
            raise UsageError(f"coding.default_quality is from 1 to 100, not {self.default_quality}")
        _positive("coding.default_excess", self.default_excess)
        _positive("coding.qualities_per_octave", self.qualities_per_octave)


@dataclass(frozen=True)
class Recipe:
    """A named experiment."""

    name: str
    """What `isthmus train` calls it."""
    summary: str
    """One line of what it shows."""
    data: DataSettings = field(default_factory=DataSettings)
    """What it learns from."""
    model: DenseSettings = field(default_factory=DenseSettings)
    """The network."""
    training: TrainingSettings = field(default_factory=TrainingSettings)
    """How it learns."""
    coding: CodingSettings = field(default_factory=CodingSettings)
    """How its codes become bytes."""


def _positive(name: str, value: float) -> None:
    if not value > 0:
        raise UsageError(f"{name} is above zero, but {value} is not")


def _one_of(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise UsageError(f"{name} is one of {', '.join(choices)}, not {value!r}")
