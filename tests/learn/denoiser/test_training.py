"""Training the denoiser: a short run, resumed, ends in a model file that removes noise."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch")

from isthmus.codec.model import load_model
from isthmus.codec.photo_denoising import load_photo_denoiser
from isthmus.container.model_file import read_model
from isthmus.errors import FormatError, InputError, ModelMismatchError, TrainingError, UsageError
from isthmus.imaging.reading import read_picture
from isthmus.learn.data.crops import Crops, to_pixels
from isthmus.learn.denoiser import loop
from isthmus.learn.denoiser.adaptation import adapted
from isthmus.learn.denoiser.degradations import draw_batch
from isthmus.learn.denoiser.experiment import train_denoiser
from isthmus.learn.denoiser.export import denoiser_of, export_denoiser, reach
from isthmus.learn.denoiser.loop import train_step
from isthmus.learn.denoiser.settings import NetworkSettings, Training, rate_factor
from isthmus.learn.denoiser.state import RunState, read_checkpoint
from isthmus.learn.denoiser.weights import load_trained, save_weights
from isthmus.learn.loop.timed import MOST_SKIPPED
from isthmus.learn.recipes.explained import meanings_of
from isthmus.values import Picture
from tests.learn.denoiser.small_denoiser import SIZES, small_denoiser, small_file, small_network


@pytest.fixture
def photographs(tmp_path):
    """A folder of smooth pictures with edges."""
    folder = tmp_path / "photographs"
    folder.mkdir()
    random = np.random.default_rng(5)
    for number in range(4):
        coarse = random.integers(0, 256, (6, 8, 3), np.uint8)
        Image.fromarray(coarse).resize((128, 96), Image.Resampling.BICUBIC).save(folder / f"{number}.png")
    return folder


@pytest.mark.train
def test_a_short_run_goes_on_where_it_stopped(photographs, tmp_path):
    """Checkpoint, log and a model file; settings of the run are kept."""
    run = tmp_path / "run"
    first = train_denoiser(run, data=photographs, minutes=0.01, settings=["batch=2", "training.side=32"], sizes=SIZES)
    again = train_denoiser(run, data=photographs, minutes=0.03, resume=True)
    assert again.steps > first.steps > 0
    assert read_checkpoint(run / "checkpoint.pt")["training"]["batch"] == 2
    with (run / "log.csv").open() as log:
        assert all(row["skipped"] == "0" for row in csv.DictReader(log))
    model = read_model(run / "model.isthmus")
    assert model.facts["steps"] == again.steps
    assert model.recipe["side"] == 32
    assert load_photo_denoiser(run / "model.isthmus").file.id.hex() == again.model_id


@pytest.mark.train
def test_training_learns_to_remove_noise(photographs, tmp_path):
    """And to say how much there is, within a minute of steps."""
    training = Training(
        batch=8,
        side=32,
        warm_up_steps=1,
        average=0.9,
        muon_rate=0.02,
        adam_rate=0.005,
        gaussian=1,
        camera=0,
        jpeg=0,
        impulse=0,
    )
    state = RunState(tmp_path / "run", Crops(photographs), training, SIZES, device=torch.device("cpu"))
    losses = [train_step(state, 1.0) for _ in range(120)]
    assert not state.skipped
    assert np.mean(losses[-20:], 0)[1] < 0.7 * np.mean(losses[:20], 0)[1]
    clean = to_pixels(np.array(read_picture(photographs / "1.png").pixels[None]))
    noisy = clean + 30 / 255 * torch.randn(clean.shape, generator=torch.Generator().manual_seed(1))
    level = torch.full((1, 1, 1, 1), 30 / 255)
    left, before = ((one - clean).square().mean() for one in (state.average.denoise(noisy, level), noisy))
    assert left < before * 0.8


@pytest.mark.train
def test_a_run_begins_with_trained_weights(photographs, tmp_path):
    """And their sizes; a file that is none is said."""
    network, path = small_network(), tmp_path / "weights.npz"
    save_weights(network, path)
    done = train_denoiser(
        tmp_path / "run", data=photographs, minutes=0.005,
        settings=["batch=2", "training.side=32", f"weights={path}", "muon_rate=1e-9", "adam_rate=1e-9"],
    )  # fmt: skip
    assert done.parameters == sum(one.numel() for one in network.parameters())
    after = read_checkpoint(tmp_path / "run" / "checkpoint.pt")["model"]
    assert all(torch.allclose(after[name], one, rtol=2e-3, atol=1e-4) for name, one in network.state_dict().items())
    with pytest.raises(InputError, match="does not exist"):
        train_denoiser(tmp_path / "other", data=photographs, minutes=1, settings=["weights=absent.npz"])


def test_a_tone_that_is_off_costs_more_than_grain(photographs, tmp_path):
    """By the same squared error."""
    state = RunState(tmp_path / "run", Crops(photographs), Training(side=32), SIZES, device=torch.device("cpu"))
    clean, level = torch.zeros(1, 3, 32, 32), torch.full((1, 1, 1, 1), 0.1)
    grain = 0.02 * torch.sign(torch.randn(clean.shape, generator=torch.Generator().manual_seed(0)))
    of_grain, of_tone = (loop._picture_loss(state, clean, one, level) for one in (grain, torch.full_like(clean, 0.02)))
    assert float(of_tone.detach()) > 2 * float(of_grain.detach())


def test_a_loss_that_is_no_number_moves_no_weight_and_ends_a_run(photographs, tmp_path, monkeypatch):
    """One such step is left out; a run of nothing else says so in a line."""
    training = Training(batch=2, side=32)
    state = RunState(tmp_path / "run", Crops(photographs), training, SIZES, device=torch.device("cpu"))
    before = {name: value.clone() for name, value in state.model.state_dict().items()}
    monkeypatch.setattr(loop, "LEVEL_WEIGHT", float("nan"))
    assert np.isnan(train_step(state, 1.0)).all()
    assert (state.step, state.skipped) == (0, 1)
    assert all(torch.equal(value, before[name]) for name, value in state.model.state_dict().items())
    state.skipped_in_a_row = MOST_SKIPPED - 1
    with pytest.raises(TrainingError, match="50 steps behind step 0 were not finite"):
        train_step(state, 1.0)


def test_a_run_needs_a_time_pictures_and_known_settings(photographs, tmp_path):
    """Each said in a line."""
    with pytest.raises(UsageError, match="--minutes"):
        train_denoiser(tmp_path / "run", data=photographs, minutes=None)
    with pytest.raises(UsageError, match=r"'gausian'.*did you mean 'gaussian'"):
        train_denoiser(tmp_path / "run", data=photographs, minutes=1, settings=["gausian=1"])
    with pytest.raises(UsageError, match="together at most 1"):
        Training(gaussian=0.9, camera=0.2)
    with pytest.raises(UsageError, match="multiple of 8"):
        Training(side=50)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="two or more"):
        train_denoiser(tmp_path / "run", data=tmp_path / "empty", minutes=1)
    (tmp_path / "checkpoint.pt").write_bytes(b"none")
    with pytest.raises(FormatError):
        read_checkpoint(tmp_path / "checkpoint.pt")


def test_a_resumed_run_is_the_run(photographs, tmp_path):
    """Weights, optimisers, average and random states come back."""
    crops = Crops(photographs)
    run = RunState(tmp_path / "run", crops, Training(batch=2, side=32), SIZES, device=torch.device("cpu"))
    run.step, run.used, run.budget = 7, 3.0, 60.0
    run.save()
    saved = read_checkpoint(tmp_path / "run" / "checkpoint.pt")
    back = RunState(
        tmp_path / "run", crops, Training(batch=2, side=32), SIZES, device=torch.device("cpu"), seed=9, saved=saved
    )
    assert (back.step, back.used, back.budget) == (7, 3.0, 60.0)
    assert all(torch.equal(one, two) for one, two in zip(run.model.parameters(), back.model.parameters(), strict=True))
    ours, theirs = (draw_batch(crops, one.training, one.random) for one in (run, back))
    assert np.array_equal(ours.noisy, theirs.noisy)
    with pytest.raises(FormatError, match="other networks"):
        RunState(
            tmp_path / "run",
            crops,
            Training(),
            NetworkSettings((4, 6), (1, 1), 4),
            device=torch.device("cpu"),
            saved=saved,
        )


def test_every_kind_of_degradation_has_its_level(photographs):
    """Levels are those of what was added; clean windows have none; a grey window may have grey noise."""
    crops, random = Crops(photographs), np.random.default_rng(1)
    for name in ("gaussian", "camera", "jpeg", "impulse"):
        shares = {**dict.fromkeys(("gaussian", "camera", "jpeg", "impulse"), 0.0), name: 1.0}
        batch = draw_batch(crops, Training(batch=12, side=64, **shares), random)
        found = np.sqrt(np.square(batch.noisy - batch.clean).mean((1, 2, 3)))
        assert (found > 0).any()
        # clipping takes some of a strong Gaussian noise away
        assert np.abs(found - batch.level).max() < (0.06 if name == "gaussian" else 1e-6)
    wider = draw_batch(crops, Training(batch=6, side=136), random)  # than all of the pictures
    assert wider.clean.shape == (6, 136, 136, 3)
    batch = draw_batch(crops, Training(batch=4, gaussian=0, camera=0, jpeg=0, impulse=0), random)
    assert np.array_equal(batch.noisy, batch.clean)
    assert not batch.level.any()


def test_the_learning_rate_rises_stays_and_falls():
    """To a fiftieth at the end."""
    training = Training(warm_up_steps=10, decay_from=0.5)
    assert rate_factor(0.0, 0, training) == pytest.approx(0.1)
    assert rate_factor(0.4, 100, training) == 1
    assert rate_factor(1.0, 100, training) == pytest.approx(0.02)


def test_every_setting_says_what_it_means():
    """`isthmus recipes denoise` shows it."""
    assert set(meanings_of(Training)) == set(Training.__dataclass_fields__)


def test_what_is_exported_computes_what_was_trained_and_comes_back():
    """Weights in half precision; the same after export, import and export."""
    network = small_network()
    back = denoiser_of(small_denoiser().file)
    assert back.settings == network.settings
    for one, two in zip(network.parameters(), back.parameters(), strict=True):
        assert torch.allclose(one, two, rtol=1e-3, atol=1e-4)
    assert export_denoiser(back, facts={"licence": "none"}) == small_file()


def test_what_an_output_pixel_looks_at_is_within_reach():
    """A change further away changes nothing, one within does."""
    network, far = small_network(), reach(SIZES)
    pixels, level = torch.zeros(1, 3, 16, 4 * far), torch.full((1, 1, 1, 1), 0.1)
    changed = pixels.clone()
    changed[..., :8] = 0.4
    difference = (network.denoise(changed, level) - network.denoise(pixels, level)).abs().amax((0, 1, 2))
    assert difference[8:far].max() > 0
    assert difference[8 + far :].max() == 0


def test_weights_that_are_no_numbers_are_not_exported():
    """The training failed: nothing is written."""
    network = small_network()
    network.noise.tail.bias[0] = float("nan")
    with pytest.raises((TrainingError, FormatError), match="finite"):
        export_denoiser(network)


def test_weights_of_half_precision_are_small_and_come_back(tmp_path):
    """Those of a checkpoint's average, or of an .npz file; what is neither is said."""
    network = small_network()
    save_weights(network, tmp_path / "weights.npz")
    back = load_trained(tmp_path / "weights.npz")
    assert back.settings == network.settings
    assert export_denoiser(back) == export_denoiser(network)
    (tmp_path / "other.npz").write_bytes(b"PK")
    with pytest.raises(FormatError, match="no weights of a denoiser"):
        load_trained(tmp_path / "other.npz")
    with pytest.raises(InputError):
        load_trained(tmp_path / "absent.npz")


@pytest.mark.train
def test_adapting_changes_the_network_and_keeps_the_estimate():
    """The picture is not changed; tiny pictures leave the denoiser as it is."""
    denoiser, random = small_denoiser(), np.random.default_rng(0)
    pixels = random.integers(0, 256, (64, 48, 3), np.uint8)
    kept = pixels.copy()
    own = adapted(denoiser, Picture(pixels), steps=3)
    assert np.array_equal(pixels, kept)
    assert own.file.id != denoiser.file.id
    assert own.estimate(pixels) == pytest.approx(denoiser.estimate(pixels), abs=1e-3)
    assert adapted(denoiser, Picture(pixels[:8, :8]), steps=3) is denoiser
    grey = adapted(denoiser, Picture(pixels[:, :, :1].copy()), steps=1)
    assert grey.file.id != denoiser.file.id


def test_a_denoiser_is_no_codec(tmp_path):
    """`compress --model` and `load_model` say which command takes it."""
    (tmp_path / "small.isthmus").write_bytes(small_file())
    with pytest.raises(ModelMismatchError, match="'isthmus denoise' takes it"):
        load_model(tmp_path / "small.isthmus")
