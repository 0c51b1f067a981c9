"""The exported photo codec: what an encoder writes, every engine reads."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from isthmus.codec.exact_networks import OnnxRuntimeNetworks
from isthmus.entropy import hyperprior
from isthmus.entropy.exact import ReferenceNetworks
from isthmus.learn.export.photo import ExportedPhoto, export_photo
from isthmus.learn.models.photo_codec import PhotoCodec, PhotoSettings
from isthmus.learn.models.photo_prior import PriorSettings
from isthmus.learn.models.photo_transforms import TransformStart

LATENTS, STRONG, HYPER = 24, 8, 6


@pytest.fixture(scope="module")
def exported() -> ExportedPhoto:
    torch.manual_seed(3)
    start = TransformStart(np.ones(192), np.ones(LATENTS), np.arange(LATENTS))
    prior = PriorSettings(
        strong=STRONG, hyper_latents=HYPER, hyper_hidden=8, features=12, contexts=(8, 8, 8), hidden=(16, 16, 16, 16)
    )
    settings = PhotoSettings(LATENTS, (4,), (4,), (4,), (4,), prior)
    model = PhotoCodec(settings, start).eval().requires_grad_(False)
    for network in (
        model.passes.first_pass,
        model.passes.second_pass,
        model.passes.third_pass,
        model.passes.fourth_pass,
    ):
        network.last.weight.mul_(20)  # an untrained network would choose hardly more than one level
    return export_photo(model)


@pytest.mark.parametrize("quality", [1, 37, 100])
def test_reference_and_onnx_runtime_write_and_read_the_same_bytes(exported: ExportedPhoto, quality: int) -> None:
    """Symbols never differ between engines."""
    random = np.random.default_rng(quality)
    steps = random.normal(0, 4, (LATENTS, 8, 12)).astype(np.float32)
    steps[0, 0, 0] = 500  # escapes
    hyper = random.integers(-31, 32, (HYPER, 2, 3)).astype(np.int32)
    tables, thresholds = exported.tables(), exported.arrays["thresholds"]
    reference = ReferenceNetworks(exported.layers())
    onnx = OnnxRuntimeNetworks(exported.graphs, exported.layers())
    written = [
        hyperprior.encode(steps, hyper, quality, tables=tables, networks=networks, thresholds=thresholds, strong=STRONG)
        for networks in (reference, onnx)
    ]
    assert written[0].payload == written[1].payload
    for networks in (reference, onnx):
        decoded = hyperprior.decode(
            written[0].payload, (8, 12), LATENTS, HYPER, quality, tables=tables, networks=networks, strong=STRONG
        )
        np.testing.assert_array_equal(decoded, written[0].decoded)
