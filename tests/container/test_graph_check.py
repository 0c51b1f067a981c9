"""What an ONNX graph may be: exactly what our exporters write, and no more work than its pictures are worth."""

from __future__ import annotations

import zipfile

import numpy as np
import pytest

from isthmus.codec.model import Model
from isthmus.container.graph_check import check_graph
from isthmus.container.model_file import parse_model
from isthmus.errors import FormatError, IsthmusError, LimitError
from isthmus.transforms.onnx_runtime import OnnxRuntimeGraph
from isthmus.zoo.finding import find_by_name
from tests.conftest import GOLDEN, GOLDEN_1
from tests.container.hostile import (
    CONSTANTS,
    INPUT,
    NODES,
    OUTPUT,
    attribute,
    field,
    graph,
    model,
    model_file,
    node,
    tensor,
    value_info,
    varint,
)

FILES = [GOLDEN_1 / "golden.isthmus", GOLDEN / "golden.isthmus", GOLDEN / "golden-hyperprior.isthmus"]
HIDDEN = node("Identity", ["f0"], ["f"])
EXTERNAL = field(1, 6) + field(1, 64) + field(2, 1) + field(8, "w")


def load(data: bytes) -> Model:
    """A model with this synthesis."""
    return Model(parse_model(model_file(data), name="hostile"))


def test_the_graph_that_the_others_are_made_of_is_one():
    """What is refused below is refused for what is said there."""
    pictures = load(model()).pictures_of(np.ones((2, 6, 1, 1), np.float32))
    np.testing.assert_allclose(pictures, 0.6, rtol=1e-6)


@pytest.mark.parametrize("path", [*FILES, find_by_name("photo")], ids=lambda path: path.name)
def test_shapes_are_those_that_the_engine_makes(path):
    """Of every graph of the golden and shipped models, for two sizes: so work is that which an engine has."""
    with zipfile.ZipFile(path) as archive:
        graphs = {name: archive.read(name) for name in archive.namelist() if name.endswith(".onnx")}
    random = np.random.default_rng(0)
    for name, data in graphs.items():
        checked = check_graph(name, data)
        engine = OnnxRuntimeGraph(data, name=name, threads=1)
        for side in (16, 32):
            feed = {}
            for key, (element, sides) in checked.outline.inputs.items():
                shape = tuple(want or (2 if at == 0 else side) for at, want in enumerate(sides))
                feed[key] = random.random(shape, np.float32) if element == 1 else random.integers(0, 9, shape, np.uint8)
            work = checked.work({key: value.shape for key, value in feed.items()})
            assert [one.shape for one in engine.run_named(feed)] == list(work.outputs)


UNUSUAL = {
    "a tag with bits above 32": field(1, 10)
    + field(7, graph([node("Reshape", ["input", "s"], ["f0"]), *NODES[1:]]).replace(field(2, "g"), b""), high_bits=1),
    "a hidden node behind such tags": model(
        graph([node("Reshape", ["input", "s"], ["f0"]), NODES[1], NODES[2] + field(4, "Loop", high_bits=1)])
    ),
    "a number in a longer form": field(1, 10, longer=1) + model()[2:],
    "a length in a longer form": field(1, 10) + field(7, graph(), longer=2) + field(8, field(2, 20)),
    "a tag in a longer form": b"\x88\x00\x0a" + model()[2:],
    "a number of 70 bits": b"\x08" + b"\xff" * 9 + b"\x7f" + model()[2:],
    "a group": model(behind=varint(9 << 3 | 3) + varint(9 << 3 | 4)),
    "a field of eight bytes": model(behind=varint(30 << 3 | 1) + bytes(8)),
    "an unknown field": model(behind=field(30, b"")),
    "two graphs": field(1, 10) + field(7, graph()) + field(7, graph()) + field(8, field(2, 20)),
    "fields out of order": field(7, graph()) + field(1, 10) + field(8, field(2, 20)),
    "a field of another type": field(1, b"\x0a") + model()[2:],
    "functions": model(behind=field(25, field(1, "f"))),
    "training": model(behind=field(20, b"")),
    "metadata": model(behind=field(14, field(1, "k") + field(2, "v"))),
    "another domain's operators": field(1, 10)
    + field(7, graph())
    + field(8, field(2, 20))
    + field(8, field(1, "com.microsoft") + field(2, 1)),
    "another set of operators": model(operators=21),
    "another version": model(version=9),
    "no version": model()[2:],
    "sparse initializers": model(graph(behind=field(15, field(1, EXTERNAL)))),
    "annotations": model(graph(behind=field(14, field(1, "w")))),
    "types of values": model(graph(behind=field(13, INPUT))),
    "external data": model(graph(constants=[CONSTANTS[0], EXTERNAL + field(13, field(1, "location")), CONSTANTS[2]])),
    "a place of data": model(graph(constants=[CONSTANTS[0], EXTERNAL + field(14, 1), CONSTANTS[2]])),
    "no data": model(graph(constants=[CONSTANTS[0], EXTERNAL, CONSTANTS[2]])),
    "data of another length": model(
        graph(constants=[*CONSTANTS[:2], tensor("s2", np.ones(5, np.int64), dims=field(1, 4))])
    ),
    "numbers beside the data": model(
        graph(constants=[*CONSTANTS[:2], field(1, 4) + field(2, 7) + field(7, bytes(4)) + field(8, "s2")])
    ),
    "texts": model(graph(constants=[*CONSTANTS[:2], field(2, 8) + field(6, b"text") + field(8, "s2")])),
    "sparse weights": model(
        graph([field(2, "w") + field(4, "Constant") + field(5, field(1, "sparse_value") + field(22, b"")), *NODES])
    ),
    "a graph within": model(graph([NODES[0], NODES[1] + field(5, field(1, "body") + field(6, graph())), NODES[2]])),
    "graphs within": model(graph([NODES[0], NODES[1] + field(5, field(1, "x") + field(11, graph())), NODES[2]])),
    "a tensor within": model(graph([NODES[0], NODES[1] + field(5, field(1, "value") + field(5, EXTERNAL)), NODES[2]])),
    "a reference": model(graph([NODES[0], NODES[1] + field(5, field(1, "alpha") + field(21, "x")), NODES[2]])),
    "a domain": model(graph([NODES[0] + field(7, "ai.onnx.ml"), *NODES[1:]])),
    "a text": model(graph([NODES[0] + field(6, "hello"), *NODES[1:]])),
    "a name that is no text": model(graph([NODES[0].replace(b"f", b"\xff"), *NODES[1:]])),
    "an endless name": model(graph([node("Reshape", ["input", "s"], ["f" * 2000]), *NODES[1:]])),
    "nothing": b"",
    "another serialisation": b"\x18\x00\x00\x00ORTM" + bytes(64),
    "text": b"ir_version: 10",
    "no output": field(1, 10) + field(7, graph().replace(field(12, OUTPUT), b"")) + field(8, field(2, 20)),
    "an input of texts": model(graph().replace(field(11, INPUT), field(11, value_info("input", 8, [None, 6, 1, 1])))),
    "an input of no size": model(graph().replace(field(11, INPUT), field(11, field(1, "input")))),
    "an end within": model()[:-1],
}


@pytest.mark.parametrize("name", UNUSUAL)
def test_what_exporters_never_write_is_refused(name):
    """Every form that another parser might read otherwise, and every field that reaches beyond the graph."""
    with pytest.raises(FormatError) as caught:
        load(UNUSUAL[name])
    assert not isinstance(caught.value, LimitError)
    assert "\n" not in str(caught.value)


def conv(**attributes):
    """A graph whose latents go through a convolution."""
    known = {"kernel_shape": [1, 1], "strides": [1, 1], "pads": [0] * 4, "dilations": [1, 1], "group": 1} | attributes
    nodes = [node("Conv", ["input", "k"], ["c"], **known), node("Reshape", ["c", "s"], ["f"]), *NODES[1:]]
    return model(graph(nodes, [*CONSTANTS, tensor("k", np.ones((6, 6, 1, 1), np.float32))]))


def between(*nodes, constants=()):
    """A graph with nodes from `f` to `g` between its own."""
    rest = [node("Gemm", ["g", "w"], ["q"]), NODES[2]]
    return model(graph([NODES[0], *nodes, *rest], [*CONSTANTS, *constants]))


INTS = tensor("i", np.array([0, 6]))
STRANGE = {
    "a Loop": between(node("Loop", ["f", "i"], ["g"]), constants=[INTS]),
    "an If": between(node("If", ["f"], ["g"])),
    "a constant node": between(node("Constant", [], ["x"], value_int=3), node("Identity", ["f"], ["g"])),
    "an operator of another domain": between(node("com.microsoft.Gelu", ["f"], ["g"])),
    "an attribute that it does not have": between(node("Relu", ["f"], ["g"], alpha=1.0)),
    "an attribute of another type": between(node("LeakyRelu", ["f"], ["g"], alpha=1)),
    "an attribute that is no number": between(node("LeakyRelu", ["f"], ["g"], alpha=float("nan"))),
    "an attribute twice": between(
        node("LeakyRelu", ["f"], ["g"], alpha=0.1) + field(5, attribute("alpha", 0.2)), constants=[]
    ),
    "no attribute where one is needed": between(node("Cast", ["f"], ["g"])),
    "an input too many": between(node("Relu", ["f", "f"], ["g"])),
    "an output too many": between(node("Relu", ["f"], ["g", "h"])),
    "an input left out": between(node("Add", ["f", ""], ["g"])),
    "a value that nobody makes": between(node("Add", ["f", "later"], ["g"])),
    "a value used before it is made": between(node("Relu", ["h"], ["g"]), node("Relu", ["f"], ["h"])),
    "a value made twice": between(node("Relu", ["f"], ["f"]), node("Relu", ["f"], ["g"])),
    "a value of an input's name": between(node("Relu", ["f"], ["input"]), node("Relu", ["f"], ["g"])),
    "a value that nothing uses": between(node("Relu", ["f"], ["unused"]), node("Relu", ["f"], ["g"])),
    "a constant that nothing uses": between(
        node("Relu", ["f"], ["g"]), constants=[tensor("u", np.zeros(3, np.float32))]
    ),
    "two constants of one name": between(node("Relu", ["f"], ["g"]), constants=[CONSTANTS[0]]),
    "strides of zero": conv(strides=[0, 1]),
    "negative paddings": conv(pads=[-1, 0, 0, 0]),
    "dilations": conv(dilations=[2, 2]),
    "no groups": conv(group=0),
    "groups that do not divide": conv(group=5),
    "a kernel that is another": conv(kernel_shape=[2, 2]),
    "padding by size": conv(auto_pad="SAME_UPPER"),
    "a shape out of the picture": between(node("Cast", ["f"], ["d"], to=7), node("Reshape", ["f", "d"], ["g"])),
    "whole numbers divided": between(
        node("Cast", ["f"], ["d"], to=7), node("Div", ["d", "d"], ["e"]), node("Cast", ["e"], ["g"], to=1)
    ),
    "a shape divided by zero": between(
        node("Shape", ["f"], ["d"]),
        node("Div", ["d", "i"], ["e"]),
        node("Reshape", ["f", "e"], ["g"]),
        constants=[INTS],
    ),
    "places outside": between(
        node("Gather", ["f", "p"], ["g"], axis=1), constants=[tensor("p", np.array([0, 1, 2, 3, 4, 6]))]
    ),
    "an axis outside": between(node("Concat", ["f", "f"], ["g"], axis=2)),
    "an order that is none": between(node("Transpose", ["f"], ["g"], perm=[1, 1])),
    "a shape that does not fit": between(
        node("Reshape", ["f", "r"], ["g"]), constants=[tensor("r", np.array([7, -1]))]
    ),
    "two open sides": between(node("Reshape", ["f", "r"], ["g"]), constants=[tensor("r", np.array([-1, -1]))]),
    "steps of zero": between(
        node("Slice", ["f", "z", "o", "o", "z"], ["g"]),
        constants=[tensor("z", np.array([0])), tensor("o", np.array([1]))],
    ),
    "parts that do not add up": between(
        node("Split", ["f", "p"], ["a", "b"], axis=1),
        node("Concat", ["a", "b"], ["g"], axis=1),
        constants=[tensor("p", np.array([5, 5]))],
    ),
    "shapes that do not go together": between(
        node("Add", ["f", "a"], ["g"]), constants=[tensor("a", np.zeros(5, np.float32))]
    ),
    "bytes added up": between(
        node("Cast", ["f"], ["d"], to=2), node("Add", ["d", "d"], ["e"]), node("Cast", ["e"], ["g"], to=1)
    ),
    "sizes from factors of nothing": between(
        node("Resize", ["f", "", "z"], ["g"], mode="nearest"), constants=[tensor("z", np.array([1, 0], np.float32))]
    ),
}


@pytest.mark.parametrize("name", STRANGE)
def test_operators_are_held_to_what_exporters_use(name):
    """Names, inputs, attributes and shapes: nothing reaches an engine that it has to survive."""
    with pytest.raises(FormatError) as caught:
        load(STRANGE[name])
    assert "\n" not in str(caught.value)


BIG = np.array([4096, 4096])
HEAVY = {
    "20,000 nodes": between(
        *(node("Relu", [f"r{at}" if at else "f"], [f"r{at + 1}"]) for at in range(20_000)),
        node("Relu", ["r20000"], ["g"]),
    ),
    "constants without end": between(
        node("Concat", ["f"], ["g"], axis=1),
        constants=[tensor(f"t{at}", np.zeros(1, np.float32)) for at in range(3000)],
    ),
    "fields without end": model(
        graph([NODES[0].replace(field(4, "Reshape"), field(2, "x") * 200_000 + field(4, "Reshape"))])
    ),
    "products of constants": between(
        node("Expand", ["one", "big"], ["m"]),
        node("MatMul", ["m", "m"], ["n"]),
        node("MatMul", ["n", "m"], ["o"]),
        node("Slice", ["o", "z", "t", "a"], ["p"]),
        node("Add", ["f", "p"], ["g"]),
        constants=[
            tensor("one", np.ones((1, 1), np.float32)),
            tensor("big", BIG),
            tensor("z", np.array([0, 0])),
            tensor("t", np.array([1, 6])),
            tensor("a", np.array([0, 1])),
        ],
    ),
    "a constant without end": between(
        node("Expand", ["f", "big"], ["m"]),
        node("Slice", ["m", "z", "t"], ["g"]),
        constants=[
            tensor("big", np.array([1 << 20, 1 << 20, 1, 6])),
            tensor("z", np.array([0])),
            tensor("t", np.array([1])),
        ],
    ),
}


@pytest.mark.parametrize("name", HEAVY)
def test_work_out_of_proportion_is_a_limit_error(name):
    """Nodes, constants, fields, and products and numbers of what an engine computes when it loads a graph."""
    with pytest.raises(LimitError):
        load(HEAVY[name])


@pytest.mark.parametrize("rows", [1 << 11, 1 << 14])
def test_work_that_a_small_picture_does_not_need_is_a_limit_error(rows):
    """Each latent is repeated, and all repetitions are multiplied with one another: for a picture of 64 pixels."""
    nodes = [
        NODES[0], node("Unsqueeze", ["f", "last"], ["u"]), node("Expand", ["u", "wide"], ["e"]),
        node("Reshape", ["e", "flat"], ["m"]), node("Transpose", ["m"], ["t"], perm=[1, 0]),
        node("MatMul", ["m", "t"], ["p"]), node("Slice", ["p", "zero", "six", "one"], ["c"]),
        node("Slice", ["c", "zero", "one"], ["g"]), node("Gemm", ["g", "w"], ["q"]), NODES[2],
    ]  # fmt: skip
    constants = [
        *CONSTANTS, tensor("last", np.array([2])), tensor("wide", np.array([1, 6, rows])),
        tensor("flat", np.array([rows, -1])), tensor("zero", np.array([0])), tensor("six", np.array([6])),
        tensor("one", np.array([1])),
    ]  # fmt: skip
    data = model(graph(nodes, constants))
    if rows == 1 << 11:
        load(data).pictures_of(np.ones((1, 6, 1, 1), np.float32))
        return
    with pytest.raises(LimitError, match="asks for"):
        load(data)


def test_work_is_looked_at_again_for_each_size():
    """A graph that is harmless for one picture and grows with the square of the batch is stopped when it is run."""
    nodes = [
        NODES[0], node("Transpose", ["f"], ["t"], perm=[1, 0]), node("MatMul", ["f", "t"], ["p"]),
        node("MatMul", ["p", "p"], ["r"]), node("MatMul", ["r", "f"], ["g"]), node("Gemm", ["g", "w"], ["q"]), NODES[2],
    ]  # fmt: skip
    loaded = load(model(graph(nodes)))
    assert loaded.pictures_of(np.ones((1, 6, 1, 1), np.float32)).shape == (1, 8, 8, 1)
    with pytest.raises(LimitError, match="products for"):
        loaded.coder.synthesis.run(np.ones((30_000, 6, 1, 1), np.float32))


def test_random_bytes_in_a_graph_are_an_error_or_a_graph():
    """Ten thousand graphs with a few bytes changed: no exception but ours, whatever the bytes."""
    original = model()
    random = np.random.default_rng(5)
    passed = 0
    for _ in range(10_000):
        data = bytearray(original)
        for _ in range(random.integers(1, 4)):
            data[random.integers(len(data))] = random.integers(256)
        try:
            check_graph("damaged", bytes(data))
        except IsthmusError as error:
            assert "\n" not in str(error)
            continue
        passed += 1
    assert 0 < passed < 8000  # weights and names may be any
