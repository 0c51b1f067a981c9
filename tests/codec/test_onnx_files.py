"""A model's networks are of use without Isthmus: as ONNX files with a page of what goes in and comes out."""

from __future__ import annotations

import re
import subprocess
import sys

import numpy as np
import pytest

from isthmus.codec.model import load_model
from isthmus.codec.onnx_files import PAGE, export_onnx
from isthmus.errors import OutputError


def test_latents_decode_with_plain_onnx_runtime(golden_model, pictures, tmp_path):
    """Symbols of a .isth file, times the steps, through the graph: the pixels that Isthmus decodes."""
    import onnxruntime

    export_onnx(golden_model.file, tmp_path)
    data = golden_model.encode(pictures[0], quality=60)
    steps = np.load(tmp_path / "steps.npy")[60 - 1]
    latents = golden_model.symbols(data)[0][None] * steps[:, None, None]
    synthesis = onnxruntime.InferenceSession(str(tmp_path / "synthesis.onnx"))
    (values,) = synthesis.run(None, {synthesis.get_inputs()[0].name: latents.astype(np.float32)})
    pixels = np.rint(values.clip(0, 1) * 255).astype(np.uint8)
    assert np.array_equal(pixels[0, 0], golden_model.decode(data))


def test_the_example_on_the_page_runs_as_printed(golden_model, tmp_path):
    """In a fresh process, in the folder, without Isthmus."""
    export_onnx(golden_model.file, tmp_path)
    page = (tmp_path / PAGE).read_text()
    (code,) = re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)
    done = subprocess.run(
        [sys.executable, "-I", "-c", code + "print(pixels.shape)"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "(1, 1, 8, 8)"


def test_every_graph_is_written_and_named_on_the_page(tmp_path):
    """Of the photo codec too; a second export wants to be told to replace the first."""
    model = load_model("photo").file
    paths = export_onnx(model, tmp_path)
    page = (tmp_path / PAGE).read_text()
    for name, data in model.graphs.items():
        assert (tmp_path / f"{name}.onnx").read_bytes() == data
        assert f"| `{name}.onnx` | in |" in page
    assert paths[-1] == tmp_path / PAGE
    with pytest.raises(OutputError, match="--force"):
        export_onnx(model, tmp_path)
