"""Training the photo codec: a short run, resumed, ends in a model file that codes pictures."""

from __future__ import annotations

import csv
import signal
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch")

from isthmus.codec.model import load_model
from isthmus.container.model_file import read_model
from isthmus.entropy.fixed_point import LATENT_LIMIT
from isthmus.errors import FormatError, InputError, TrainingError, UsageError
from isthmus.learn.data.crops import Crops
from isthmus.learn.hyperprior.experiment import settings_of, train_codec
from isthmus.learn.hyperprior.networks.quality import LAMBDAS, knot_weights
from isthmus.learn.hyperprior.networks.transforms import TransformStart
from isthmus.learn.hyperprior.training import dct_start, loop
from isthmus.learn.hyperprior.training.checkpoint import load_trained, read_checkpoint
from isthmus.learn.hyperprior.training.dead_units import dead_units
from isthmus.learn.hyperprior.training.loss import losses
from isthmus.learn.hyperprior.training.settings import TUNES, Training, kept_training
from isthmus.learn.hyperprior.training.state import RunState
from isthmus.learn.hyperprior.training.step import train_step, validate
from isthmus.learn.hyperprior.training.weights import Weights, load_weights
from isthmus.learn.loop.checkpoint import write_state
from isthmus.learn.loop.timed import MOST_SKIPPED
from tests.learn.hyperprior.small_codec import LATENTS, small_calibration, small_codec, small_settings


@pytest.fixture
def pictures(tmp_path):
    """Three smooth pictures of 256 by 256 pixels."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    random = np.random.default_rng(0)
    for index in range(3):
        small = Image.fromarray(random.integers(0, 256, (12, 12, 3), np.uint8))
        small.resize((256, 256), Image.Resampling.BICUBIC).save(folder / f"{index}.png")
    return folder


@pytest.mark.slow
@pytest.mark.train
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_short_run_is_resumed_and_exported(pictures, tmp_path, monkeypatch):
    """The second part goes on where the first one stopped, and its file decodes what it encodes."""
    monkeypatch.setattr(dct_start, "WINDOWS", 8)
    options = {
        "data": pictures,
        "settings": ["batch=2", "side=64", "compile=0"],
        "sizes": small_settings(),
    }
    first = train_codec(tmp_path / "run", minutes=0.02, **options)
    assert first.steps > 0
    options["settings"] = ["batch=3"]
    second = train_codec(tmp_path / "run", minutes=first.train_seconds / 60 + 0.03, resume=True, **options)
    kept = kept_training(read_checkpoint(tmp_path / "run" / "checkpoint.pt"))
    assert (kept.batch, kept.side, kept.compile) == (3, 64, 0)
    assert second.steps > first.steps
    assert second.train_seconds > first.train_seconds
    assert second.metrics["held_file_bpp"] == pytest.approx(second.metrics["held_bpp"], rel=0.25)
    assert "hyper_thresholds" in read_model(Path(second.model)).arrays  # its tables are fitted to its symbols
    model = load_model(second.model)
    with Image.open(pictures / "1.png") as image:
        pixels = np.asarray(image)
    assert model.decode(model.encode(pixels, quality=100)).shape == pixels.shape
    rows = list(csv.DictReader((tmp_path / "run" / "log.csv").read_text().splitlines()))
    assert all(float(row["loss"]) > 0 for row in rows)
    options["sizes"] = replace(small_settings(), synthesis_detail=(6, 5))
    with pytest.raises(UsageError, match="of other networks"):
        train_codec(tmp_path / "run", minutes=None, resume=True, **options)


@pytest.mark.train
@pytest.mark.parametrize("is_quantised", [False, True])
def test_real_files_are_logged_beside_the_estimate(pictures, tmp_path, monkeypatch, is_quantised):
    """Not before latents and networks are those of files."""
    monkeypatch.setattr(dct_start, "WINDOWS", 8)
    training = Training(batch=2, side=64, compile=0, quantise_from=-1 if is_quantised else 1)
    state = RunState(tmp_path, Crops(pictures), training, small_settings(), device=torch.device("cpu"))
    state.budget = 1.0

    def only_one_step(state, factor, *, quantise):
        done = train_step(state, factor, quantise=quantise)
        state.budget = 0.0
        return done

    monkeypatch.setattr(loop, "train_step", only_one_step)
    loop.train(state, log_steps=1, validate_seconds=0)
    (row,) = csv.DictReader((tmp_path / "log.csv").read_text().splitlines())
    if is_quantised:
        assert float(row["held_file_bpp"]) == pytest.approx(float(row["held_bpp"]), rel=0.25)
    else:
        assert row["held_file_bpp"] == "nan"


@pytest.mark.train
@pytest.mark.parametrize("request_to_stop", [signal.SIGTERM, signal.SIGINT])
def test_a_run_that_is_stopped_keeps_its_last_step(pictures, tmp_path, monkeypatch, request_to_stop):
    """Nothing is observed or exported then; the next request is answered as before."""
    monkeypatch.setattr(dct_start, "WINDOWS", 8)

    def step_and_stop(state, factor, *, quantise):
        signal.raise_signal(request_to_stop)
        return train_step(state, factor, quantise=quantise)

    options = {"data": pictures, "settings": ["batch=2", "side=64", "compile=0"], "sizes": small_settings()}
    before = signal.getsignal(request_to_stop)
    monkeypatch.setattr(loop, "train_step", step_and_stop)
    with pytest.raises(KeyboardInterrupt):
        train_codec(tmp_path / "run", minutes=1, **options)
    assert signal.getsignal(request_to_stop) == before
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["checkpoint.pt", "log.csv"]
    assert load_trained(tmp_path / "run" / "checkpoint.pt").step == 1


def test_dead_units_are_found():
    """By what they show of pictures."""
    model = small_codec()
    pixels = torch.rand(4, 3, 128, 128) - 0.5
    before = dead_units(model, pixels)["hyper_analysis.first"]
    unit = int((~before).nonzero()[0])
    model.hyper_analysis.first.bias[unit] = -1000
    assert dead_units(model, pixels)["hyper_analysis.first"][unit]


def test_weights_are_kept_in_half_precision(tmp_path):
    """Matrices; counts and what is small are as they were."""
    start = TransformStart(np.ones(192), np.ones(LATENTS), np.arange(LATENTS))
    model = small_codec()
    weights = Weights(model.state_dict(), start, 7, small_settings(), small_calibration(model))
    weights.save(tmp_path / "w.npz")
    again = load_weights(tmp_path / "w.npz")
    assert again.step == 7
    for name, value in weights.values.items():
        torch.testing.assert_close(again.values[name], value, atol=1e-3, rtol=1e-3)
    for name in ("synthesis.detail.first.bias", "log_gain.table"):
        assert torch.equal(again.values[name], weights.values[name])
    assert torch.equal(again.calibration.symbols.counts, weights.calibration.symbols.counts)


@pytest.mark.train
def test_a_run_that_begins_with_weights_moves_what_adam_trains(pictures, tmp_path):
    """Its gradients are clipped at their usual length, not at nothing."""
    start = TransformStart(np.ones(192), np.ones(LATENTS), np.arange(LATENTS))
    Weights(small_codec().state_dict(), start, 500, small_settings()).save(tmp_path / "w.npz")
    training = Training(batch=2, side=64, compile=0, weights=str(tmp_path / "w.npz"), warm_up_steps=1)
    state = RunState(tmp_path / "run", Crops(pictures), training, small_settings(), device=torch.device("cpu"))
    before = state.model.log_gain.table.detach().clone()
    for _ in range(3):
        train_step(state, 1.0, quantise=False)
    assert state.mean_norm > 1e-3
    moved = (state.model.log_gain.table.detach() - before).abs().max()
    assert float(moved) > training.adam_rate


@pytest.mark.train
@pytest.mark.parametrize("tune", TUNES)
def test_a_loss_that_is_no_number_moves_no_weight_and_ends_a_run(pictures, tmp_path, monkeypatch, tune):
    """One such step is left out; a run of nothing else says so in a line."""
    start = TransformStart(np.ones(192), np.ones(LATENTS), np.arange(LATENTS))
    Weights(small_codec().state_dict(), start, 500, small_settings()).save(tmp_path / "w.npz")
    training = Training(tune=tune, batch=2, side=64, compile=0, weights=str(tmp_path / "w.npz"), warm_up_steps=1)
    state = RunState(tmp_path / "run", Crops(pictures), training, small_settings(), device=torch.device("cpu"))
    before = {name: value.clone() for name, value in state.model.state_dict().items()}
    monkeypatch.setattr(state, "losses", lambda *arguments: losses(*arguments) * torch.tensor([torch.nan, 1.0]))
    assert np.isnan(train_step(state, 1.0, quantise=False)).all()
    assert (state.step, state.skipped) == (500, 1)
    assert all(torch.equal(value, before[name]) for name, value in state.model.state_dict().items())
    monkeypatch.undo()
    assert np.isfinite(train_step(state, 1.0, quantise=False)).all()
    assert (state.step, state.skipped, state.skipped_in_a_row) == (501, 1, 0)
    monkeypatch.setattr(state, "losses", lambda *arguments: losses(*arguments) * torch.nan)
    state.skipped_in_a_row = MOST_SKIPPED - 1
    with pytest.raises(TrainingError, match="50 steps behind step 501 were not finite"):
        train_step(state, 1.0, quantise=False)


def test_the_rate_is_of_the_windows_that_are_measured(pictures, tmp_path):
    """Whatever their size: pictures of 64 pixels too."""
    for path in pictures.iterdir():
        with Image.open(path) as image:
            image.resize((64, 64)).save(path)
    start = TransformStart(np.ones(192), np.ones(LATENTS), np.arange(LATENTS))
    Weights(small_codec().state_dict(), start, 500, small_settings()).save(tmp_path / "w.npz")
    training = Training(batch=2, side=64, compile=0, weights=str(tmp_path / "w.npz"))
    state = RunState(tmp_path / "run", Crops(pictures), training, small_settings(), device=torch.device("cpu"))
    held = validate(state, quantise=True)
    assert loop.rate_in_files(state) == pytest.approx(held.rate, rel=0.25)


def test_weights_of_another_range_of_qualities_keep_what_they_do(pictures, tmp_path):
    """At the same lambda gains are the same, and no latent leaves what can be coded."""
    start = TransformStart(np.ones(192), np.ones(LATENTS), np.arange(LATENTS))
    model = small_codec()
    with torch.no_grad():  # a straight line over the knots
        model.log_gain.table.copy_(torch.linspace(-3, -1, 9)[:, None].expand(-1, LATENTS))
    low, high = 0.0002, 0.02
    Weights(model.state_dict(), start, 500, small_settings(), None, (low, high)).save(tmp_path / "w.npz")
    training = Training(batch=2, side=64, compile=0, weights=str(tmp_path / "w.npz"), tune="eyes")
    state = RunState(tmp_path / "run", Crops(pictures), training, small_settings(), device=torch.device("cpu"))
    place = np.log(high / low) / np.log(LAMBDAS[1] / low)
    gains = state.model.gains(knot_weights(torch.tensor([0.0, place]))).log()[:, :, 0, 0]
    assert torch.allclose(gains[0], torch.tensor(-3.0), atol=1e-4)
    assert torch.allclose(gains[1], torch.tensor(-1.0), atol=1e-4)
    white = torch.full((1, 3, 128, 128), 0.5)
    top = state.model.analysis(white) * state.model.gains(knot_weights(torch.ones(1)))
    assert float(top.detach().abs().max()) <= LATENT_LIMIT


def test_training_for_eyes_makes_its_loss_small(pictures, tmp_path):
    """On pictures held aside, by the averaged weights."""
    start = TransformStart(np.ones(192), np.ones(LATENTS), np.arange(LATENTS))
    Weights(small_codec().state_dict(), start, 500, small_settings()).save(tmp_path / "w.npz")
    options = {"batch": 2, "side": 64, "compile": 0, "warm_up_steps": 1, "average": 0.9}
    training = Training(tune="eyes", weights=str(tmp_path / "w.npz"), **options)
    state = RunState(tmp_path / "run", Crops(pictures), training, small_settings(), device=torch.device("cpu"))
    first = validate(state, quantise=False)
    for _ in range(30):
        train_step(state, 1.0, quantise=False)
    assert validate(state, quantise=False).loss < 0.9 * first.loss


def test_nothing_stays_behind_on_the_cpu(monkeypatch):
    """What a machine without a GPU can tell of one: all of a step is where model and pictures are."""
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: nullcontext())  # there is none for "meta"
    model = small_codec().train().requires_grad_(requires_grad=True).to("meta")
    pixels, position = torch.empty(2, 3, 128, 128, device="meta"), torch.empty(2, device="meta")
    thresholds, bits = torch.empty(64, 16, device="meta"), torch.empty(64, 33, device="meta")
    output = model(pixels, position, quantise=True, thresholds=thresholds, symbol_bits=bits)
    (output.latent_bits.sum() + output.hyper_bits.sum() + output.reconstruction.square().sum()).backward()
    assert {parameter.grad.device.type for parameter in model.parameters()} == {"meta"}
    with pytest.raises(RuntimeError, match="not on the expected device"):  # it would be noticed
        model(pixels, torch.zeros(2), quantise=True, thresholds=thresholds, symbol_bits=bits)


def test_a_device_that_is_not_there_is_refused_before_anything_is_read(tmp_path):
    """And one that has no such name."""
    with pytest.raises(UsageError, match="device is one of"):
        train_codec(tmp_path / "run", data=tmp_path, minutes=1, device="tpu")
    if not torch.cuda.is_available():
        with pytest.raises(UsageError, match="no CUDA device"):
            train_codec(tmp_path / "run", data=tmp_path, minutes=1, device="cuda")


def test_settings_are_checked():
    """A misspelt key is answered with the nearest."""
    assert settings_of(["batch=4", "training.side=256"], Training(batch=2)).side == 256
    with pytest.raises(UsageError, match="did you mean 'batch'"):
        settings_of(["bach=4"], Training())
    with pytest.raises(UsageError, match="whole number"):
        settings_of(["batch=many"], Training())


@pytest.mark.parametrize("left", [0, 4000])
def test_a_damaged_checkpoint_is_refused(tmp_path, left):
    """In one line."""
    write_state(tmp_path / "checkpoint.pt", {"average": small_codec().state_dict()})
    data = (tmp_path / "checkpoint.pt").read_bytes()
    (tmp_path / "checkpoint.pt").write_bytes(data[:left])
    with pytest.raises(FormatError, match="is not a checkpoint, or it is damaged"):
        train_codec(tmp_path, data=tmp_path, minutes=None, resume=True)


def test_weights_that_are_none_are_refused(pictures, tmp_path):
    """In one line: not there, damaged, of other networks."""
    options = {"data": pictures, "minutes": 1, "sizes": small_settings()}
    damaged, other = tmp_path / "damaged.npz", tmp_path / "other.npz"
    damaged.write_bytes(b"PK\x03\x04 and nothing more")
    small = small_codec()
    values = {"log_gain.table": torch.zeros(9, LATENTS + 1)}
    Weights(values, TransformStart(np.ones(192), np.ones(LATENTS), np.arange(LATENTS)), 1, small.settings).save(other)
    for path, error, why in (
        (tmp_path / "missing.npz", InputError, "does not exist"),
        (damaged, FormatError, "holds no weights"),
        (other, UsageError, "of other networks"),
    ):
        with pytest.raises(error, match=why):
            train_codec(tmp_path / "run", settings=[f"weights={path}", "compile=0"], **options)


def test_a_run_that_cannot_begin_replaces_none(tmp_path):
    """Even where it may."""
    write_state(tmp_path / "checkpoint.pt", {"average": {}})
    with pytest.raises(InputError, match="holds 0 pictures"):
        train_codec(tmp_path, data=tmp_path, minutes=1, force=True)
    assert (tmp_path / "checkpoint.pt").exists()


def test_too_few_pictures_are_refused(tmp_path):
    """Before anything is trained."""
    with pytest.raises(InputError, match="holds 0 pictures"):
        train_codec(tmp_path / "run", data=tmp_path, minutes=1)


def test_small_pictures_are_padded_as_the_codec_pads_them(tmp_path):
    """To whole windows, by their edges on the right and at the bottom."""
    for index in range(21):
        Image.fromarray(np.full((70, 100, 3), 10 + index, np.uint8)).save(tmp_path / f"{index:02d}.png")
    crops = Crops(tmp_path)
    assert crops.held_aside_centres().shape == (2, 128, 128, 3)
    windows = crops.draw(5, 128, np.random.default_rng(0))
    assert windows.shape == (5, 128, 128, 3)
    assert all(np.ptp(window) == 0 for window in windows)
