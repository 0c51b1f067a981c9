"""A codec for one's own pictures: read from a shipped model, learnt beside it, and stored as a difference to it."""

import errno
import json
import os
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

import isthmus
from isthmus.cli.main import app
from isthmus.codec.model import Model
from isthmus.container.model_file import write_model
from isthmus.entropy.passes import LAYERS
from isthmus.errors import InputError, OutputError, UsageError
from isthmus.learn.hyperprior.export.entropy_graphs import entropy_graphs_of
from isthmus.learn.hyperprior.export.export import check_round_trip
from isthmus.learn.hyperprior.export.integer_layers import integer_layers
from isthmus.learn.hyperprior.networks.quality import knot_weights, position_of
from isthmus.learn.hyperprior.own.adapters import Adapters
from isthmus.learn.hyperprior.own.difference import difference_file, with_tables
from isthmus.learn.hyperprior.own.from_model_file import codec_of
from isthmus.learn.hyperprior.own.from_nothing import FromNothing
from isthmus.learn.hyperprior.own.pictures import read_own
from isthmus.learn.hyperprior.own.run import train_own
from isthmus.learn.hyperprior.own.settings import OwnTraining
from isthmus.learn.hyperprior.own.training import read_own_checkpoint
from isthmus.packs.pack import Pack
from isthmus.sources.finding import find_sources
from isthmus.sources.glyphs import draw_glyphs
from isthmus.zoo.finding import find_by_name, parse_model, read_model

QUALITY = 50


@pytest.fixture(scope="module")
def base():
    """A shipped model."""
    return read_model(find_by_name("photo-psnr"))


@pytest.fixture(scope="module")
def codec(base):
    """Its networks."""
    return codec_of(base)


@pytest.fixture(scope="module")
def learnt(codec):
    """Something, as training might leave it."""
    adapters = Adapters(codec.model, codec.matrices, (2, 3), 0).requires_grad_(requires_grad=False)
    for part in adapters.parts.values():
        part.left.copy_(0.2 * torch.randn(part.left.shape, generator=torch.Generator().manual_seed(1)))
    for table in adapters.free.values():
        table.add_(0.02)
    return adapters


@pytest.fixture
def folder(tmp_path):
    """Forty grey pictures of 24×24 that are alike."""
    drawn = draw_glyphs("0123456789", 40, seed=0).pictures
    for number, picture in enumerate(drawn):
        Image.fromarray(np.asarray(Image.fromarray(picture[..., 0]).resize((24, 24)))).save(tmp_path / f"{number}.png")
    return tmp_path


@pytest.mark.parametrize("name", ["photo", "photo-psnr"])
@torch.no_grad()
def test_networks_read_from_a_shipped_model_compute_what_it_computes(name):
    """The exact ones to the last bit, the transforms to less than a grey level."""
    file = read_model(find_by_name(name))
    model, coder = codec_of(file).model, Model(file).coder
    layers = integer_layers(model)
    assert all(graph == file.graphs[key] for key, graph in entropy_graphs_of(layers).items())
    for layer in LAYERS:
        assert np.array_equal(layers[layer].bias.bias, file.arrays[f"layer.{layer}.bias"])
    pixels = torch.rand(1, 3, 64, 96, generator=torch.Generator().manual_seed(0)) - 0.5
    latents = coder.analysis.run(pixels.numpy())
    assert np.abs(model.analysis(pixels).numpy() - latents).mean() < 2e-3 * np.abs(latents).mean()
    knots = knot_weights(torch.from_numpy(position_of(np.array([QUALITY]))).float())
    # export keeps gains from falling with quality: where that bends one, no knots lead through it exactly
    assert np.allclose(model.gains(knots)[0, :, 0, 0], file.arrays["gains"][QUALITY - 1], rtol=1e-4)
    bias = file.arrays["quality_bias"][QUALITY - 1].reshape(1, -1, 1, 1)
    (made,) = coder.synthesis.run_named({"latents": latents, "quality_bias": bias})
    shown = (model.synthesis(torch.from_numpy(latents), knots)[0] + 0.5).clamp(0, 1) * 255
    squares = made.reshape(8, 12, 8, 8, 3).transpose(0, 2, 1, 3, 4).reshape(64, 96, 3)
    assert np.abs(shown.permute(1, 2, 0).numpy() - squares).mean() < 0.4


@torch.no_grad()
def test_what_was_learnt_is_what_the_file_computes(base, codec, learnt):
    """All matrices of the difference are nearer to what was learnt than to what there was before."""
    made = difference_file(base, codec, learnt, name="own", facts={})
    stored, wanted = codec_of(made).model, learnt.merged(codec.model)
    for one in codec.matrices:
        places = torch.from_numpy(np.unique(one.places))  # contexts have weights only where a pass knows neighbours
        before, after, want = (
            values.flatten()[places]
            for values in (
                codec.model.get_parameter(one.parameter),
                stored.get_parameter(one.parameter),
                wanted[one.parameter],
            )
        )
        assert (after - want).square().mean() < 0.6 * (before - want).square().mean(), one.parameter
    change = stored.log_gain.table - codec.model.log_gain.table
    assert torch.allclose(change, torch.full_like(change, 0.02), atol=2e-3)


def test_the_difference_is_a_model_in_a_small_file(base, codec, learnt):
    """It codes, decodes, is read from its file as itself, and takes fewer bytes than a tenth of its base."""
    made = difference_file(base, codec, learnt, name="own", facts={"licence": "none"})
    made = with_tables(base, made, codec_of(made).model, None)
    data = write_model(made)
    read = parse_model(data, name="own")
    assert read.id == made.id
    assert len(data) < len(write_model(base)) / 10
    check_round_trip(Model(read))


@pytest.mark.parametrize("bias", [0.0, 3.0])
def test_sums_of_exact_layers_stay_exact(base, codec, bias):
    """However far training went: what is added to rows is made smaller until the export's check holds."""
    wild = Adapters(codec.model, codec.matrices, (1, 1), 0).requires_grad_(requires_grad=False)
    for part in wild.parts.values():
        part.left.fill_(3.0)
    for table in wild.free.values():
        table.add_(bias)
    integer_layers(codec_of(difference_file(base, codec, wild, name="own", facts={})).model)


def test_pictures_are_looked_at(folder):
    """Copies, broken files, alpha and sizes are counted; every window has pixels."""
    Image.open(folder / "0.png").save(folder / "copy.png")
    (folder / "broken.png").write_bytes(b"no picture")
    Image.new("RGBA", (8, 8), (200, 30, 0, 128)).save(folder / "small.png")
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (900, 8, 3), np.uint8)).save(folder / "long.png")
    pictures = read_own(find_sources(str(folder)))
    look = pictures.look
    assert (look.distinct, look.copies, look.unread, look.with_alpha) == (42, 1, 1, 1)
    assert look.greys == 40
    assert (look.smallest, look.largest) == ((8, 8), (900, 8))
    assert pictures.window == (24, 24)
    assert pictures.draw(30, np.random.default_rng(0)).shape == (30, 24, 24, 3)
    assert pictures.training_centres(5).shape == (5, 32, 32, 3)
    assert "copies left out" in str(look)


def test_too_few_pictures_are_refused(folder, tmp_path_factory):
    """One picture many times is one picture."""
    many = tmp_path_factory.mktemp("many")
    for number in range(12):
        Image.open(folder / "0.png").save(many / f"{number}.png")
    with pytest.raises(InputError, match=r"1 pictures that differ are too few.*11 are copies"):
        read_own(find_sources(str(many)))


def test_wishes_that_cannot_be_are_refused_before_anything_is_read(tmp_path):
    """Minutes, a model to begin with, a folder that holds a run."""
    with pytest.raises(UsageError, match="--minutes"):
        train_own(tmp_path / "run", data=tmp_path, minutes=0.01)
    with pytest.raises(UsageError, match="--from"):
        train_own(tmp_path / "run", data=tmp_path, minutes=1, base="jpeg")
    with pytest.raises(UsageError, match="error_share is from 0 to 1"):
        train_own(tmp_path / "run", data=tmp_path, minutes=1, settings=["error_share=2"])
    with pytest.raises(UsageError, match="--from and --seed"):
        train_own(tmp_path / "run", data=tmp_path, minutes=1, settings=["base=photo"])
    with pytest.raises(UsageError, match="ranks are two whole numbers"):
        train_own(tmp_path / "run", data=tmp_path, minutes=1, settings=["ranks=8"])
    with pytest.raises(UsageError, match="nothing to resume"):
        train_own(tmp_path / "run", data=tmp_path, resume=True)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "checkpoint.pt").write_bytes(b"")
    with pytest.raises(OutputError, match="holds a run already"):
        train_own(tmp_path / "run", data=tmp_path)


@pytest.mark.slow
@pytest.mark.train
@pytest.mark.parametrize(("begun_with", "most_bytes"), [("auto", 400_000), ("nothing", 1_500_000)])
def test_a_folder_becomes_a_model_a_page_and_a_pack(folder, tmp_path_factory, begun_with, most_bytes):
    """All of it: trained, packed with its model, opened where the model is not, and gone on with."""
    run = tmp_path_factory.mktemp("run") / "glyphs"
    done = train_own(run, data=folder, minutes=0.5, base=begun_with)
    assert done.model_bytes < most_bytes
    assert (done.base == "nothing") == (begun_with == "nothing")
    assert done.steps > 0
    page = (run / "page.html").read_text()
    assert "Side by side" in page
    assert "WebP" in page
    assert json.loads((run / "figures.json").read_text())["pictures"] > 1
    pack = run.parent / "glyphs.isthpack"
    packed = CliRunner().invoke(app, ["pack", str(folder), "-o", str(pack), "--model", done.model, "--embed"])
    assert packed.exit_code == 0, packed.output
    for file in run.iterdir():
        file.rename(file.with_name(f"moved-{file.name}"))
    with Pack(pack) as opened:
        assert opened[0].shape[:2] == (24, 24)
    for file in run.iterdir():
        file.rename(file.with_name(file.name.removeprefix("moved-")))
    again = train_own(run, data=folder, minutes=0.6, resume=True)
    assert again.steps >= done.steps
    assert again.base == done.base
    model = isthmus.load_model(again.model)
    assert (model.file.of_base is None) == (begun_with == "nothing")
    assert replace(model.file, facts={}).id == model.id


def test_a_run_from_nothing_goes_on_where_it_was_kept(folder, tmp_path, base):
    """Weights, optimisers, cosine transforms and whether symbols were counted; symbols are rounded from then on."""
    pictures, training = read_own(find_sources(str(folder))), OwnTraining(base="nothing", batch_pixels=2048)
    run = FromNothing(tmp_path, pictures, base, training)
    run.train_step(0.1)
    run.recount()
    run.train_step(0.5)
    run.save()
    again = FromNothing(tmp_path, pictures, base, training, saved=read_own_checkpoint(tmp_path / "checkpoint.pt"))
    assert again.step == run.step == 2
    assert again.symbols is not None
    run.recount()
    assert torch.equal(again.symbols.counts, run.symbols.counts)
    drawn = torch.get_rng_state()
    loss = again.train_step(0.6)
    torch.set_rng_state(drawn)
    assert run.train_step(0.6) == pytest.approx(loss, rel=1e-4)


@pytest.mark.slow
@pytest.mark.train
def test_a_run_that_was_killed_goes_on_and_one_on_a_full_disk_says_so(folder, tmp_path_factory, monkeypatch):
    """SIGKILL between two steps loses what came after the last checkpoint, and nothing else."""
    run = tmp_path_factory.mktemp("run") / "glyphs"
    command = [sys.executable, "-m", "isthmus", "train", "own", "--data", str(folder), "-o", str(run), "--minutes", "5"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as training:
        until = time.monotonic() + 240
        while not (run / "checkpoint.pt").exists() and time.monotonic() < until:
            assert training.poll() is None
            time.sleep(0.1)
        training.kill()
    assert not (run / "model.isthmus").exists()
    before = read_own_checkpoint(run / "checkpoint.pt")
    assert before["step"] > 0

    def full(*_args: object, **_more: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", full)
        with pytest.raises(OutputError, match=r"checkpoint\.pt.*No space left"):
            train_own(run, data=folder, minutes=1.5, resume=True)
    assert read_own_checkpoint(run / "checkpoint.pt")["step"] == before["step"]
    assert train_own(run, data=folder, minutes=1.5, resume=True).steps > before["step"]
