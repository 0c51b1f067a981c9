"""The exported photo codec: what one engine writes, every other reads."""

from dataclasses import replace

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

torch = pytest.importorskip("torch")

from isthmus.codec import pipeline
from isthmus.codec.hyperprior.coder import HyperpriorCoder
from isthmus.codec.hyperprior.integer_networks import IntegerNetworks
from isthmus.codec.model import Model
from isthmus.container.model_file import parse_model, write_model
from isthmus.entropy.fixed_point import ACTIVATION_LIMIT, COMPANDED_LIMIT, DECODED_LIMIT, SCALES
from isthmus.entropy.hyper_latents import HYPER_LIMIT
from isthmus.entropy.hyperprior import Hyperprior, HyperpriorTables
from isthmus.entropy.passes import PASSES
from isthmus.entropy.reference_networks import ReferenceNetworks
from isthmus.errors import FormatError, TrainingError
from isthmus.learn.export.graph_builder import QUALITY_BIAS, GraphBuilder
from isthmus.learn.hyperprior.export.entropy_graphs import HIGH_UNIT, entropy_graphs_of
from isthmus.learn.hyperprior.export.export import export_codec
from isthmus.learn.hyperprior.export.integer_layers import integer_layers
from isthmus.learn.hyperprior.export.torch_networks import TorchNetworks
from isthmus.learn.hyperprior.export.transform_graphs import hyper_analysis_graph
from isthmus.learn.hyperprior.networks.entropy_model import soft_dead_zone
from isthmus.learn.hyperprior.networks.integer import INT8_LIMIT, WEIGHT_LIMIT, IntegerConvolution
from isthmus.transforms.engine import Engine
from isthmus.transforms.onnx_runtime import OnnxRuntimeGraph
from tests.learn.hyperprior.small_codec import FIRST_GROUP, HYPER, LATENTS, small_calibration, small_codec


@pytest.fixture(scope="module", params=[False, True])
def priors(request) -> tuple[Hyperprior, Hyperprior, Hyperprior, np.ndarray]:
    """(on ONNX Runtime, on the NumPy reference, on PyTorch as trained, thresholds) of one network."""
    network = small_codec()
    calibration = small_calibration(network) if request.param else None
    coder = Model(parse_model(export_codec(network, calibration=calibration), name="small"), Engine(threads=1)).coder
    assert isinstance(coder, HyperpriorCoder)
    prior = coder.prior
    others = [
        Hyperprior(prior.tables, networks, prior.channels, prior.first_group)
        for networks in (ReferenceNetworks(integer_layers(network)), TorchNetworks(network))
    ]
    return prior, *others, prior.tables.thresholds(1.0)


@pytest.fixture(scope="module")
def counted_file() -> bytes:
    """A model file whose tables are fitted to counts."""
    network = small_codec()
    return export_codec(network, calibration=small_calibration(network))


@pytest.mark.parametrize("quality", [1, 37, 100])
@pytest.mark.parametrize("spread", [0.2, 4])
def test_every_engine_writes_and_reads_the_same_bytes(priors, quality: int, spread: float) -> None:
    """Symbols never differ between engines."""
    *engines, thresholds = priors
    steps, hyper = _latents(quality, spread)
    written = {engine.encode(steps, hyper, quality, thresholds) for engine in engines}
    assert len(written) == 1
    read = [engine.decode(*written, (8, 12), quality) for engine in engines]
    for one in read[1:]:
        np.testing.assert_array_equal(one, read[0])


def test_the_hyper_analysis_reads_what_is_nearly_coded():
    """Latents that will be zero count less; the graph says the same as the network."""
    steps = torch.tensor([0.0, 0.4, -0.6, 0.75, -1.5, 7.9])
    expected = torch.tensor([0.0, 0.1, -0.15, 0.9375, -1.125, 7.975])
    torch.testing.assert_close(soft_dead_zone(steps), expected)
    network = small_codec()
    graph = OnnxRuntimeGraph(hyper_analysis_graph(network), name="hyper_analysis")
    latents = 4 * torch.randn(1, network.settings.latents, 8, 12)
    with torch.no_grad():
        read = network.hyper_analysis(latents).numpy()
    np.testing.assert_allclose(graph.run(latents.numpy()), read, rtol=0, atol=1e-2 * np.abs(read).max())


def test_passes_read_the_four_neighbours_that_they_know():
    """Diagonal ones the second, direct ones the third; places without weights are not in the products."""
    layers = integer_layers(small_codec())
    graphs = entropy_graphs_of(layers)
    for name, places in (("second", [[1, 0, 1], [0, 0, 0], [1, 0, 1]]), ("third", [[0, 1, 0], [1, 0, 1], [0, 1, 0]])):
        assert (np.abs(layers[f"{name}_context"].weight).max((0, 1)) > 0).tolist() == np.array(places, bool).tolist()
        initializers = onnx.load_from_string(graphs[f"{name}_pass"]).graph.initializer
        inputs = [one.dims[0] for one in initializers if one.data_type == onnx.TensorProto.INT8]
        assert 4 * FIRST_GROUP in inputs
        assert 9 * FIRST_GROUP not in inputs


def test_a_bias_that_no_float_holds_with_a_half_is_refused():
    """Graphs add it so."""
    network = small_codec()
    network.passes.first_pass.first.bias.table[:, 0] = 2.0**20
    with pytest.raises(TrainingError, match=r"first_pass\.first: a bias"):
        integer_layers(network)


def test_rows_of_biases_alone_are_exported():
    """As they are when training begins: the finest units are those whose halves a float holds."""
    network = small_codec()
    for layer in network.modules():
        if isinstance(layer, IntegerConvolution):
            layer.weight.data[:] = 0
            layer.bias.table.data[:] = torch.linspace(-60, 60, layer.bias.table.shape[1])
    layers = integer_layers(network)
    for name, layer in layers.items():
        assert 2**18 < np.abs(layer.bias.bias).max() < 2**23, name


@pytest.mark.parametrize("quality", [1, 37, 100])
@pytest.mark.parametrize("spread", [0.2, 4])
def test_latents_come_back_within_half_a_step(priors, monkeypatch, quality: int, spread: float) -> None:
    """Rounded to the nearest and with all levels coded; means are in 64ths."""
    prior, *_, thresholds = priors
    monkeypatch.setattr(Hyperprior, "_pays_to_code_all", lambda *_: True)
    steps, hyper = _latents(quality, spread)
    payload = prior.encode(steps, hyper, quality, np.full_like(thresholds, 0.5))
    assert np.abs(prior.decode(payload, (8, 12), quality) / 64 - steps).max() <= 0.5


def _latents(quality: int, spread: float) -> tuple[np.ndarray, np.ndarray]:
    """(steps, one of them an escape, and hyper-latents)."""
    random = np.random.default_rng(quality)
    steps = random.normal(0, spread, (LATENTS, 8, 12)).astype(np.float32)
    steps[0, 0, 0] = 500
    return steps, random.integers(-31, 32, (HYPER, 2, 3)).astype(np.int32)


def test_counted_tables_take_fewer_bytes_for_the_same_symbols(counted_file, monkeypatch):
    """Pictures like those that were counted, at every quality, rounded alike, with the same levels left out."""
    monkeypatch.setattr(Hyperprior, "_pays_to_code_all", lambda *_: False)
    monkeypatch.setattr(HyperpriorTables, "thresholds", lambda *_: np.full((SCALES, 1), 0.5, np.float32))
    plain, counted = (
        Model(parse_model(data, name="small"), Engine(threads=1))
        for data in (export_codec(small_codec()), counted_file)
    )
    pixels = np.random.default_rng(2).integers(0, 256, (16, 16, 3), np.uint8).repeat(12, 0).repeat(12, 1)
    for quality in (1, 50, 100):
        before, after = (model.encode(pixels, quality=quality) for model in (plain, counted))
        assert len(after) < len(before)
        np.testing.assert_array_equal(plain.symbols(before)[0], counted.symbols(after)[0])


def test_any_payload_is_decoded_or_refused(priors):
    """A payload of no encoder, whose checksum fits, still ends in latents within the range, or in one error."""
    prior, *_ = priors
    random = np.random.default_rng(5)
    refused = 0
    for length in [*range(40), *random.integers(40, 4000, 40)]:
        try:
            decoded = prior.decode(random.bytes(int(length)), (8, 12), int(random.integers(1, 101)))
        except FormatError as error:
            refused += 1
            assert "\n" not in str(error)
        else:
            assert decoded.shape == (LATENTS, 8, 12)
            assert np.abs(decoded).max() <= DECODED_LIMIT
    assert refused < 80


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("hyper_thresholds", lambda edges: edges[:, :, 0]),
        ("hyper_table_index", lambda shared: shared + np.uint8(200)),
        ("hyper_offsets", lambda offsets: offsets[:, :-1]),
        ("hyper_frequencies", lambda frequencies: frequencies[:-1]),
        ("hyper_sizes", lambda sizes: sizes[:-1]),
        ("latent_sizes", lambda sizes: sizes[:-64]),
        ("latent_table_index", lambda shared: shared + np.uint8(100)),
        ("latent_table_index", lambda shared: shared[:-1]),
        ("latent_table_index", lambda shared: shared.astype(np.int16)),
    ],
)
def test_tables_that_do_not_belong_together_are_refused(counted_file, name, change):
    """With one line, when the model is loaded."""
    file = parse_model(counted_file, name="small")
    broken = replace(file, arrays={**file.arrays, name: np.ascontiguousarray(change(file.arrays[name]))})
    with pytest.raises(FormatError) as caught:
        Model(parse_model(write_model(broken), name="broken"))
    assert "\n" not in str(caught.value)


def test_exact_products_are_of_small_bytes() -> None:
    """Processors without VNNI add two of them in 16 bits."""
    graphs = entropy_graphs_of(integer_layers(small_codec()))
    initializers = [one for graph in graphs.values() for one in onnx.load_from_string(graph).graph.initializer]
    weights = [numpy_helper.to_array(one) for one in initializers if one.data_type == onnx.TensorProto.INT8]
    largest = max(int(np.abs(weight.astype(int)).max()) for weight in weights)
    assert largest <= INT8_LIMIT
    assert WEIGHT_LIMIT <= HIGH_UNIT // 2 * HIGH_UNIT + HIGH_UNIT // 2 - 1
    assert 2 * ACTIVATION_LIMIT * max(INT8_LIMIT, HIGH_UNIT // 2) < 2**15
    products = {
        name: sum(node.op_type == "MatMul" for node in onnx.load_from_string(graph).graph.node)
        for name, graph in graphs.items()
    }
    # two for each layer, of which a pass has context, first, levels, means; but one for the fourth's first and levels
    assert products == {"hyper_synthesis": 6, "first_pass": 6, "second_pass": 8, "third_pass": 8, "fourth_pass": 6}


def test_the_largest_exact_sums_agree() -> None:
    """Activations, weights and latents as large as they can be, hundreds of one sign in a sum."""
    network = small_codec()
    for layer in network.modules():
        if isinstance(layer, IntegerConvolution):
            layer.weight.fill_(4.0)
            layer.bias.table.zero_()
    layers = integer_layers(network)
    assert max(int(np.abs(layer.weight).max()) for layer in layers.values()) > WEIGHT_LIMIT / 2
    graphs = {name: OnnxRuntimeGraph(data, name=name) for name, data in entropy_graphs_of(layers).items()}
    engine = IntegerNetworks(graphs, {name: layer.bias for name, layer in layers.items()})
    hyper = np.full((HYPER, 2, 3), HYPER_LIMIT, np.int32)
    read = np.full((FIRST_GROUP, 8, 12), COMPANDED_LIMIT, np.float32)
    decoded = np.full((FIRST_GROUP, 8, 12), -DECODED_LIMIT, np.float32)
    passes = [networks.begin(hyper, 50) for networks in (engine, ReferenceNetworks(layers))]
    for one_pass in PASSES:
        made, expected = (one.estimate(one_pass, read, decoded) for one in passes)
        for ours, theirs in zip(made, expected, strict=True):
            np.testing.assert_array_equal(ours, theirs)


def test_a_model_that_codes_too_many_symbols_at_once_is_refused(counted_file) -> None:
    """Their joint table could take any memory."""
    file = parse_model(counted_file, name="small")
    for size in (0, 200):
        groups = np.full_like(file.arrays["latent_symbols_per_step"], size)
        with pytest.raises(FormatError, match="latent_symbols_per_step"):
            Model(replace(file, arrays={**file.arrays, "latent_symbols_per_step": groups}))


def test_a_synthesis_that_makes_no_picture_is_refused(counted_file) -> None:
    """In one line, before its values are taken for pixels."""
    file = parse_model(counted_file, name="small")
    picture = np.zeros((20, 20, 3), np.uint8)
    data = Model(file).encode(picture)
    builder = GraphBuilder("synthesis", {"latents": LATENTS, QUALITY_BIAS: file.arrays["quality_bias"].shape[1]})
    made = builder.node("Add", "latents", builder.channels(QUALITY_BIAS, 0, 1))
    broken = Model(replace(file, graphs={**file.graphs, "synthesis": builder.finish({"pixels": made})}))
    with pytest.raises(FormatError, match="no picture of 64×64"):
        next(iter(broken.coder.decode([pipeline.read_image(data)])))
