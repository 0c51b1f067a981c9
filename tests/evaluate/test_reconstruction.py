"""Figures show pictures as they are: their own pixels, labels inside the frame, formats by suffix."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from isthmus.codec.denoising import denoise_files
from isthmus.codec.model import Model
from isthmus.errors import UsageError
from isthmus.evaluate.code_drawing import draw_codes
from isthmus.evaluate.figure_file import figure_form
from isthmus.evaluate.picture_grid import Row, as_cell, draw_grid
from isthmus.evaluate.reconstruction import draw_reconstructions, shown_at_once
from isthmus.values import Picture
from tests.conftest import job_of


@pytest.fixture
def denoiser(golden_model) -> Model:
    """The golden model, as if it had learnt to remove noise."""
    return Model(replace(golden_model.file, facts={"recipe": {"noise": {"kind": "impulse", "amount": 0.2}}}))


def _image(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGB"))


def test_a_photograph_is_drawn_pixel_by_pixel_up_to_512():
    """Its own pixels stand in the figure; a larger one is reduced, a small one enlarged in whole multiples."""
    random = np.random.default_rng(0)
    photo = random.integers(0, 256, (90, 200, 3), np.uint8)
    figure = _image(draw_grid([Row("original", (as_cell(photo),))], form="png"))
    windows = np.lib.stride_tricks.sliding_window_view(figure[..., 0], (1, 200))
    rows, columns = np.nonzero((windows == photo[:1, :, 0]).all(axis=(2, 3)))
    assert len(rows) == 1
    top, left = rows[0], columns[0]
    assert np.array_equal(figure[top : top + 90, left : left + 200], photo)
    assert as_cell(np.zeros((2000, 1000, 3), np.uint8)).shape == (512, 256, 3)
    small = random.integers(0, 256, (28, 28, 1), np.uint8)
    assert np.array_equal(as_cell(small)[::4, ::4, 0], small[..., 0])
    assert as_cell(small, 300).shape == (280, 280, 3)


def test_labels_captions_and_titles_stay_inside_the_frame():
    """However long: the outermost pixels are white."""
    cell = np.zeros((20, 20, 3), np.uint8)
    rows = [Row("a long label of a row", (cell, cell), ("a caption far wider than its cell", "x\ny\nz"))]
    figure = _image(draw_grid(rows, form="png", title="a title that is far longer than " * 5, headings=("one", "two")))
    for edge in (figure[0], figure[-1], figure[:, 0], figure[:, -1]):
        assert (edge == 255).all()
    assert (figure == 0).any()


def test_maps_of_a_code_are_parted_by_whole_white_lines():
    """Each map keeps its pixels; the lines survive, as nothing is resampled."""
    codes = np.random.default_rng(1).normal(size=(2, 4, 3, 3)).astype(np.float32)
    first, second = draw_codes(codes, size=60)
    assert first.shape == second.shape == (61, 61, 3)
    assert (first[30] == 255).all()
    assert (first[:, 30] == 255).all()
    assert not (first[:30, :30] == 255).all(axis=2).any()
    numbers = draw_codes(codes.reshape(2, 36, 1, 1), size=60)
    assert numbers[0].shape == (60, 60, 3)


def test_a_figure_has_the_format_of_its_suffix(golden_model, pictures):
    """PNG, SVG and PDF; the same figure is the same bytes."""
    shown = [Picture(one[:, :, None]) for one in pictures[:3]]
    for name, start in (("a.png", b"\x89PNG"), ("a.SVG", b"<?xml"), ("a.pdf", b"%PDF")):
        figure = draw_reconstructions(shown, golden_model, form=figure_form(Path(name)))
        assert figure.startswith(start)
        assert figure == draw_reconstructions(shown, golden_model, form=figure_form(Path(name)))
    with pytest.raises(UsageError, match=r"\.png, \.svg, \.pdf"):
        figure_form(Path("a.jpg"))


def test_more_pictures_than_columns_go_on_below(golden_model, pictures):
    """Two columns make a narrower and higher figure of the same four pictures."""
    shown = [Picture(one[:, :, None]) for one in pictures[:4]]
    wide, high = (_image(draw_reconstructions(shown, golden_model, columns=columns)) for columns in (4, 2))
    assert high.shape[0] > 1.8 * wide.shape[0]
    assert high.shape[1] < wide.shape[1]
    assert shown_at_once(shown[0]) == 12


def test_a_denoisers_figure_has_a_row_of_noisy_pictures(golden_model, denoiser, pictures):
    """Clean, noisy, code, denoised."""
    shown = [Picture(one[:, :, None]) for one in pictures[:2]]
    plain, noisy = (_image(draw_reconstructions(shown, model)) for model in (golden_model, denoiser))
    assert noisy.shape[0] > plain.shape[0] + 100


def test_noise_is_added_and_measured_against_the_clean_picture(denoiser, pictures, tmp_path):
    """Both files are kept, and the PSNRs are theirs."""
    Image.fromarray(pictures[0]).save(tmp_path / "clean.png")
    target = tmp_path / "out.png"
    (done,) = denoise_files([job_of(tmp_path / "clean.png", target)], denoiser, with_noise=True)
    assert done.error is None
    made = done.result
    assert made.noisy == str(tmp_path / "out.noisy.png")
    for path, decibels in ((target, made.psnr), (made.noisy, made.noisy_psnr)):
        with Image.open(path) as image:
            error = np.mean((np.asarray(image).astype(float) - pictures[0]) ** 2)
        assert decibels == pytest.approx(10 * np.log10(255**2 / error))
    (again,) = denoise_files([job_of(tmp_path / "clean.png", tmp_path / "new.png")], denoiser, with_noise=True)
    assert np.array_equal(Image.open(made.noisy), Image.open(again.result.noisy))


def test_a_photo_models_figure_shows_where_its_symbols_are(photo_picture):
    """Of a model without a code to draw: a map of one value for every position."""
    from isthmus.codec.model import load_model

    figure = _image(draw_reconstructions([photo_picture], load_model("photo"), quality=20))
    assert figure.shape[0] > 3 * photo_picture.height


@pytest.fixture
def photo_picture() -> Picture:
    """Smooth colours with a little noise."""
    random = np.random.default_rng(5)
    ramp = np.linspace(0, 220, 160)[None, :, None] * np.ones((128, 1, 3))
    return Picture((ramp + random.normal(0, 5, ramp.shape)).clip(0, 255).astype(np.uint8))
