"""PyTorch modules to ONNX graphs, held to the modules by running both."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from isthmus.errors import TrainingError
from isthmus.transforms.onnx_runtime import OnnxRuntimeGraph

TOLERANCE = 1e-3  # of the largest output: float32 sums in another order, through a few layers


def export_graph(module: nn.Module, example: NDArray[np.float32], *, name: str, sides: int = 0) -> bytes:
    """The ONNX graph of a module with one input and one output, the batch size left open.

    Args:
        module: in evaluation mode.
        example: (batch, channels, rows, columns) float32 of a usual input.
        name: for messages.
        sides: rows and columns are left open too and are multiples of this; 0 fixes them.

    Raises:
        TrainingError: ONNX Runtime computes something else than PyTorch.
    """
    axes = {0: torch.export.Dim.DYNAMIC}
    if sides:
        axes |= {2: torch.export.Dim.DYNAMIC, 3: torch.export.Dim.DYNAMIC}
        example = np.tile(example[:2], (2, 1, 3, 4))[:3, :, : 3 * sides, : 4 * sides]  # unequal sides
    out = io.BytesIO()
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()), torch.no_grad():
        warnings.simplefilter("ignore")  # the exporter's own deprecations
        program = torch.onnx.export(
            module,
            (torch.from_numpy(example),),
            input_names=["input"],
            output_names=["output"],
            dynamo=True,
            external_data=False,
            dynamic_shapes=(axes,),
            verbose=False,
        )
    if program is None:
        raise TrainingError(f"{name}: PyTorch could not export it to ONNX")
    program.model_proto.doc_string = ""
    proto = program.model_proto
    for node in proto.graph.node:  # where each operator came from, with paths of this machine: nobody needs it later
        del node.metadata_props[:]
        node.doc_string = ""
    del proto.metadata_props[:]
    del proto.graph.metadata_props[:]
    del proto.graph.value_info[:]
    out.write(proto.SerializeToString(deterministic=True))
    data = out.getvalue()
    check_parity(module, data, example, name=name, sides=sides)
    return data


def check_parity(module: nn.Module, graph: bytes, example: NDArray[np.float32], *, name: str, sides: int = 0) -> None:
    """Run both on random inputs of one, two and seven pictures, and of other sizes where those are open.

    Raises:
        TrainingError: they differ by more than `TOLERANCE` of the largest output.
    """
    session = OnnxRuntimeGraph(graph, name=name)
    random = np.random.default_rng(0)
    for batch in (1, 2, 7):
        size = (sides * batch, sides * (batch + 2)) if sides else example.shape[2:]
        shape = (batch, example.shape[1], *size)
        values = random.uniform(example.min(), example.max() + 1e-6, shape).astype(np.float32)
        with torch.no_grad():
            expected = module(torch.from_numpy(values)).numpy()
        difference = float(np.abs(session.run(values) - expected).max())
        if not difference <= TOLERANCE * max(1.0, float(np.abs(expected).max())):
            raise TrainingError(f"{name}: ONNX Runtime differs from PyTorch by {difference:g}")
