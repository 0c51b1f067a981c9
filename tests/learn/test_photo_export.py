"""The exported photo codec: what one engine writes, every other reads."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from isthmus.codec.model import Model
from isthmus.codec.photo_coder import PhotoCoder
from isthmus.container.model_file import parse_model
from isthmus.entropy.exact import ReferenceNetworks
from isthmus.entropy.hyperprior import Hyperprior
from isthmus.learn.export.photo import export_photo
from isthmus.learn.export.photo_layers import integer_layers
from isthmus.learn.models.quality import knot_weights, position_of
from isthmus.transforms.engine import Engine
from tests.small_photo import HYPER, LATENTS, small_photo_codec


@pytest.fixture(scope="module")
def priors() -> tuple[Hyperprior, Hyperprior, np.ndarray]:
    """(on ONNX Runtime, on the NumPy reference, thresholds) of one network."""
    network = small_photo_codec()
    coder = Model(parse_model(export_photo(network), name="small"), Engine(threads=1)).coder
    assert isinstance(coder, PhotoCoder)
    prior = coder.prior
    reference = ReferenceNetworks(integer_layers(network))
    return (
        prior,
        Hyperprior(prior.tables, reference, prior.channels, prior.strong, prior.hyper_channels),
        coder._thresholds,
    )


@pytest.mark.parametrize("quality", [1, 37, 100])
def test_reference_and_onnx_runtime_write_and_read_the_same_bytes(priors, quality: int) -> None:
    """Symbols never differ between engines."""
    *engines, thresholds = priors
    random = np.random.default_rng(quality)
    steps = random.normal(0, 4, (LATENTS, 8, 12)).astype(np.float32)
    steps[0, 0, 0] = 500  # escapes
    hyper = random.integers(-31, 32, (HYPER, 2, 3)).astype(np.int32)
    written = [engine.encode(steps, hyper, quality, thresholds) for engine in engines]
    assert written[0].payload == written[1].payload
    for engine in engines:
        np.testing.assert_array_equal(engine.decode(written[0].payload, (8, 12), quality), written[0].decoded)


def test_pytorch_chooses_the_same_levels_and_means(priors) -> None:
    """The network as trained, run in integers, knows the decoded latents that the file holds."""
    network = small_photo_codec()
    prior, _, thresholds = priors
    random = np.random.default_rng(5)
    steps = random.normal(0, 3, (LATENTS, 8, 8)).astype(np.float32)
    hyper = random.integers(-31, 32, (HYPER, 2, 2)).astype(np.int32)
    for quality in (1, 50, 100):
        encoded = prior.encode(steps, hyper, quality, thresholds)
        knots = knot_weights(torch.from_numpy(position_of(np.array([quality]))))
        with torch.no_grad():
            estimate = network.estimate(
                torch.from_numpy(hyper[None].astype(np.float32)),
                torch.from_numpy(steps[None]),
                knots,
                quantise=True,
                thresholds=torch.from_numpy(thresholds.copy()),
            )
        np.testing.assert_array_equal(np.rint(estimate.decoded[0].numpy() * 64), encoded.decoded)
