"""The settings of a recipe: frozen dataclasses that check themselves. `--set KEY=VALUE` names their fields."""

from __future__ import annotations

from dataclasses import dataclass, field

from isthmus.errors import UsageError
from isthmus.imaging.noise import NoiseSettings

ACTIVATIONS = ("relu", "leaky-relu", "gelu")
OUTPUTS = ("sigmoid", "linear", "relu")
KINDS = ("dense", "residual", "conv", "patches")
DECODERS = ("upsample", "transposed")
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
    validation: float = 0.0
    """Share of the training pictures that is not learnt from, as the classic experiments kept it for validation."""
    take: int = 0
    """Learn from this many of the training pictures, drawn by the seed; 0 takes all."""
    side: int = 0
    """Fit the pictures to this many rows and columns and cut the model's size from them; 0: fit them to the model."""

    def __post_init__(self) -> None:
        _positive("data.count", self.count)
        if not self.characters or any(not character.isprintable() for character in self.characters):
            raise UsageError("data.characters is one or more printable characters")
        if not 0 < self.held_out < 1:
            raise UsageError(f"data.held_out is a share between 0 and 1, not {self.held_out}")
        if not 0 <= self.validation < 1:
            raise UsageError(f"data.validation is a share from 0 to below 1, not {self.validation}")
        for name in ("take", "side"):
            if getattr(self, name) < 0:
                raise UsageError(f"data.{name} is not negative, but {getattr(self, name)} is")


@dataclass(frozen=True)
class ModelSettings:
    """An autoencoder: picture -> hidden layers -> code -> hidden layers backwards -> picture, whole or tile by tile."""

    kind: str = "dense"
    """dense: layers over all pixels; residual: `blocks` residual blocks of one hidden width over all pixels, each way;
    conv: a 3×3 convolution per hidden layer, patches: a block transform with residual blocks that see the neighbouring
    blocks, both for pictures of any size."""
    height: int = 28
    """Rows of the pictures."""
    width: int = 28
    """Columns of the pictures."""
    channels: int = 1
    """1 for grey, 3 for RGB."""
    hidden: tuple[int, ...] = ()
    """Widths (conv: channels) between picture and code, 0 for the code's width; the decoder has them backwards."""
    decoder_hidden: tuple[int, ...] = (0,)
    """Widths between code and picture of a dense model; 0 for those of `hidden` backwards, empty for none."""
    blocks: int = 2
    """Of a residual or patches model: residual blocks on each side of the code."""
    patch: int = 16
    """Of a patches model: rows and columns of pixels that one position of the code stands for."""
    code: int = 32
    """Numbers in the code; channels of it in a conv model."""
    pooling: int = 2
    """Of a conv model: 2 halves both sides behind each hidden layer by maximum, 1 never does."""
    code_kernel: int = 1
    """Of a conv model: side of the kernel that makes the code, without padding; above 1 only within tiles."""
    decoder: str = "upsample"
    """Of a conv model: upsample (nearest, then a convolution) or transposed (convolution)."""
    tile: int = 0
    """Cut pictures of any size into tiles of this side, each with its own code; 0 for whole pictures."""
    overlap: int = 0
    """Pixels that neighbouring tiles share, blended at the seams; even, at most half a tile."""
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
        _one_of("model.kind", self.kind, KINDS)
        if self.is_whole and self.tile == 0 and self.height * self.width > 1 << 16:
            raise UsageError(
                f"model.height x model.width is {self.height}×{self.width}: {self.kind} models are for small pictures: "
                "model.tile=16 cuts larger ones into tiles"
            )
        if self.channels not in (1, 3):
            raise UsageError(f"model.channels is 1 (grey) or 3 (RGB), not {self.channels}")
        for width in (*self.hidden, *self.decoder_hidden):
            if width < 0:
                raise UsageError(f"model.hidden is not negative, but {width} is")
        if self.kind in ("residual", "patches") and (len(self.hidden) != 1 or self.blocks < 1):
            raise UsageError(
                f"a {self.kind} model has one width in model.hidden and one block or more, "
                f"not {len(self.hidden)} widths and {self.blocks} blocks"
            )
        if self.kind == "patches":
            self._check_patches()
        if self.pooling not in (1, 2):
            raise UsageError(f"model.pooling is 1 or 2, not {self.pooling}")
        _one_of("model.decoder", self.decoder, DECODERS)
        self._check_tiles()
        _one_of("model.activation", self.activation, ACTIVATIONS)
        _one_of("model.code_activation", self.code_activation, (*ACTIVATIONS, "linear"))
        _one_of("model.output", self.output, OUTPUTS)
        _one_of("model.initial_weights", self.initial_weights, INITIAL_WEIGHTS)

    @property
    def is_whole(self) -> bool:
        """Whether the network flattens what it sees: one size, one code."""
        return self.kind in ("dense", "residual")

    @property
    def stride(self) -> int:
        """Pixels per position of a conv or patches model's code."""
        if self.kind == "patches":
            return self.patch
        return int(self.pooling ** len(self.hidden))

    @property
    def network_size(self) -> tuple[int, int]:
        """(rows, columns) that the network itself sees: those of a tile, or of the picture."""
        return (self.tile, self.tile) if self.tile else (self.height, self.width)

    @property
    def code_numbers(self) -> int:
        """Numbers that stand for one tile or picture."""
        if self.is_whole:
            return self.code
        rows, columns = (side // self.stride - self.code_kernel + 1 for side in self.network_size)
        return self.code * rows * columns

    @property
    def is_expanding(self) -> bool:
        """Whether the code has more numbers than the pixels that it stands for have values."""
        rows, columns = (side - self.overlap for side in self.network_size)
        return self.code_numbers > self.channels * rows * columns

    def _check_patches(self) -> None:
        if not 2 <= self.patch <= 32:
            raise UsageError(f"model.patch is from 2 to 32, not {self.patch}")
        if self.code > self.channels * self.patch**2:
            raise UsageError(
                f"model.code of a patches model is at most the {self.channels * self.patch**2} values of a patch, "
                f"not {self.code}"
            )

    def _check_tiles(self) -> None:
        if self.tile < 0 or self.tile > 256:
            raise UsageError(f"model.tile is from 0 to 256, not {self.tile}")
        if self.overlap % 2 or not 0 <= self.overlap <= self.tile // 2:
            raise UsageError(f"model.overlap is even and at most half of model.tile ({self.tile}), not {self.overlap}")
        if self.is_whole:
            return
        if self.code_kernel < 1 or (self.code_kernel > 1 and not self.tile):
            raise UsageError(f"model.code_kernel is 1, or above it within tiles, not {self.code_kernel}")
        rows, columns = self.network_size
        cause = (
            f"patches of model.patch={self.patch}"
            if self.kind == "patches"
            else f"{len(self.hidden)} layers with model.pooling={self.pooling}"
        )
        if rows % self.stride or columns % self.stride or min(rows, columns) // self.stride < self.code_kernel:
            raise UsageError(
                f"the network sees {columns}×{rows} pixels, which do not divide by {self.stride}, as {cause} need: "
                "set model.height, model.width or model.tile to a multiple"
            )


@dataclass(frozen=True)
class AugmentationSettings:
    """Virtual pictures: each training picture is changed anew whenever it is seen, as the run's seed draws it."""

    virtual_count: int = 0
    """Virtual pictures in an epoch; 0 for as many as there are pictures."""
    share: float = 1.0
    """Share of the pictures that are turned, scaled, shifted or brightened; the others are seen as they are."""
    flip: float = 0.0
    """Probability of a mirrored picture."""
    rotation: float = 0.0
    """Largest angle in degrees, either way."""
    scale: float = 0.0
    """Largest share by which a picture grows or shrinks."""
    shift: float = 0.0
    """Largest shift in pixels, in each direction."""
    brightness: float = 0.0
    """Largest share by which all values grow or fall."""

    def __post_init__(self) -> None:
        for name in ("virtual_count", "rotation", "shift"):
            if getattr(self, name) < 0:
                raise UsageError(f"augmentation.{name} is not negative, but {getattr(self, name)} is")
        for name in ("share", "flip", "scale", "brightness"):
            if not 0 <= getattr(self, name) <= 1:
                raise UsageError(f"augmentation.{name} is from 0 to 1, not {getattr(self, name)}")


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
class RateSettings:
    """Learning with the bits of the code in the loss, so that they become few."""

    weight: float = 0.0
    """Mean squared error that one bit of a picture's code is worth; 0 leaves the rate out of the loss."""

    def __post_init__(self) -> None:
        if not self.weight >= 0:
            raise UsageError(f"rate.weight is not negative, but {self.weight} is")


@dataclass(frozen=True)
class CodingSettings:
    """How codes become bytes."""

    default_quality: int = 75
    """The quality where none is asked for."""
    default_excess: float = 0.012
    """How much coding adds to the mean squared error at the default quality, as a share of it."""
    qualities_per_octave: float = 14.0
    """How many qualities halve the quantisation step."""
    weight_bits: int = 0
    """Bits that each weight keeps in the model file, 8 lose next to nothing; 0 keeps float32."""

    def __post_init__(self) -> None:
        if not 1 <= self.default_quality <= 100:
            raise UsageError(f"coding.default_quality is from 1 to 100, not {self.default_quality}")
        if self.weight_bits != 0 and not 2 <= self.weight_bits <= 16:
            raise UsageError(f"coding.weight_bits is 0, or from 2 to 16, not {self.weight_bits}")
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
    model: ModelSettings = field(default_factory=ModelSettings)
    """The network."""
    training: TrainingSettings = field(default_factory=TrainingSettings)
    """How it learns."""
    rate: RateSettings = field(default_factory=RateSettings)
    """What the bits of its codes cost while it learns."""
    coding: CodingSettings = field(default_factory=CodingSettings)
    """How its codes become bytes."""
    noise: NoiseSettings = field(default_factory=NoiseSettings)
    """What is added to its input; the target stays clean."""
    augmentation: AugmentationSettings = field(default_factory=AugmentationSettings)
    """Virtual pictures."""


def _positive(name: str, value: float) -> None:
    if not value > 0:
        raise UsageError(f"{name} is above zero, but {value} is not")


def _one_of(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise UsageError(f"{name} is one of {', '.join(choices)}, not {value!r}")
