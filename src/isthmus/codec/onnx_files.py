"""A model's graphs as plain ONNX files for other programs, with a page that says what goes in and what comes out."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from isthmus.codec.factorised_coder import KIND as FACTORISED
from isthmus.codec.photo_denoiser import KIND as DENOISER
from isthmus.container.atomic import exists_already, write_file
from isthmus.container.model_file import ModelFile
from isthmus.errors import OutputError
from isthmus.transforms.onnx_runtime import open_session

PAGE = "README.md"
STEPS = "steps.npy"
_WHAT = {
    "analysis": "Pictures to latents. Pictures are float32, values in [0, 1], of a model that fixes no size with sides "
    "that are multiples of the latents' stride.",
    "synthesis": "Latents to pictures: float32 around [0, 1]; clip, and multiply by 255.",
}
_WHAT_OF_PHOTO = {
    "analysis": "Pictures in pieces with margins to latents.",
    "hyper_analysis": "Latents to hyper-latents.",
    "synthesis": "Decoded latents, in units of the gains, to pictures in squares of 8×8 pixels.",
}
_WHAT_OF_DENOISER = {
    "level": "Pixels in -0.5..0.5 to the logarithm of the noise level of each 8×8 of them, and how far to trust it.",
    "noise": "The same pixels and the level that it is told (white is 1) to noise over that level.",
}
_EXACT = "Of the entropy model: whole numbers, exact on every engine."
_TYPES = {"tensor(float)": "float32", "tensor(uint8)": "uint8", "tensor(int8)": "int8", "tensor(int32)": "int32"}
_EXAMPLE = """
Latents to pictures, without Isthmus:

```python
import numpy as np
import onnxruntime

synthesis = onnxruntime.InferenceSession("synthesis.onnx")
latents = np.zeros({shape}, np.float32)  # or what analysis.onnx made of pictures
(pictures,) = synthesis.run(None, {{"{input}": latents}})
pixels = np.rint(pictures.clip(0, 1) * 255).astype(np.uint8)
```

`{steps}` has float32 (100, channels): the width of a quantisation step of each channel at qualities 1 to 100. A .isth
file holds `round(latents / step)`; `isthmus.Model.symbols` and `isthmus.Pack.read_codes` give them.
"""


def export_onnx(model: ModelFile, folder: Path, *, force: bool = False) -> list[Path]:
    """Write each graph, of a plain autoencoder its quantisation steps, and the page.

    Args:
        model: any kind.
        folder: made if it is missing.
        force: replace files that it holds.

    Returns:
        The files, the page last.

    Raises:
        OutputError: the folder cannot be written, or a file is there already.
        FormatError: a graph that does not load.
    """
    files = {f"{name}.onnx": data for name, data in sorted(model.graphs.items())}
    if model.kind == FACTORISED:
        files[STEPS] = _npy(model)
    files[PAGE] = describe_graphs(model).encode()
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"cannot write {folder}: it is a file, and an export needs a folder")
    paths = {folder / name: data for name, data in files.items()}
    for path in paths:
        if path.exists() and not force:
            raise exists_already(path)
    for path, data in paths.items():
        write_file(path, data, force=force)
    return list(paths)


def describe_graphs(model: ModelFile) -> str:
    """The page: what the model is, and for each graph its inputs and outputs.

    Raises:
        FormatError: a graph that does more than compute, or does not load.
    """
    _ = model.checked_graphs  # raises before anything of a stranger's is opened
    lines = [
        f"# {model.name} as ONNX graphs",
        "",
        f"Model {model.id.hex()}, takes {model.picture}, makes {model.latents.channels} latent channels"
        + (
            f", one position for {model.latents.stride}×{model.latents.stride} pixels." if model.latents.stride else "."
        ),
        "",
        "| graph | | name | type | shape |",
        "|---|---|---|---|---|",
        *(line for name in sorted(model.graphs) for line in _rows(name, model.graphs[name])),
        "",
        *_words(model),
    ]
    if model.kind == FACTORISED:
        side = 4 if model.latents.stride else 1
        session = open_session(model.graphs["synthesis"], "synthesis")
        shape = (1, model.latents.channels, side, side)
        lines += _EXAMPLE.format(shape=shape, input=session.get_inputs()[0].name, steps=STEPS).splitlines()
    else:
        lines += ["", "How they belong together, and what the integers mean, is in Isthmus' docs/format.md."]
    return "\n".join(lines) + "\n"


def _rows(name: str, data: bytes) -> Iterator[str]:
    session = open_session(data, name)
    for kind, values in (("in", session.get_inputs()), ("out", session.get_outputs())):
        for value in values:
            shape = ", ".join(str(size) if isinstance(size, int) else "any" for size in value.shape)
            yield f"| `{name}.onnx` | {kind} | `{value.name}` | {_TYPES.get(value.type, value.type)} | ({shape}) |"


def _words(model: ModelFile) -> Iterator[str]:
    known = {FACTORISED: _WHAT, DENOISER: _WHAT_OF_DENOISER}.get(model.kind, _WHAT_OF_PHOTO)
    for name in sorted(model.graphs):
        yield f"- `{name}.onnx`: {known.get(name, _EXACT)}"


def _npy(model: ModelFile) -> bytes:
    out = io.BytesIO()
    np.save(out, model.arrays["steps"], allow_pickle=False)
    return out.getvalue()
