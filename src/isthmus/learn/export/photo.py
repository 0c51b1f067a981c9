"""A checkpoint of the photo codec to what runs without PyTorch: ONNX graphs and arrays.

    python -m isthmus.learn.export.photo CHECKPOINT FOLDER

The folder holds one .onnx file for each graph and arrays.npz.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from isthmus.entropy.exact import LAYERS, ExactLayer, squash_table
from isthmus.entropy.hyperprior import HYPER_GROUPS, HYPER_LIMIT, HyperpriorTables
from isthmus.entropy.normal_tables import normal_tables, pack_tables, unpack_tables
from isthmus.entropy.tables import FrequencyTable, integer_frequencies
from isthmus.learn.export.photo_graphs import analysis_graph, exact_graphs, hyper_analysis_graph, synthesis_graph
from isthmus.learn.export.photo_layers import integer_layers
from isthmus.learn.models.photo_codec import PhotoCodec
from isthmus.learn.models.photo_prior import thrifty_thresholds
from isthmus.learn.models.photo_transforms import TransformStart
from isthmus.learn.models.quality import knot_weights, position_of

TABLE_TAIL = 2.0**-15
"""Hyper-latents rarer than this on a side go through the escape."""


@dataclass(frozen=True)
class ExportedPhoto:
    """A photo codec as the light wing runs it."""

    graphs: dict[str, bytes]
    """analysis, hyper_analysis, synthesis, hyper_synthesis and the four passes."""
    arrays: dict[str, NDArray[Any]]
    """gains (100, latents), guides (100, widths), thresholds, squash, tables, and layer.NAME.weight / shift / bias."""

    def layers(self) -> dict[str, ExactLayer]:
        """The integer layers by name."""
        return {
            name: ExactLayer(*(self.arrays[f"layer.{name}.{part}"] for part in ("weight", "shift", "bias")))
            for name in LAYERS
        }

    def tables(self) -> HyperpriorTables:
        """All tables of the coder."""
        parts = ("lowest", "sizes", "frequencies")
        hyper = unpack_tables(*(self.arrays[f"hyper_{part}"] for part in parts))
        width = len(hyper) // HYPER_GROUPS
        return HyperpriorTables(
            levels=unpack_tables(*(self.arrays[f"level_{part}"] for part in parts)),
            hyper=[hyper[group * width : (group + 1) * width] for group in range(HYPER_GROUPS)],
            squash=self.arrays["squash"],
        )


def load_average(path: Path) -> PhotoCodec:
    """The averaged model of a checkpoint, ready to run."""
    saved = torch.load(path, weights_only=False)
    model = PhotoCodec(saved["settings"], TransformStart(**saved["start"])).eval().requires_grad_(False)
    model.load_state_dict(saved["average"])
    return model


@torch.no_grad()
def export_photo(model: PhotoCodec) -> ExportedPhoto:
    """All parts of a trained model.

    Raises:
        TrainingError: the entropy networks could leave exact arithmetic.
    """
    layers = integer_layers(model)
    knots = knot_weights(torch.from_numpy(position_of(np.arange(1, 101))))
    guides = [
        table(knots)[:, :, 0, 0].numpy() for table in (*model.synthesis.coarse_guides, *model.synthesis.fine_guides)
    ]
    arrays: dict[str, NDArray[Any]] = {
        "gains": model.gains(knots)[:, :, 0, 0].numpy(),
        "guides": np.concatenate(guides, 1),
        "thresholds": thrifty_thresholds().numpy(),
        "squash": squash_table(),
    }
    for name, tables in (("level", normal_tables()), ("hyper", hyper_tables(model))):
        for part, values in zip(("lowest", "sizes", "frequencies"), pack_tables(tables), strict=True):
            arrays[f"{name}_{part}"] = values
    for name, layer in layers.items():
        for part in ("weight", "shift", "bias"):
            arrays[f"layer.{name}.{part}"] = getattr(layer, part)
    graphs = {
        "analysis": analysis_graph(model), "hyper_analysis": hyper_analysis_graph(model),
        "synthesis": synthesis_graph(model), **exact_graphs(layers),
    }  # fmt: skip
    return ExportedPhoto(graphs, arrays)


def hyper_tables(model: PhotoCodec) -> list[FrequencyTable]:
    """Tables of the hyper-latents, group by group, channel by channel."""
    symbols = torch.arange(-HYPER_LIMIT, HYPER_LIMIT + 1, dtype=torch.float32)
    channels = model.hyper_density.channels
    tables = []
    for group in range(HYPER_GROUPS):
        knots = knot_weights(torch.tensor([(group + 0.5) / HYPER_GROUPS]))
        mass = model.hyper_density(symbols.expand(1, channels, 1, -1), knots)[0, :, 0].double().numpy()
        for row in mass:
            inside = np.flatnonzero((np.cumsum(row) > TABLE_TAIL) & (np.cumsum(row[::-1])[::-1] > TABLE_TAIL))
            low, high = (int(inside[0]), int(inside[-1])) if len(inside) else (HYPER_LIMIT, HYPER_LIMIT)
            escape = max(row.sum() - row[low : high + 1].sum(), 1e-6)
            tables.append(
                FrequencyTable(low - HYPER_LIMIT, integer_frequencies(np.append(row[low : high + 1], escape)))
            )
    return tables


def save(exported: ExportedPhoto, folder: Path) -> None:
    """Into a folder, for `load`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, graph in exported.graphs.items():
        (folder / f"{name}.onnx").write_bytes(graph)
    np.savez_compressed(folder / "arrays.npz", **exported.arrays)  # type: ignore[arg-type]


def load(folder: Path) -> ExportedPhoto:
    """What `save` wrote."""
    with np.load(folder / "arrays.npz") as stored:
        arrays = {name: stored[name] for name in stored.files}
    return ExportedPhoto({path.stem: path.read_bytes() for path in folder.glob("*.onnx")}, arrays)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("folder", type=Path)
    arguments = parser.parse_args()
    save(export_photo(load_average(arguments.checkpoint)), arguments.folder)


if __name__ == "__main__":
    main()
