"""The figure that people expect of an autoencoder: originals, their codes drawn as pictures, and what comes back.

Of a model that removes noise: clean pictures, noisy ones, the codes of those, and what is left without the noise.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from isthmus.codec.denoising import denoise, has_noise, noise_of
from isthmus.codec.factorised_coder import FactorisedCoder
from isthmus.codec.model import Model
from isthmus.container.image_header import read_header
from isthmus.evaluate.code_drawing import draw_codes, draw_heat
from isthmus.evaluate.picture_grid import SMALL_SIDE, Row, as_cell, columns_for, draw_grid
from isthmus.imaging.noise import disturbed
from isthmus.metrics.distortion import psnr
from isthmus.values import Picture

MAX_COLUMNS = 12
"""Pictures that are drawn where no number is asked for, or as many as fit side by side if those are fewer."""
Pixels = NDArray[np.uint8]


def draw_reconstructions(
    pictures: Sequence[Picture],
    model: Model,
    *,
    quality: float | None = None,
    columns: int = 0,
    size: int | None = None,
    form: str = "png",
) -> bytes:
    """Rows of originals, codes, and the pictures that come back from real files; of a denoiser with noise in between.

    Args:
        pictures: each must be what the model takes.
        model: encodes and decodes them.
        quality: 1 to 100; None is the model's default.
        columns: pictures side by side; 0 is as many as fit, at most `MAX_COLUMNS`.
        size: pixels of a picture's longer side; None is the picture's own, from 112 to 512.
        form: "png", "svg" or "pdf".

    Raises:
        ModelMismatchError: a picture that the model does not take.
    """
    originals = [picture.pixels for picture in pictures]
    cells = [as_cell(pixels, size) for pixels in originals]
    across = columns or min(MAX_COLUMNS, columns_for(cells))
    if has_noise(model):
        rows = _denoised_rows(pictures, model, size)
        title = f"{model.name}: {_noise_text(model)} removed"
    else:
        rows = _coded_rows(pictures, model, quality, size)
        shown = model.file.default_quality if quality is None else quality
        title = f"{model.name}, quality {shown:g}"
    return draw_grid([Row("original", tuple(cells)), *rows], form=form, title=title, columns=across)


def shown_at_once(picture: Picture, *, size: int | None = None) -> int:
    """How many pictures like this one are drawn where no number is asked for."""
    return min(MAX_COLUMNS, columns_for([as_cell(picture.pixels, size)]))


def _coded_rows(pictures: Sequence[Picture], model: Model, quality: float | None, size: int | None) -> list[Row]:
    files = model.encode_batch(list(pictures), quality=quality)
    back = [_with_channels(pixels) for pixels in model.decode_batch(files)]
    captions = [
        f"{_decibels(psnr(picture.pixels, pixels[:, :, : picture.channels]))}\n{len(file):,} bytes"
        for picture, pixels, file in zip(pictures, back, files, strict=True)
    ]
    if isinstance(model.coder, FactorisedCoder):
        code = _code_row([picture.pixels for picture in pictures], model, size)
    else:
        code = Row("symbols", tuple(_heat(model, file, size) for file in files))
    return [code, Row("decoded", tuple(as_cell(pixels[:, :, :3], size) for pixels in back), tuple(captions))]


def _denoised_rows(pictures: Sequence[Picture], model: Model, size: int | None) -> list[Row]:
    settings = noise_of(model)
    noisy = [disturbed(picture, settings, seed=place) for place, picture in enumerate(pictures)]
    cleaned = [denoise(picture, model) for picture in noisy]
    return [
        _picture_row("noisy", noisy, pictures, size),
        _code_row([picture.pixels for picture in noisy], model, size),
        _picture_row("denoised", cleaned, pictures, size),
    ]


def _picture_row(label: str, shown: Sequence[Picture], clean: Sequence[Picture], size: int | None) -> Row:
    captions = (_decibels(psnr(one.pixels, other.pixels)) for one, other in zip(shown, clean, strict=True))
    return Row(label, tuple(as_cell(picture.pixels, size) for picture in shown), tuple(captions))


def _code_row(pixels: Sequence[Pixels], model: Model, size: int | None) -> Row:
    codes = [model.latents(one[None]) for one in pixels]
    numbers = f"code\n{codes[0][0].size:,}\nnumbers"
    drawn_size = max(SMALL_SIDE, size or max(as_cell(one, size).shape[0] for one in pixels))
    if len({code.shape for code in codes}) == 1:
        return Row(numbers, tuple(draw_codes(np.concatenate(codes), size=drawn_size)))
    return Row("code", tuple(draw_codes(code, size=drawn_size)[0] for code in codes))


def _heat(model: Model, file: bytes, size: int | None) -> Pixels:
    """Where a file's symbols are: how large the latents of each position are, on a scale of logarithms."""
    tiles = [np.log1p(np.abs(tile).mean(axis=0) / 64) for tile in model.symbols(file)]
    header = read_header(file)
    across = -(-header.width // header.tile_size) if header.tile_size else 1
    rows = [np.concatenate(tiles[start : start + across], axis=1) for start in range(0, len(tiles), across)]
    cell = as_cell(np.zeros((header.height, header.width, 1), np.uint8), size)
    return draw_heat(np.concatenate(rows).astype(np.float32), size=(cell.shape[0], cell.shape[1]))


def _with_channels(pixels: Pixels) -> Pixels:
    return pixels[:, :, None] if pixels.ndim == 2 else pixels


def _decibels(value: float) -> str:
    return f"{value:.1f} dB" if np.isfinite(value) else "exact"


def _noise_text(model: Model) -> str:
    settings = noise_of(model)
    return f"{settings.kind} noise of {settings.amount:g}"
