"""Files of every released version stay readable, to the same symbols."""

from __future__ import annotations

import numpy as np
import pytest

from isthmus.codec.model import load_model
from isthmus.container.model_file import read_model, write_model
from isthmus.entropy.fixed_point import SCALES
from isthmus.entropy.scale_tables import CLASSES
from isthmus.packs.pack import Pack
from tests.conftest import GOLDEN

QUALITIES = (1, 50, 75, 100)
NAMES = [("golden", f"{name}-{quality}") for name in ("plain", "noise", "extras") for quality in QUALITIES]
NAMES += [("golden-photo", f"{name}-{quality}") for name in ("colour", "grey", "tiled") for quality in QUALITIES]
NAMES += [("golden-bytes", f"joint-{quality}") for quality in QUALITIES]
NAMES += [("golden-shared", f"shared-{quality}") for quality in QUALITIES]
NAMES += [("golden-squares", f"squares-{quality}") for quality in QUALITIES]


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(("model_name", "name"), NAMES)
def test_a_golden_file_decodes_to_its_symbols_and_pixels(model_name, name, threads):
    """Symbols are equal bit for bit; pixels differ by one step of 255 at most, as floats may round otherwise."""
    model = load_model(GOLDEN / f"{model_name}.isthmus", threads=threads)
    data = (GOLDEN / f"{name}.isth").read_bytes()
    expected = np.load(GOLDEN / f"{name}.npz")
    assert np.array_equal(np.concatenate([tile.ravel() for tile in model.symbols(data)]), expected["symbols"])
    difference = model.decode(data).astype(int) - expected["pixels"].astype(int)
    assert np.abs(difference).max() <= 1


@pytest.mark.parametrize("name", ["golden", "golden-photo", "golden-bytes", "golden-shared", "golden-squares"])
def test_a_golden_model_is_written_again_byte_for_byte(name):
    """Reading and writing a model file loses nothing, and its id holds."""
    path = GOLDEN / f"{name}.isthmus"
    model = read_model(path)
    again = write_model(model)
    assert read_model(path).id == model.id
    assert len(again) == pytest.approx(path.stat().st_size, abs=64)  # zlib versions may pack differently


def test_the_golden_models_have_what_the_format_grew_by():
    """Or nothing here would hold it."""
    arrays = read_model(GOLDEN / "golden-bytes.isthmus").arrays
    assert {"latent_symbols_per_step", "hyper_thresholds", "hyper_table_index", "hyper_offsets"} <= set(arrays)
    assert len(arrays["latent_symbols_per_step"]) == CLASSES * SCALES
    assert arrays["latent_symbols_per_step"].max() > 1
    assert "latent_table_index" not in arrays
    arrays = read_model(GOLDEN / "golden-shared.isthmus").arrays
    assert len(arrays["latent_symbols_per_step"]) == arrays["latent_table_index"].max() + 1 < CLASSES * SCALES


def test_the_golden_pack_holds_what_the_golden_files_hold(golden_model):
    """Names, labels and the pixels of the pictures as single files of the same model give them."""
    pack = Pack(GOLDEN / "two.isthpack", model=GOLDEN / "golden.isthmus")
    assert [pack.names[0], pack.names[1]] == ["0.png", "1.png"]
    assert pack.labels is not None
    assert pack.labels.tolist() == [5, 6]
    for one, name in zip(pack, ("plain-100", "noise-100"), strict=True):
        source = np.load(GOLDEN / f"{name}.npz")["pixels"]
        assert np.array_equal(one, golden_model.decode(golden_model.encode(source, quality=75)))


def test_extras_come_back_exactly(golden_model):
    """Alpha, ICC profile and EXIF are lossless."""
    from isthmus.codec import pipeline

    picture = pipeline.decode([(GOLDEN / "extras-75.isth").read_bytes()], golden_model)[0]
    assert picture.icc == b"an ICC profile"
    assert picture.exif == b"Exif\0\0some EXIF"
    assert picture.alpha is not None
    assert picture.alpha.std() > 50
