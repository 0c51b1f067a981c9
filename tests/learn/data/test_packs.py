"""A pack under a DataLoader with workers: the same pictures, codes and labels as without."""

from __future__ import annotations

import re
import shutil

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from PIL import Image
from torch.utils.data import DataLoader

from isthmus.codec.model import load_model
from isthmus.errors import UsageError
from isthmus.learn.data import PackDataset
from isthmus.packs.pack import Pack
from isthmus.packs.packing import PackOptions, pack_to_file
from isthmus.sources.source import Source
from tests.conftest import GOLDEN, ROOT

MODEL = GOLDEN / "golden.isthmus"


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """Fifty pictures with labels."""
    path = tmp_path_factory.mktemp("pack") / "a.isthpack"
    pictures = np.random.default_rng(4).integers(0, 256, (50, 8, 8, 1), np.uint8)
    sources = [Source(f"{index}", pixels=one, label=index % 3) for index, one in enumerate(pictures)]
    pack_to_file(sources, path, load_model(MODEL, threads=1), PackOptions(75))
    return path


@pytest.mark.filterwarnings("ignore:This DataLoader will create")  # a machine of one core may run this
@pytest.mark.parametrize("codes", [False, True])
@pytest.mark.parametrize("workers", [0, 2])
def test_batches_hold_what_the_pack_holds(path, workers, codes):
    """In order, every item once; workers are processes."""
    data = PackDataset(path, model=MODEL, codes=codes)
    data[0]  # the engine has run before the workers are forked
    parts = list(DataLoader(data, batch_size=8, num_workers=workers))
    values = torch.cat([batch[0] for batch in parts]).numpy()
    labels = torch.cat([batch[1] for batch in parts])
    pack = Pack(path, model=MODEL, threads=1)
    assert labels.tolist() == [index % 3 for index in range(50)]
    if codes:
        np.testing.assert_array_equal(values, pack.read_codes(range(50)))
    else:
        np.testing.assert_array_equal(np.rint(values[:, 0] * 255).astype(np.uint8), pack[:])


def test_a_network_learns_from_codes(path):
    """A linear layer on the codes fits the mean brightness: what codes=True is for."""
    data = PackDataset(path, model=MODEL, codes=True)
    pack = Pack(path, model=MODEL, threads=1)
    wanted = torch.tensor([float(picture.mean()) / 255 for picture in pack])
    layer = torch.nn.Linear(data[0][0].numel(), 1)
    optimiser = torch.optim.LBFGS(layer.parameters(), max_iter=50)
    codes = torch.stack([item[0].flatten() for item in data])

    def loss():
        optimiser.zero_grad()
        value = torch.nn.functional.mse_loss(layer(codes)[:, 0], wanted)
        value.backward()
        return value

    first = loss().item()
    optimiser.step(loss)
    assert loss().item() < 0.1 * first


def test_alpha_is_laid_over_white(tmp_path):
    """All items have the model's channels; what is transparent is white."""
    clear = np.zeros((8, 8, 2), np.uint8)
    Image.fromarray(clear, "LA").save(tmp_path / "clear.png")
    sources = [Source("clear", path=tmp_path / "clear.png"), Source("plain", pixels=clear[:, :, :1])]
    pack_to_file(sources, tmp_path / "a.isthpack", load_model(MODEL, threads=1), PackOptions(75))
    transparent, plain = PackDataset(tmp_path / "a.isthpack", model=MODEL).__getitems__([0, 1])
    assert transparent.shape == plain.shape == (1, 8, 8)
    assert transparent.min() == 1
    codes = PackDataset(tmp_path / "a.isthpack", model=MODEL, codes=True)
    assert torch.equal(codes[0], codes[1])


def test_codes_of_a_hyperprior_model_are_near_its_latents(tmp_path):
    """Of pictures of one size; those of several have none of one shape."""
    path = GOLDEN / "golden-hyperprior.isthmus"
    photo = load_model(path, threads=1)
    pixels = np.random.default_rng(0).integers(0, 256, (2, 24, 40, 3), np.uint8)
    sources = [Source(str(number), pixels=one) for number, one in enumerate(pixels)]
    pack_to_file(sources, tmp_path / "p.isthpack", photo, PackOptions(100, coding="learned"))
    codes = PackDataset(tmp_path / "p.isthpack", model=path, codes=True)
    latents = photo.latents(pixels)
    assert codes[1].shape == latents[1].shape
    assert np.abs(codes[1].numpy() - latents[1]).mean() < 0.2 * np.abs(latents[1]).mean()
    pack_to_file([*sources, Source("a", pixels=pixels[0, 1:])], tmp_path / "q.isthpack", photo, PackOptions(50))
    with pytest.raises(UsageError, match="several sizes"):
        PackDataset(tmp_path / "q.isthpack", model=path, codes=True)


@pytest.mark.filterwarnings("ignore:This DataLoader will create")
def test_the_example_of_the_page_learns(tmp_path, monkeypatch):
    """The code block of docs/packs.md, on bright and dark pictures in place of digits: it tells them apart."""
    (example,) = [
        block for block in re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "packs.md").read_text(), re.DOTALL)
        if "PackDataset(" in block
    ]  # fmt: skip
    random = np.random.default_rng(5)
    labels = random.integers(0, 2, 600)
    pictures = np.clip(90 * labels[:, None, None] + random.integers(40, 100, (600, 8, 8)), 0, 255).astype(np.uint8)
    sources = [
        Source(f"{index:03d}.png", pixels=one[:, :, None], label=int(label))
        for index, (one, label) in enumerate(zip(pictures, labels, strict=True))
    ]
    model = load_model(MODEL, threads=1)
    pack_to_file(sources, tmp_path / "digits.isthpack", model, PackOptions(75))
    shutil.copy(MODEL, tmp_path)  # a model beside the pack is found by its id
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    result: dict[str, object] = {}
    exec(example, result)  # noqa: S102 - our own page
    digits, classifier = result["digits"], result["classifier"]
    codes = torch.stack([item[0] for item in digits])
    guessed = classifier(codes).argmax(1).numpy()
    assert np.mean(guessed == labels) > 0.95
