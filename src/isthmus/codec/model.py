"""A model ready to encode and decode: the parts of a .isthmus file, loaded."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from isthmus.codec import pipeline
from isthmus.codec.choosing import encode_wished
from isthmus.codec.coder import Coder
from isthmus.codec.factorised_coder import KIND as FACTORISED
from isthmus.codec.factorised_coder import FactorisedCoder
from isthmus.codec.hyperprior.coder import HyperpriorCoder
from isthmus.codec.hyperprior.layout import KIND as HYPERPRIOR
from isthmus.codec.photo_denoiser import KIND as DENOISER
from isthmus.codec.targets import EXACT, LEARNED, Target, Wish
from isthmus.container.model_file import ModelFile
from isthmus.errors import ModelMismatchError, UnsupportedVersionError
from isthmus.imaging.reading import as_picture
from isthmus.imaging.windows import as_region
from isthmus.transforms.engine import Engine
from isthmus.values import BytesLike, Picture
from isthmus.zoo import finding

DEFAULT_ENGINE = Engine()

CODERS: dict[str, type[FactorisedCoder] | type[HyperpriorCoder]] = {
    FACTORISED: FactorisedCoder,
    HYPERPRIOR: HyperpriorCoder,
}

PictureLike = Picture | Image.Image | NDArray[np.uint8]


class Model:
    """A model file's parts, checked; its graphs are loaded when they are first used.

    Threads may share one, and processes forked off later go on with it (not on OpenVINO).

    Args:
        file: the model file.
        engine: what runs the graphs.

    Raises:
        UnsupportedVersionError: a kind of model that this release does not know.
        ModelMismatchError: a model that codes no pictures.
        FormatError: parts that do not belong together.
    """

    def __init__(self, file: ModelFile, engine: Engine = DEFAULT_ENGINE) -> None:
        if file.kind == DENOISER:
            raise ModelMismatchError(
                f"the model {file.name} removes noise from photographs and codes none: 'isthmus denoise' takes it"
            )
        if file.kind not in CODERS:
            raise UnsupportedVersionError(f"the model {file.name} is of the kind {file.kind!r}: update isthmus")
        if file.version == 1 and file.kind == HYPERPRIOR:
            raise UnsupportedVersionError(
                f"the model {file.name} has an older layout: export it again from its weights"
            )
        self.coder: Coder = CODERS[file.kind](file, engine)
        self.file = file
        self.id = file.id
        self._engine = engine

    def __reduce__(self) -> tuple[type[Model], tuple[ModelFile, Engine]]:
        """What pickle and copy make it of: the file. Another process loads its graphs when it first uses them."""
        return type(self), (self.file, self._engine)

    @property
    def name(self) -> str:
        """What people call it."""
        return self.file.name

    @property
    def factorised_coder(self) -> FactorisedCoder:
        """The coder of a plain autoencoder, whose latents have a use of their own.

        Raises:
            ModelMismatchError: the model is of another kind.
        """
        if not isinstance(self.coder, FactorisedCoder):
            raise ModelMismatchError(
                f"{self.name} is no plain autoencoder, whose codes have a use of their own: "
                "name one with --model (in Python model=)"
            )
        return self.coder

    def __repr__(self) -> str:
        """Name, kind, id and the pictures that it takes."""
        return f"<isthmus.Model {self.name!r}, {self.file.kind}, id {self.id.hex()}, takes {self.file.picture}>"

    def decodes(self, model_id: bytes) -> bool:
        """Whether it decodes the pictures of the model of an id: its own, or one that its file lists."""
        return model_id in self.file.decoded_ids

    def encode(
        self,
        picture: PictureLike,
        *,
        quality: float | None = None,
        target_bytes: int | None = None,
        target_bpp: float | None = None,
        target_psnr: float | None = None,
        target_ssimulacra2: float | None = None,
        lossless: bool = False,
        coding: str | None = None,
        exact: bool = False,
        fit: bool = False,
        depth: int | None = None,
    ) -> bytes:
        """One picture to the bytes of a .isth file.

        Args:
            picture: uint8 (rows, columns) or (rows, columns, channels): 2 are grey with alpha, 3 RGB, 4 RGB with
                alpha; a Pillow image, of an animation the frame it is at; or a `Picture`.
            quality: 1 to 100; without it and a target, the model's default. Hyperprior models such as `photo` adapt it
                to the picture: smooth ones get more than busy ones.
            target_bytes: the best quality whose file has at most this many bytes.
            target_bpp: the same, in bits of the file per pixel.
            target_psnr: the lowest quality that reaches this many dB.
            target_ssimulacra2: the lowest quality that reaches this score, such as 90 for no visible difference.
            lossless: every pixel as it is, whatever the model takes.
            coding: "learned" is this model, and so is None where nothing lossless is asked for; "exact" is lossless
                WebP, "graphics" AVIF, and "auto" takes what suits the picture.
            exact: keep the colours of fully transparent pixels where the picture is coded exactly.
            fit: convert and resize the picture to what the model takes.
            depth: 8 allows Pillow images of 16 bits or floats to be reduced.

        Raises:
            InputError: a Pillow image whose file is damaged.
            ModelMismatchError: the model does not take this picture and `fit` is false.
            UsageError: not a picture, not a quality, two wishes, or a target out of reach.
        """
        target = Target(quality, target_bytes, target_bpp, target_psnr, target_ssimulacra2, lossless)
        wish = Wish(target, coding or (EXACT if lossless else LEARNED), exact)
        return encode_wished([as_picture(picture, depth=depth)], self.coder, wish, fit=fit)[0]

    def encode_batch(
        self,
        pictures: Sequence[PictureLike] | NDArray[np.uint8],
        *,
        quality: float | None = None,
        coding: str = LEARNED,
        fit: bool = False,
        depth: int | None = None,
    ) -> list[bytes]:
        """Many pictures, each to its own bytes, through the graphs in batches; see `encode`."""
        values = [as_picture(picture, depth=depth) for picture in pictures]
        return encode_wished(values, self.coder, Wish(Target(quality), coding), fit=fit)

    def decode(
        self, data: BytesLike, *, region: Sequence[int] | None = None, pixel_limit: int | None = None
    ) -> NDArray[np.uint8]:
        """Bytes to pixels: (rows, columns) for grey, (rows, columns, 3) for RGB; alpha as a further channel.

        Args:
            data: the bytes of a whole file.
            region: (x, y, width, height) of the part that is wanted, in pixels; see `isthmus.decode`.
            pixel_limit: see `isthmus.decode`.

        Raises:
            FormatError: damaged bytes.
            LimitError: more pixels than so few bytes can hold, or than the limit.
            ModelMismatchError: bytes of another model.
            UsageError: the region reaches beyond the picture.
        """
        if region is not None:
            part = pipeline.decode_region(data, self.coder, as_region(region), pixel_limit=pixel_limit)
            return plain_pixels(part)
        return self.decode_batch([data], pixel_limit=pixel_limit)[0]

    def decode_batch(self, files: Sequence[BytesLike], *, pixel_limit: int | None = None) -> list[NDArray[np.uint8]]:
        """Many files, in batches."""
        return [plain_pixels(picture) for picture in pipeline.decode(files, self.coder, pixel_limit=pixel_limit)]

    def symbols(self, data: BytesLike) -> list[NDArray[np.int32]]:
        """The symbols (latent channels, rows, columns) of each tile of a .isth file: the same on every machine.

        Raises:
            FormatError: damaged bytes.
            ModelMismatchError: bytes of another model.
        """
        return pipeline.symbols_of(data, self.coder)

    def latents(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Codes of pictures of one size, not quantised.

        Args:
            pictures: (count, rows, columns, channels) uint8, or (count, rows, columns) grey.

        Returns:
            (count, latent channels, rows', columns') float32. Of a hyperprior model (`photo`, one's own) rows' and
            columns' are those of the pictures, divided by 16 and rounded up, of `photo` to multiples of 4; sides are
            at most 1,024.

        Raises:
            ModelMismatchError: the model does not take these pictures.
            UsageError: pictures that are coded in tiles.
        """
        return pipeline.latents_of([as_picture(picture) for picture in pictures], self.coder)

    def pictures_of(self, latents: NDArray[np.float32]) -> NDArray[np.float32]:
        """Pictures (count, rows, columns, channels) in [0, 1] of latents, not rounded."""
        return self.factorised_coder.pictures_of(latents)


def load_model(name: str | Path, *, threads: int = 0, engine: str = "onnxruntime") -> Model:
    """A model by path, or by the name of a shipped or installed one.

    Args:
        name: such as "photo", or the path of a .isthmus file.
        threads: threads for its graphs; 0 takes all cores.
        engine: "onnxruntime", or "openvino" where the extra of that name is installed.

    Raises:
        ModelNotFoundError: no such model.
        ModelMismatchError: a model that codes no pictures, such as "denoise".
        FormatError: the file is damaged.
        UsageError: no such engine.

    Example:
        >>> load_model("photo").name
        'photo'
    """
    return Model(finding.read_model(finding.find_by_name(name)), Engine(engine, threads))


def load_model_by_id(model_id: bytes, *, beside: Path | None = None, engine: Engine = DEFAULT_ENGINE) -> Model:
    """The model that a picture file names; see `zoo.finding.find_by_id`."""
    return Model(finding.read_model(finding.find_by_id(model_id, beside=beside)), engine)


def plain_pixels(picture: Picture) -> NDArray[np.uint8]:
    """(rows, columns) for grey, (rows, columns, channels) else; alpha as the last channel."""
    pixels = picture.pixels
    if picture.alpha is not None:
        pixels = np.concatenate([pixels, picture.alpha[:, :, None]], axis=2)
    return pixels[:, :, 0] if pixels.shape[2] == 1 else pixels
