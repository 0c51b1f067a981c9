"""An Isthmus model as one more codec."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

from isthmus.codec.model import load_model
from isthmus.evaluate.classic_codecs import QUALITY
from isthmus.evaluate.codec import Codec, CodecInfo, Pixels
from isthmus.transforms.engine import Engine


def build_model_codec(path: Path, *, name: str, engine: Engine) -> Codec:
    """The model of a file, with whole .isth files as its output.

    Args:
        path: of a .isthmus file.
        name: what tables and figures call it.
        engine: for its graphs.

    Raises:
        IsthmusError: it cannot be loaded.
    """
    model = load_model(path, threads=engine.threads, engine=engine.name)

    def encode(pixels: Pixels, quality: float) -> bytes:
        return model.encode(pixels, quality=round(quality))

    info = CodecInfo(
        name=name,
        label=f"Isthmus {name}",
        settings=f"model {model.id.hex()} on {engine.name}",
        library=f"Isthmus {version('isthmus')}",
        threads=engine.threads,
        quality_unit=QUALITY,
    )
    scale = tuple(float(quality) for quality in range(1, 101))
    return Codec(info, (1, 15, 30, 45, 60, 75, 90, 100), scale, encode, model.decode)
