"""A trained autoencoder to a checked .isthmus file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from isthmus.codec.model import Model
from isthmus.container.model_file import ModelFile, parse_model, write_model
from isthmus.errors import TrainingError
from isthmus.learn.export.coding import MAX_CODES, fit_prior, fit_steps, whole_steps
from isthmus.learn.export.graphs import export_graph
from isthmus.learn.export.weight_rounding import round_weights
from isthmus.learn.models.autoencoder import Autoencoder
from isthmus.learn.recipes.settings import CodingSettings
from isthmus.sources.picture_set import PictureSet
from isthmus.transforms.onnx_runtime import OnnxRuntimeGraph

KIND = "factorized"
_CHUNK_VALUES = 1 << 23  # numbers of a picture or of its code that go through a graph at once


class _Synthesis(nn.Module):
    """Latents to pictures, the output's activation included, as the graph has it."""

    def __init__(self, model: Autoencoder) -> None:
        super().__init__()
        self.synthesis, self.output = model.synthesis, model.output

    def forward(self, latents: Tensor) -> Tensor:
        values: Tensor = self.output(self.synthesis(latents))
        return values


def export_model(
    model: Autoencoder,
    pictures: PictureSet,
    settings: CodingSettings,
    *,
    name: str,
    facts: Mapping[str, Any],
    in_steps: bool = False,
) -> bytes:
    """The bytes of a model file, checked by a round trip through them.

    Args:
        model: trained, on the CPU, in evaluation mode; its weights are rounded where the settings say so.
        pictures: training pictures; steps and tables are fitted on their codes.
        settings: default quality and what it may cost.
        name: the model's name.
        facts: licence, recipe and whatever else the manifest shall say.
        in_steps: the network learnt codes to be rounded to whole numbers: at the default quality that is done.

    Raises:
        TrainingError: ONNX Runtime computes something else than PyTorch, or the round trip fails.
    """
    round_weights(model, settings.weight_bits)
    values = _values(pictures.pictures[:MAX_CODES])
    with torch.no_grad():
        example = model.analysis(torch.from_numpy(values[:4])).numpy()
    graphs = {
        "analysis": export_graph(model.analysis, values[:4], name="analysis", sides=model.latents.stride),
        "synthesis": export_graph(_Synthesis(model), example, name="synthesis", sides=min(1, model.latents.stride)),
    }
    analysis, synthesis = (OnnxRuntimeGraph(graphs[part], name=part) for part in ("analysis", "synthesis"))
    latents = np.concatenate([analysis.run(chunk) for chunk in _chunks(values)])
    if not np.isfinite(latents).all():
        raise TrainingError("the trained model's codes are not finite numbers")

    def synthesise(codes: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.concatenate([synthesis.run(chunk) for chunk in _chunks(codes)])

    steps = whole_steps(latents.shape[1], settings) if in_steps else fit_steps(values, latents, synthesise, settings)
    prior = fit_prior(latents, steps)
    data = write_model(
        ModelFile(
            name=name,
            kind=KIND,
            picture=model.picture,
            latents=model.latents,
            default_quality=settings.default_quality,
            graphs=graphs,
            arrays={"steps": steps, **prior.to_arrays()},
            facts=facts,
        )
    )
    _check_round_trip(Model(parse_model(data, name=name)), pictures.pictures[:4])
    return data


def _check_round_trip(model: Model, pictures: NDArray[np.uint8]) -> None:
    """Encode and decode real and random pictures with the file that was just made.

    Raises:
        TrainingError: what comes back is not what the synthesis makes of the quantised codes.
    """
    noise = np.random.default_rng(0).integers(0, 256, pictures.shape, np.uint8)
    sources = np.concatenate([pictures, noise])
    latents = model.latents(sources)
    for quality in (1, model.file.default_quality, 100):
        steps = model.file.arrays["steps"][quality - 1][:, None, None]
        expected = model.pictures_of((np.rint(latents / steps) * steps).astype(np.float32)) * 255
        decoded = model.decode_batch(model.encode_batch(list(sources), quality=quality))
        for one, wanted in zip(decoded, expected, strict=True):
            if one.squeeze().shape != wanted.squeeze().shape or np.abs(one.squeeze() - wanted.squeeze()).max() > 1:
                raise TrainingError(f"what the exported model decodes at quality {quality} is not what it encoded")


def _values(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(count, channels, rows, columns) float32 in [0, 1]."""
    return np.ascontiguousarray(pictures.transpose(0, 3, 1, 2), dtype=np.float32) / np.float32(255)


def _chunks(values: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
    step = max(1, min(1000, _CHUNK_VALUES // (16 * max(1, values[0].size))))
    for start in range(0, len(values), step):
        yield values[start : start + step]
