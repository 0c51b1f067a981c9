"""A trained and calibrated codec to a checked .isthmus file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from isthmus.codec.hyperprior.integer_networks import probe
from isthmus.codec.hyperprior.layout import BLOCK, KIND
from isthmus.codec.model import Model
from isthmus.container.model_file import ModelFile, parse_model, write_model
from isthmus.entropy.fixed_point import companding_table
from isthmus.entropy.reference_networks import IntegerLayer, ReferenceNetworks
from isthmus.entropy.table_coder import symbols_per_step
from isthmus.entropy.tables import pack_tables
from isthmus.errors import TrainingError
from isthmus.learn.hyperprior.calibration.calibration import Calibration, SymbolStatistics
from isthmus.learn.hyperprior.calibration.hyper_latent_tables import hyper_tables
from isthmus.learn.hyperprior.calibration.latent_tables import latent_tables
from isthmus.learn.hyperprior.export.entropy_graphs import entropy_graphs_of
from isthmus.learn.hyperprior.export.integer_layers import integer_layers
from isthmus.learn.hyperprior.export.transform_graphs import analysis_graph, hyper_analysis_graph, synthesis_graph
from isthmus.learn.hyperprior.networks.codec import CodecSettings, HyperpriorCodec
from isthmus.learn.hyperprior.networks.folding import fold_for_export
from isthmus.learn.hyperprior.networks.quality import knot_weights, position_of
from isthmus.values import LatentSpec, PictureSpec

DEFAULT_QUALITY = 60


def export_codec(
    model: HyperpriorCodec,
    *,
    calibration: Calibration | None = None,
    name: str = "photo",
    facts: Mapping[str, Any] | None = None,
    decodes: Sequence[bytes] = (),
    codes_padding: bool = True,
) -> bytes:
    """The bytes of a model file.

    Args:
        model: trained, in evaluation mode.
        calibration: of these weights; None: blocks compute in floats, and tables are what training assumed.
        name: what people will call it.
        facts: licence, recipe and figures for the manifest.
        decodes: ids of earlier models whose pictures this one decodes to the same pixels.
        codes_padding: whether pictures are padded to whole hyper-latents; else to whole latents, as small ones want it.

    Raises:
        TrainingError: the entropy networks could leave exact arithmetic, or the engine differs from the reference.
    """
    model = fold_for_export(model)
    layers, blocks = integer_layers(model), {} if calibration is None else calibration.blocks
    graphs = {
        "analysis": analysis_graph(model, blocks),
        "hyper_analysis": hyper_analysis_graph(model),
        "synthesis": synthesis_graph(model, blocks),
        **entropy_graphs_of(layers),
    }
    data = write_model(
        ModelFile(
            name=name,
            kind=KIND,
            picture=PictureSpec(3, None, None),
            latents=LatentSpec(model.settings.latents, BLOCK),
            default_quality=DEFAULT_QUALITY,
            graphs=graphs,
            arrays={
                **_arrays(model, layers),
                **tables_of(model, None if calibration is None else calibration.symbols),
                **_quality_map(calibration),
                **({} if codes_padding else {"grid_unit": np.array([BLOCK], np.int32)}),
            },
            facts=facts or {},
            decodes=tuple(decodes),
        )
    )
    check_round_trip(Model(parse_model(data, name=name)))
    return data


@torch.no_grad()
def _arrays(model: HyperpriorCodec, layers: Mapping[str, IntegerLayer]) -> dict[str, NDArray[Any]]:
    """Everything beside the graphs, by the names of docs/format.md."""
    knots = knot_weights(torch.from_numpy(position_of(np.arange(1, 101))))
    quality_biases = [
        table(knots)[:, :, 0, 0].numpy()
        for table in (*model.synthesis.coarse_quality_biases, model.synthesis.detail_quality_bias)
    ]
    settings, companding = model.settings, companding_table()
    gains = model.gains(knots)[:, :, 0, 0].numpy()
    if np.any(np.diff(gains, axis=0) < 0):  # a finer step at every quality, so that bytes and PSNR do not fall
        gains = np.maximum.accumulate(gains, axis=0)
    sizes = {"first_group": settings.prior.first_group, "hyper": settings.prior.hyper_latents}
    analysis_margin, synthesis_margin = margins(settings)
    arrays: dict[str, NDArray[Any]] = {
        "gains": gains.astype(np.float32),
        "quality_bias": np.concatenate(quality_biases, 1).astype(np.float32),
        "companding": companding,
        "layout": np.array([*sizes.values(), synthesis_margin], np.int32),
        "analysis_margin": np.array([analysis_margin], np.int32),
        "probe": np.frombuffer(probe(ReferenceNetworks(layers), companding, **sizes).to_bytes(4, "little"), np.uint8),
    }
    for name, layer in layers.items():
        arrays[f"layer.{name}.shift"] = layer.bias.shift
        arrays[f"layer.{name}.bias"] = layer.bias.bias
    return arrays


def _quality_map(calibration: Calibration | None) -> dict[str, NDArray[Any]]:
    if calibration is None or calibration.quality_map is None:
        return {}
    return {"quality_map": calibration.quality_map.numpy()}


def tables_of(model: HyperpriorCodec, symbols: SymbolStatistics | None) -> dict[str, NDArray[Any]]:
    """The frequency tables, and what has which of them, by the names of docs/format.md."""
    latent, latent_index = latent_tables(None if symbols is None else symbols.counts.cpu().numpy())
    hyper, contexts = hyper_tables(model.hyper_density, symbols)
    arrays = {"latent_table_index": latent_index, "latent_symbols_per_step": symbols_per_step(latent), **contexts}
    for name, tables in (("latent", latent), ("hyper", hyper)):
        lowest, counts, frequencies = pack_tables(tables)
        arrays |= {f"{name}_lowest": lowest, f"{name}_sizes": counts, f"{name}_frequencies": frequencies}
    return arrays


def margins(settings: CodecSettings) -> tuple[int, int]:
    """How far the transforms look beyond a window: (pixels of the analysis, latent positions of the synthesis)."""
    analysis = 8 * len(settings.analysis_fine) + BLOCK * len(settings.analysis_coarse)
    synthesis = 8 * 2 + BLOCK * len(settings.synthesis_coarse)  # the detail has two 3x3 layers at 1/8
    return -(-analysis // 64) * 64, -(-synthesis // BLOCK)


def check_round_trip(model: Model) -> None:
    """Encode and decode noise and a ramp with the file that was just made; loading has tried the integer networks.

    Raises:
        TrainingError: what comes back is another size.
    """
    random = np.random.default_rng(0)
    ramp = np.tile(np.arange(96, dtype=np.uint8)[:, None, None], (1, 70, 3))
    for picture in (random.integers(0, 256, (65, 130, 3), np.uint8), ramp):
        for quality in (1, DEFAULT_QUALITY, 100):
            if model.decode(model.encode(picture, quality=quality)).shape != picture.shape:
                raise TrainingError("the exported model does not give back the pictures' size")
