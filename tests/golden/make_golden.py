"""Makes the golden files of this format version, once: `make golden`. An existing version is never overwritten."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch

from isthmus.codec.model import Model
from isthmus.container.image_file import VERSION
from isthmus.container.model_file import parse_model
from isthmus.learn.data.pictures import PictureSet
from isthmus.learn.export.model_file import export_model
from isthmus.learn.models.dense import build_dense
from isthmus.learn.recipes.settings import CodingSettings, DenseSettings
from isthmus.values import Picture

FOLDER = Path(__file__).parent / f"v{VERSION}"
QUALITIES = (1, 50, 75, 100)


def main() -> int:
    """Write the model, a picture of each quality, and what each decodes to."""
    if FOLDER.exists():
        print(f"{FOLDER} exists: golden files of a released version stay as they are")
        return 1
    FOLDER.mkdir()
    random = np.random.default_rng(7)
    blobs = random.normal(size=(400, 4, 4, 1)).repeat(2, 1).repeat(2, 2)
    pictures = np.clip(128 + 60 * blobs, 0, 255).astype(np.uint8)
    torch.manual_seed(7)
    network = build_dense(DenseSettings(height=8, width=8, hidden=(24,), code=6, code_activation="linear")).eval()
    data = export_model(
        network, PictureSet(pictures), CodingSettings(default_excess=1e-5), name="golden", facts={"licence": "CC0-1.0"}
    )
    (FOLDER / "golden.isthmus").write_bytes(data)
    model = Model(parse_model(data, name="golden"))
    noise = random.integers(0, 256, (8, 8, 1), np.uint8)
    sources = {
        "plain": Picture(pictures[0]),
        "noise": Picture(noise),
        "extras": Picture(pictures[1], alpha=noise[:, :, 0], icc=b"an ICC profile", exif=b"Exif\0\0some EXIF"),
    }
    for name, picture in sources.items():
        for quality in QUALITIES:
            file = model.encode(picture, quality=quality)
            (FOLDER / f"{name}-{quality}.isth").write_bytes(file)
            np.save(FOLDER / f"{name}-{quality}.pixels.npy", model.decode(file))
            np.save(FOLDER / f"{name}-{quality}.symbols.npy", model.symbols(file))
    return 0


if __name__ == "__main__":
    sys.exit(main())
