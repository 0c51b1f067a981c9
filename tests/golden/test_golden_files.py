"""Files of every released version stay readable, to the same symbols."""

from __future__ import annotations

import numpy as np
import pytest

from isthmus.codec.api import find_model
from isthmus.codec.model import Model, load_model
from isthmus.codec.pipeline import model_id_of
from isthmus.container.image_header import VERSION
from isthmus.container.model_file import DIFFERENCE_VERSION, parse_model, read_model, write_model
from isthmus.entropy.fixed_point import SCALES
from isthmus.errors import ModelMismatchError
from isthmus.imaging import foreign
from isthmus.packs.pack import Pack
from tests.conftest import GOLDEN, GOLDEN_1

QUALITIES = (1, 50, 75, 100)
VERSIONS = {1: GOLDEN_1, VERSION: GOLDEN}
PLAIN = [("golden", f"{name}-{quality}") for name in ("plain", "noise", "extras") for quality in QUALITIES]
HYPERPRIOR = [("golden-hyperprior", f"{one}-{quality}") for one in ("colour", "grey", "tiled") for quality in QUALITIES]
FILES = [(folder, *one) for folder in VERSIONS.values() for one in PLAIN] + [(GOLDEN, *one) for one in HYPERPRIOR]
MODELS = [(GOLDEN_1, "golden"), (GOLDEN, "golden"), (GOLDEN, "golden-hyperprior")]


def check(model, folder, name):
    """Symbols are equal bit for bit; pixels differ by one step of 255 at most, as floats may round otherwise."""
    data = (folder / f"{name}.isth").read_bytes()
    expected = np.load(folder / f"{name}.npz")
    assert np.array_equal(np.concatenate([tile.ravel() for tile in model.symbols(data)]), expected["symbols"])
    difference = model.decode(data).astype(int) - expected["pixels"].astype(int)
    assert np.abs(difference).max() <= 1


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(("folder", "model_name", "name"), FILES)
def test_a_golden_file_decodes_to_its_symbols_and_pixels(folder, model_name, name, threads):
    """Files of every version, with the model that wrote them."""
    check(load_model(folder / f"{model_name}.isthmus", threads=threads), folder, name)


def test_a_file_of_the_photo_model_before_its_id_changed_is_found_and_decoded():
    """The model says that it decodes the pictures of the one before."""
    data = (GOLDEN_1 / "photo-60.isth").read_bytes()
    model = find_model(model_id_of(data))
    assert model.name == "photo-psnr"
    assert model.id != model_id_of(data)
    check(model, GOLDEN_1, "photo-60")


def test_a_pack_of_the_photo_model_before_its_id_changed_opens():
    """Found by the id, and with the model given by name."""
    expected = np.load(GOLDEN_1 / "photo-60.npz")["pixels"].astype(int)
    for model in (None, "photo-psnr"):
        pack = Pack(GOLDEN_1 / "photo.isthpack", model=model)
        assert len(pack) == 2
        assert np.abs(pack[1].astype(int) - expected[::-1]).mean() < 3
        assert "2 pictures" in repr(pack)


@pytest.mark.parametrize(("folder", "name"), MODELS)
def test_a_golden_model_is_read_and_written_again(folder, name):
    """Nothing is lost, and the id holds: of `factorized` models both versions have the same."""
    path = folder / f"{name}.isthmus"
    model = read_model(path)
    again = parse_model(write_model(model), name=name)
    assert again.version == VERSION
    assert (again.arrays.keys(), again.graphs) == (model.arrays.keys(), model.graphs)
    assert again.id == model.id


@pytest.mark.parametrize("quality", QUALITIES)
def test_a_golden_difference_decodes_to_its_symbols_and_pixels(quality):
    """Version 3 of .isthmus: put together with its base to the same model, and no other model's pictures."""
    base = read_model(GOLDEN / "golden-hyperprior.isthmus")
    file = read_model(GOLDEN / "golden-difference.isthmus", find_base=lambda _: base)
    assert file.version == DIFFERENCE_VERSION
    assert write_model(file) == (GOLDEN / "golden-difference.isthmus").read_bytes()
    check(Model(file), GOLDEN, f"difference-{quality}")
    with pytest.raises(ModelMismatchError):
        Model(base).decode((GOLDEN / f"difference-{quality}.isth").read_bytes())


def test_the_golden_hyperprior_has_what_the_format_has():
    """Or nothing here would hold it."""
    arrays = read_model(GOLDEN / "golden-hyperprior.isthmus").arrays
    assert arrays["latent_symbols_per_step"].max() > 1
    assert len(arrays["latent_symbols_per_step"]) == arrays["latent_table_index"].max() + 1 < SCALES


PACKS = [(1, GOLDEN_1 / "two.isthpack"), (2, GOLDEN / "pack-2.isthpack"), (2, GOLDEN / "pack-2-model.isthpack")]


@pytest.mark.parametrize(("version", "path"), PACKS)
def test_the_golden_packs_hold_what_the_golden_files_hold(version, path, golden_model, tmp_path):
    """Names, labels and the pixels of the pictures as single files of the same model give them, in every version."""
    alone = tmp_path / path.name
    alone.write_bytes(path.read_bytes())
    pack = Pack(alone, model=None if "model" in path.name else path.parent / "golden.isthmus")
    assert pack.layout.header.version == version
    assert [pack.names[0], pack.names[1]] == ["0.png", "1.png"]
    assert pack.labels is not None
    assert pack.labels.tolist() == [5, 6]
    for one, name in zip(pack, ("plain-100", "noise-100"), strict=True):
        source = np.load(GOLDEN / f"{name}.npz")["pixels"]
        assert np.array_equal(one, golden_model.decode(golden_model.encode(source, quality=75)))


def test_the_golden_pack_of_codings_decodes_to_its_pixels():
    """Exact pictures and alpha exactly, others to one step of 255, as floats and AVIF's colours may round otherwise."""
    path = GOLDEN / "pack-2-codings.isthpack"
    pack, expected = Pack(path, model=GOLDEN / "golden-hyperprior.isthmus"), np.load(path.with_suffix(".npz"))
    names = [name for name in pack.names if foreign.has_avif() or "graphics" not in name]
    assert len(pack) == 9
    for name in names:
        difference = np.abs(pack[name].astype(int) - expected[name].astype(int))
        assert difference.max() <= ("exact" not in name)
        assert difference[:, :, 3:].max(initial=0) == 0
    for name in names:
        is_grey = (pack[name][:, :, :1] == pack[name][:, :, :3]).all()
        assert is_grey == name.startswith("grey")


def test_extras_come_back_exactly(golden_model):
    """Alpha, ICC profile and EXIF are lossless."""
    from isthmus.codec import pipeline

    picture = pipeline.decode([(GOLDEN / "extras-75.isth").read_bytes()], golden_model.coder)[0]
    assert picture.icc == b"an ICC profile"
    assert picture.exif == b"Exif\0\0some EXIF"
    assert picture.alpha is not None
    assert picture.alpha.std() > 50
