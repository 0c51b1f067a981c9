"""Makes the golden files of this format version, each once: `make golden`. An existing file is never overwritten."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from isthmus.codec.hyperprior.integer_networks import ENTROPY_GRAPHS, IntegerNetworks, probe
from isthmus.codec.model import Model, load_model
from isthmus.codec.targets import EXACT, GRAPHICS, LEARNED
from isthmus.container.image_header import VERSION
from isthmus.container.model_difference import (
    ABSOLUTE,
    LAYER_BIAS,
    RELATIVE,
    AtKnots,
    Difference,
    LowRank,
    apply_difference,
    write_difference,
)
from isthmus.container.model_file import ModelFile, OfBase, parse_model, read_model, write_model
from isthmus.container.pack_file import VERSION as PACK_VERSION
from isthmus.entropy.passes import LAYERS
from isthmus.entropy.reference_networks import QualityBias
from isthmus.learn.data.crops import to_pixels
from isthmus.learn.export.model_file import export_model
from isthmus.learn.hyperprior.calibration.activation_ranges import calibrate_blocks
from isthmus.learn.hyperprior.export.export import export_codec
from isthmus.learn.models.dense import build_dense
from isthmus.learn.recipes.settings import CodingSettings, ModelSettings
from isthmus.packs.pack import Pack
from isthmus.packs.packing import PackOptions, pack_to_file
from isthmus.sources.picture_set import PictureSet
from isthmus.sources.source import Source
from isthmus.transforms.engine import Engine
from isthmus.values import Picture
from tests.learn.hyperprior.small_codec import small_calibration, small_codec

FOLDER = Path(__file__).parent / f"v{VERSION}"
QUALITIES = (1, 50, 75, 100)
FACTS = {"licence": "CC0-1.0"}


def main() -> int:
    """Write models of each kind, pictures of some qualities, and what each decodes to: those that are not there."""
    FOLDER.mkdir(exist_ok=True)
    makers = {
        "golden.isthmus": _factorised,
        "golden-hyperprior.isthmus": _hyperprior,
        "golden-difference.isthmus": _difference,
        f"pack-{PACK_VERSION}.isthpack": _pack,
        f"pack-{PACK_VERSION}-model.isthpack": _pack_with_model,
        f"pack-{PACK_VERSION}-codings.isthpack": _pack_of_codings,
    }
    missing = {name: make for name, make in makers.items() if not (FOLDER / name).exists()}
    for name, make in missing.items():
        make(FOLDER / name)
    print(f"made: {', '.join(missing) or 'nothing'}; golden files that were there stay as they are")
    return 0


def _factorised(path: Path) -> None:
    random = np.random.default_rng(7)
    blobs = random.normal(size=(400, 4, 4, 1)).repeat(2, 1).repeat(2, 2)
    pictures = np.clip(128 + 60 * blobs, 0, 255).astype(np.uint8)
    torch.manual_seed(7)
    network = build_dense(ModelSettings(height=8, width=8, hidden=(24,), code=6, code_activation="linear")).eval()
    settings = CodingSettings(default_excess=1e-5)
    data = export_model(network, PictureSet(pictures), settings, name=path.stem, facts=FACTS)
    noise = random.integers(0, 256, (8, 8, 1), np.uint8)
    sources = {
        "plain": Picture(pictures[0]),
        "noise": Picture(noise),
        "extras": Picture(pictures[1], alpha=noise[:, :, 0], icc=b"an ICC profile", exif=b"Exif\0\0some EXIF"),
    }
    _write(path, data, sources)


def _hyperprior(path: Path) -> None:
    """Calibrated: int8 blocks, clustered tables, several symbols in a step; in one tile and in several, and grey."""
    network = small_codec()
    blocks = calibrate_blocks(network, to_pixels(_waves()[None, :64, :1024]))
    calibration = replace(small_calibration(network), blocks=blocks)
    waves = _waves()
    pictures = {"colour": Picture(waves[:, :100]), "grey": Picture(waves[:, :90, :1]), "tiled": Picture(waves)}
    _write(path, export_codec(network, calibration=calibration, name=path.stem, facts=FACTS), pictures)


def _waves() -> NDArray[np.uint8]:
    """(70, 1100, 3) colours that change slowly, with some noise."""
    rows, columns = np.mgrid[:70, :1100]
    waves = 128 + 90 * np.sin(rows / 9 + np.array([0, 1, 2])[:, None, None]) * np.cos(columns / 23)
    noise = np.random.default_rng(7).normal(0, 6, (70, 1100, 3))
    return np.clip(waves.transpose(1, 2, 0) + noise, 0, 255).astype(np.uint8)


def _difference(path: Path) -> None:
    """To the golden hyperprior, of version 3 of .isthmus: products beside weights of each kind, tables of each kind."""
    base, random = read_model(FOLDER / "golden-hyperprior.isthmus"), np.random.default_rng(3)

    def small(*shape: int) -> NDArray[np.int8]:
        return random.integers(-9, 10, shape).astype(np.int8)

    written = write_difference(
        Difference(
            (
                LowRank("hyper_synthesis", ("c7", "c9"), "c10", small(6, 2), small(2, 32), 12),  # weights of two bytes
                LowRank("synthesis", ("c96",), "c97", small(10, 1), small(1, 192), 12),  # of one
                LowRank("hyper_analysis", ("c9",), "", small(8, 1), small(1, 32), 9),  # in half precision
            ),
            (
                AtKnots(RELATIVE, "gains", small(9, 24), 7),
                AtKnots(ABSOLUTE, "quality_bias", small(9, 14), 10),
                AtKnots(LAYER_BIAS, "layer.hyper.first.bias", small(9, 32), 3),
            ),
        )
    )
    graphs, arrays = apply_difference(written, base.graphs, base.arrays)
    of_base = OfBase(base.id, written, frozenset({"probe"}))
    model = replace(base, name=path.stem, graphs=graphs, arrays=arrays, decodes=(), facts=FACTS, of_base=of_base)
    engine = Engine(threads=1)
    networks = IntegerNetworks(
        {name: engine.load(graphs[name], name=name) for name in ENTROPY_GRAPHS},
        {name: QualityBias(arrays[f"layer.{name}.shift"], arrays[f"layer.{name}.bias"]) for name in LAYERS},
    )
    first_group, hyper = int(arrays["layout"][0]), arrays["hyper_offsets"].shape[1]
    found = probe(networks, arrays["companding"], first_group=first_group, hyper=hyper).to_bytes(4, "little")
    made = replace(model, arrays={**arrays, "probe": np.frombuffer(found, np.uint8)})
    _write(path, write_model(made), {"difference": Picture(_waves()[:, :100])}, find_base=lambda _: base)


def _write(
    path: Path, data: bytes, sources: dict[str, Picture], *, find_base: Callable[[bytes], ModelFile] | None = None
) -> None:
    path.write_bytes(data)
    model = Model(parse_model(data, name=path.stem, find_base=find_base))
    for source, picture in sources.items():
        for quality in QUALITIES:
            stem = FOLDER / f"{source}-{quality}"
            file = model.encode(picture, quality=quality)
            stem.with_suffix(".isth").write_bytes(file)
            symbols = np.concatenate([tile.ravel() for tile in model.symbols(file)])
            np.savez_compressed(stem.with_suffix(".npz"), pixels=model.decode(file), symbols=symbols)


def _pack(path: Path, *, embed: bool = False) -> None:
    """Two pictures with labels, of the golden model, which stands in the pack or beside it."""
    model = load_model(FOLDER / "golden.isthmus")
    stored = [np.load(FOLDER / f"{source}-100.npz")["pixels"][:, :, None] for source in ("plain", "noise")]
    sources = [Source(f"{index}.png", pixels=one, label=index + 5) for index, one in enumerate(stored)]
    pack_to_file(sources, path, model, PackOptions(75, embed=embed))


def _pack_with_model(path: Path) -> None:
    _pack(path, embed=True)


def _pack_of_codings(path: Path) -> None:
    """Three pictures, in colour, grey and with alpha, in each of the codings; what they decode to stands beside it."""
    model, colours = load_model(FOLDER / "golden-hyperprior.isthmus"), _waves()[:40, :60]
    alpha = (4 * np.add.outer(np.arange(40), np.arange(60))).clip(0, 255).astype(np.uint8)
    shown = {"colour": colours, "grey": colours[:, :, :1].repeat(3, 2), "alpha": np.dstack([colours, alpha])}
    for number, coding in enumerate((LEARNED, EXACT, GRAPHICS)):
        sources = [Source(f"{name} {coding}", data=_png(pixels)) for name, pixels in shown.items()]
        pack_to_file(sources, path, model, PackOptions(60, coding=coding), append=number > 0)
    pack = Pack(path, model=model)
    np.savez_compressed(path.with_suffix(".npz"), **{name: pack[name] for name in pack.names})


def _png(pixels: NDArray[np.uint8]) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


if __name__ == "__main__":
    sys.exit(main())
