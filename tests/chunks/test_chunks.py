"""Chunks of picture arrays go through zarr and numcodecs, found by name in a fresh process."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from isthmus.chunks.framing import decode_chunk, encode_chunk
from isthmus.errors import FormatError, IsthmusError, UsageError
from tests.conftest import GOLDEN

zarr = pytest.importorskip("zarr")
MODEL = str(GOLDEN / "golden.isthmus")


def _chunk(*shape: int) -> np.ndarray:
    """Smooth pictures with some noise."""
    random = np.random.default_rng(0)
    ramp = np.linspace(20, 220, shape[-2] if shape[-1] == 3 else shape[-1])
    ramp = ramp[:, None] if shape[-1] == 3 else ramp
    return (np.broadcast_to(ramp, shape) + random.normal(0, 3, shape)).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("shape", [(40, 56), (40, 56, 3), (3, 32, 48, 3), (1, 32, 48, 3)])
def test_a_chunk_comes_back_in_its_shape(shape):
    """Close to what it was, in fewer bytes."""
    chunk = _chunk(*shape)
    data = encode_chunk(chunk, model="photo", quality=80)
    back = decode_chunk(data, model="photo")
    assert back.shape == chunk.shape
    assert back.dtype == np.uint8
    assert np.abs(back.astype(int) - chunk).mean() < 6
    assert len(data) < chunk.size / 4


def test_other_chunks_are_refused_and_damaged_bytes_are_noticed(pictures):
    """Types, shapes; cuts and flips raise this package's errors alone."""
    for wrong in (np.zeros((8, 8), np.uint16), np.zeros(8, np.uint8), np.zeros((2, 8, 8), np.uint8)):
        with pytest.raises(UsageError, match="codec isthmus"):
            encode_chunk(wrong, model=MODEL, quality=None)
    data = encode_chunk(pictures[0], model=MODEL, quality=70)
    for end in range(len(data)):
        with pytest.raises(IsthmusError):
            decode_chunk(data[:end], model=MODEL)
    with pytest.raises(FormatError, match="no chunk"):
        decode_chunk(b"\x07" + data, model=MODEL)


@pytest.mark.slow
@pytest.mark.parametrize("form", [2, 3])
def test_zarr_finds_the_codec_in_a_fresh_process(tmp_path, form):
    """Written in one process, read by name in another that imports zarr alone."""
    chunk = _chunk(4, 32, 48, 3)
    np.save(tmp_path / "chunk.npy", chunk)
    how = (
        "compressors=__import__('numcodecs').get_codec({'id': 'isthmus', 'quality': 80})"
        if form == 2
        else "serializer={'name': 'isthmus', 'configuration': {'quality': 80}}, compressors=None"
    )
    write = (
        "import numpy as np, zarr; chunk = np.load('chunk.npy'); "
        "array = zarr.create_array('a.zarr', shape=chunk.shape, chunks=(2, 32, 48, 3), dtype='uint8', "
        f"zarr_format={form}, {how}); array[:] = chunk"
    )
    read = "import numpy as np, zarr; np.save('back.npy', zarr.open_array('a.zarr', mode='r')[:])"
    for code in (write, read):
        done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    back = np.load(tmp_path / "back.npy")
    assert back.shape == chunk.shape
    assert np.abs(back.astype(int) - chunk).mean() < 6
    stored = sum(path.stat().st_size for path in (tmp_path / "a.zarr").rglob("*") if path.is_file())
    assert stored < chunk.size / 4
