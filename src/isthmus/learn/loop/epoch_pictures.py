"""The same ten test pictures after every epoch: what they are, what the network sees, their codes, what comes back."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from isthmus.container.atomic import write_file
from isthmus.evaluate.code_drawing import draw_codes
from isthmus.imaging.noise import NoiseSettings, add_noise
from isthmus.learn.data.augmentation import centre
from isthmus.learn.models.autoencoder import Autoencoder

COUNT = 10
FOLDER = "pictures"
_SMALLEST_CELL = 56
_GAP = 4
_SEED = 1

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class EpochPictures:
    """Draws a network's work into a run's folder, one PNG for each epoch.

    Attributes:
        folder: of the run.
        pictures: (count, rows, columns, channels) uint8; the first ten are drawn.
        size: (rows, columns) that the network sees: the middle of each.
        noise: what the network's input has and its target has not.
    """

    folder: Path
    pictures: Pixels
    size: tuple[int, int]
    noise: NoiseSettings

    def draw(self, model: Autoencoder, epoch: int) -> None:
        """Write the PNG of an epoch.

        Raises:
            OutputError: the folder cannot be written.
        """
        shown = torch.from_numpy(np.array(self.pictures[:COUNT].transpose(0, 3, 1, 2), order="C"))
        originals = centre(shown, self.size).permute(0, 2, 3, 1).numpy()
        inputs = add_noise(originals, self.noise, np.random.default_rng(_SEED))
        codes, decoded = _through(model, inputs)
        rows = [list(originals)]
        if self.noise.kind != "none":
            rows.append(list(inputs))
        rows += [draw_codes(codes, size=1), list(decoded)]
        out = io.BytesIO()
        _sheet(rows).save(out, "PNG", optimize=True)
        write_file(path_of(self.folder, epoch), out.getvalue(), force=True)


def path_of(folder: Path, epoch: int) -> Path:
    """Where the PNG of an epoch lies in a run's folder."""
    return folder / FOLDER / f"epoch-{epoch:04}.png"


def forget_pictures(folder: Path) -> None:
    """Remove those of a run that the folder held before."""
    for path in (folder / FOLDER).glob("epoch-*.png"):
        path.unlink(missing_ok=True)


@torch.no_grad()
def _through(model: Autoencoder, inputs: Pixels) -> tuple[NDArray[np.float32], Pixels]:
    """Codes (count, channels, rows, columns) and decoded pictures (count, rows, columns, channels)."""
    was_training = model.training
    model.eval()
    values = torch.from_numpy(inputs.transpose(0, 3, 1, 2).astype(np.float32) / 255).to(_device(model))
    codes: Tensor = model.analysis(values)
    made = model.decode(codes).float().clamp(0, 1).mul(255).round().to(torch.uint8)
    model.train(was_training)
    grids = codes if codes.dim() == 4 else codes[:, :, None, None]
    return grids.float().cpu().numpy(), made.permute(0, 2, 3, 1).cpu().numpy()


def _device(model: nn.Module) -> torch.device:
    return next(model.parameters()).device


def _sheet(rows: list[list[Pixels]]) -> Image.Image:
    """Rows of pictures, each enlarged without smoothing to the cell that the largest needs."""
    side = max(_SMALLEST_CELL, *(max(picture.shape[:2]) for row in rows for picture in row))
    across = max(len(row) for row in rows)
    sheet = Image.new("RGB", (across * (side + _GAP) - _GAP, len(rows) * (side + _GAP) - _GAP), (128, 128, 128))
    for down, row in enumerate(rows):
        for right, picture in enumerate(row):
            plain = picture[:, :, 0] if picture.shape[2] == 1 else picture
            image = Image.fromarray(plain)
            image.thumbnail((side, side))
            factor = min(side / image.width, side / image.height)
            size = (max(1, round(image.width * factor)), max(1, round(image.height * factor)))
            place = (right * (side + _GAP) + (side - size[0]) // 2, down * (side + _GAP) + (side - size[1]) // 2)
            sheet.paste(image.resize(size, Image.Resampling.NEAREST), place)
    return sheet
