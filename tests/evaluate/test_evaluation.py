"""An evaluation end to end on small pictures: right figures, going on, failures, several processes."""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pytest
from PIL import Image

from isthmus.codec.model import load_model
from isthmus.errors import InputError, OutputError, UsageError
from isthmus.evaluate import running
from isthmus.evaluate.evaluation import EvaluationOptions, evaluate
from isthmus.sources.finding import find_sources
from tests.conftest import GOLDEN, needs_openvino

MODEL = str(GOLDEN / "golden-hyperprior.isthmus")


@pytest.fixture
def pictures(tmp_path):
    """A folder of three colour pictures and a grey one, of several sizes."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    random = np.random.default_rng(2)
    for index, shape in enumerate([(48, 64, 3), (64, 64, 3), (70, 33, 3), (40, 40)]):
        noise = random.normal(128, 60, (6, 6, *shape[2:]))
        small = Image.fromarray(np.clip(noise, 0, 255).astype(np.uint8))
        small.resize(shape[1::-1], Image.Resampling.BICUBIC).save(folder / f"{index}.png")
    return folder


def run(pictures, folder, **options):
    """An evaluation, and the names of pictures in the order in which they were done."""
    done = []
    settings = EvaluationOptions(**{"models": (MODEL,), "against": ("jpeg-444", "webp"), **options})
    results = evaluate(
        find_sources(str(pictures)),
        settings,
        folder,
        data="pictures",
        command="isthmus",
        on_done=lambda one: done.append(one.picture),
    )
    return results, done


def test_figures_are_those_of_an_independent_computation(pictures, tmp_path):
    """Bytes exactly, PSNR to 0.001 dB, for JPEG and the model."""
    results, _ = run(pictures, tmp_path / "out")
    model = load_model(MODEL)
    for codec in results.codecs[:2]:
        point = codec.points[3]
        sizes, psnrs = [], []
        for path in sorted(pictures.glob("*.png")):
            with Image.open(path) as image:
                pixels = np.asarray(image)
            if codec.info.name == "jpeg-444":
                out = io.BytesIO()
                Image.fromarray(pixels).save(
                    out, "JPEG", quality=int(point.quality), optimize=True, subsampling="4:4:4"
                )
                data, back = out.getvalue(), np.asarray(Image.open(out))
            else:
                data = model.encode(pixels, quality=int(point.quality))
                back = model.decode(data)
            sizes.append(8 * len(data) / (pixels.shape[0] * pixels.shape[1]))
            psnrs.append(10 * np.log10(255**2 / np.mean((pixels.astype(float) - back) ** 2)))
        assert point.bpp == pytest.approx(np.mean(sizes), rel=1e-12)
        assert point.psnr == pytest.approx(np.mean(psnrs), abs=1e-3)


def test_the_worst_picture_is_the_one_that_is_worst_alone(pictures, tmp_path):
    """BD-rates of single pictures are those of evaluations of one picture."""
    results, _ = run(pictures, tmp_path / "all", models=())
    rates = results.codecs[0].rates["webp"]["psnr"].pictures
    assert rates is not None and rates.count == 4
    assert rates.best < rates.median < rates.worst
    for name, percent in ((rates.best_picture, rates.best), (rates.worst_picture, rates.worst)):
        alone, _ = run(pictures / name, tmp_path / name, models=())
        assert alone.codecs[0].rates["webp"]["psnr"].whole.percent == pytest.approx(percent)


def test_every_output_is_written(pictures, tmp_path):
    """And the page needs no other file."""
    results, _ = run(pictures, tmp_path / "out")
    stored = json.loads((tmp_path / "out" / "results.json").read_text())
    assert stored["images"] == 4
    assert {"name", "points", "bd_rate"} <= stored["codecs"][0].keys()
    assert stored["codecs"][0]["bd_rate"]["webp"].keys() == {"ssimulacra2", "psnr", "ms_ssim"}
    assert stored["codecs"][1]["bd_rate"] == {}  # it was not asked for
    assert {"quality", "bpp", "psnr", "ms_ssim", "encode_seconds"} <= stored["codecs"][0]["points"][0].keys()
    rows = list(csv.DictReader((tmp_path / "out" / "results.csv").read_text().splitlines()))
    assert len(rows) == 4 * sum(len(codec.points) for codec in results.codecs)
    page = (tmp_path / "out" / "report.html").read_text()
    assert "src='data:image" in page
    assert not any(outside in page for outside in ("<link", "src='http", "url(http", "@import"))
    with Image.open(tmp_path / "out" / "rd.png") as figure:
        assert figure.width > 500


def test_a_killed_run_goes_on(pictures, tmp_path, monkeypatch):
    """What the journal holds is not measured again, a line that was cut off is."""
    run(pictures, tmp_path / "out")
    journal = tmp_path / "out" / running.JOURNAL
    lines = journal.read_text().splitlines()
    journal.write_text("\n".join(lines[:3]) + "\n" + lines[3][:50])
    measured = []
    original = running.measure_picture
    monkeypatch.setattr(
        running, "measure_picture", lambda path, name, *rest: measured.append(name) or original(path, name, *rest)
    )
    results, done = run(pictures, tmp_path / "out")
    assert measured == ["2.png", "3.png"]
    assert sorted(done) == ["0.png", "1.png", "2.png", "3.png"]
    assert len(results.pictures) == 4
    with pytest.raises(OutputError, match="other codecs or settings"):
        run(pictures, tmp_path / "out", against=("webp",))


def test_several_processes_give_the_same_figures(pictures, tmp_path):
    """All but the times."""
    alone, _ = run(pictures, tmp_path / "one", against=("webp",), qualities=(20, 80))
    together, _ = run(pictures, tmp_path / "two", against=("webp",), qualities=(20, 80), jobs=2)
    for one, other in zip(alone.codecs, together.codecs, strict=True):
        assert [(point.bpp, point.psnr) for point in one.points] == [(point.bpp, point.psnr) for point in other.points]


def test_an_unreadable_picture_is_reported_and_left_out(pictures, tmp_path):
    """Of all means, with its reason."""
    (pictures / "9.png").write_text("not a picture")
    results, _ = run(pictures, tmp_path / "out", qualities=(50,))
    assert results.left_out == ("9.png",)
    assert "not a picture" in results.failures[0].message
    assert len(results.pictures) == 4


def test_bad_input_is_one_line(pictures, tmp_path):
    """Nothing to compare, no pictures, no such codec, a model that takes none of the pictures."""
    with pytest.raises(UsageError, match="nothing to compare"):
        run(pictures, tmp_path / "out", models=(), against=())
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no pictures"):
        run(tmp_path / "empty", tmp_path / "out")
    with pytest.raises(UsageError, match="did you mean webp"):
        run(pictures, tmp_path / "out", against=("wepb",))
    with pytest.raises(UsageError, match="metric"):
        run(pictures, tmp_path / "out", metrics=("beauty",))
    with pytest.raises(InputError, match="no picture went through every codec"):
        run(pictures, tmp_path / "out", models=(str(GOLDEN / "golden.isthmus"),))


def test_one_picture_alone(pictures, tmp_path):
    """Is an evaluation too."""
    results, _ = run(pictures / "0.png", tmp_path / "out", qualities=(10, 40, 70, 100))
    assert results.pictures == ("0.png",)
    for rates in results.codecs[0].rates["webp"].values():
        assert rates.whole.percent is not None or rates.whole.reason


@needs_openvino
def test_a_model_is_measured_on_each_engine(pictures, tmp_path):
    """Under names that tell them apart; an engine that is none is refused before anything runs."""
    results, _ = run(
        pictures, tmp_path / "out", against=(), engines=("onnxruntime", "openvino"), qualities=(10.0, 90.0)
    )
    assert [codec.info.name for codec in results.codecs] == ["golden-hyperprior", "golden-hyperprior, openvino"]
    ours, other = (codec.points[0] for codec in results.codecs)
    assert ours.bpp == pytest.approx(other.bpp, rel=0.05)
    with pytest.raises(UsageError, match="an engine is one of"):
        EvaluationOptions(models=(MODEL,), engines=("abacus",))
