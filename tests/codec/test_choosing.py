"""Each picture in the coding that suits it, exact where asked; and what strangers put into our files."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

import isthmus
from isthmus.codec import pipeline
from isthmus.codec.api import decode_picture
from isthmus.codec.choosing import encode_best, encode_wished
from isthmus.codec.codings import SSIMULACRA2, Codings, score
from isthmus.codec.first_look import is_even, looks_like_photograph
from isthmus.codec.targets import Target, Wish
from isthmus.container.asked import Asked
from isthmus.container.image_file import ImageFile, read_image, write_image
from isthmus.container.image_header import FORMATS, read_header
from isthmus.errors import FormatError, IsthmusError, UnsupportedVersionError, UsageError
from isthmus.imaging import foreign
from isthmus.imaging.fitting import encode_alpha
from isthmus.imaging.reading import read_picture
from isthmus.imaging.windows import Window
from isthmus.imaging.writing import to_file_bytes
from isthmus.values import Picture

needs_avif = pytest.mark.skipif(not foreign.has_avif(), reason="this Pillow has no AVIF")


def _drawing() -> np.ndarray:
    pixels = np.full((96, 128, 3), 250, np.uint8)
    pixels[20:60, 10:100] = (200, 30, 40)
    pixels[::7, 30:90] = (10, 10, 120)
    return pixels


def _textured() -> np.ndarray:
    random = np.random.default_rng(5)
    coarse = random.normal(128, 50, (20, 24, 3)).repeat(8, 0).repeat(8, 1)
    return np.clip(coarse + random.normal(0, 6, coarse.shape), 0, 255).astype(np.uint8)


def _coding(data):
    return read_header(data).format or "learned"


def test_a_drawing_is_exact_or_avif_and_a_texture_is_learned():
    """And the drawing takes fewer bytes than the model makes of it."""
    drawing = isthmus.encode(_drawing(), quality=60)
    assert _coding(drawing) != "learned"
    assert len(drawing) < len(isthmus.encode(_drawing(), quality=60, coding="learned"))
    assert looks_like_photograph(_textured())
    assert _coding(isthmus.encode(_textured(), quality=60)) == "learned"


@needs_avif
def test_a_small_picture_that_the_model_cannot_show_is_no_photograph_after_all():
    """Stripes of single pixels in colours, which a glance takes for texture; in packs a glance is all there is."""
    stripes = 20 * np.sign(np.sin(2 * np.pi * (np.arange(192) + 0.5) / 3))[:, None] * [1, -1, 1]
    pixels = np.clip(_textured() + stripes, 0, 255).astype(np.uint8)
    assert looks_like_photograph(pixels)
    learned, chosen = (isthmus.encode(pixels, quality=90, coding=coding) for coding in ("learned", "auto"))
    scores = [score(Picture(pixels), decode_picture(data), SSIMULACRA2) for data in (learned, chosen)]
    assert scores[0] < 75
    assert scores[1] >= 90
    assert _coding(chosen) != "learned"


@pytest.mark.parametrize("wish", [Wish(Target(lossless=True)), Wish(Target(quality=60), coding="exact")])
def test_nothing_is_coded_by_the_model_where_it_is_not_asked(wish):
    """A small picture is not checked then."""
    codings = Codings(Picture(_textured()), isthmus.load_model("photo").coder)
    assert codings.is_photograph
    assert _coding(encode_best(codings, wish)) == "webp"
    assert not codings.is_analysed


def _ramp(first, last, slope):
    y, x = np.mgrid[:120, :160]
    share = (x / 160 * slope + y / 120 * (1 - slope))[:, :, None]
    return np.rint(np.array(first) * (1 - share) + np.array(last) * share).astype(np.uint8)


@pytest.mark.parametrize("slope", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("quality", [90, 100])
def test_ramps_have_no_bands_from_quality_90_on(slope, quality):
    """No value is off by more than three levels; below, it is the score that counts."""
    ramp = _ramp((200, 30, 90), (20, 180, 240), slope)
    assert not looks_like_photograph(ramp)
    assert is_even(ramp)
    shown = np.asarray(isthmus.decode(isthmus.encode(ramp, quality=quality)), np.int16)
    assert np.abs(shown - ramp).max() <= 3


def test_white_noise_is_no_photograph_and_comes_back():
    """The model, which has never seen any, would end at a score of 60."""
    noise = np.clip(np.random.default_rng(0).normal(128, 20, (128, 128, 3)), 0, 255).astype(np.uint8)
    assert not looks_like_photograph(noise)
    assert not is_even(noise)
    back = _decoded(isthmus.encode(noise, quality=100))
    assert score(Picture(noise), Picture(back), "ssimulacra2") > 80


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("has_alpha", [False, True])
def test_lossless_is_exact(channels, has_alpha):
    """Grey and colours, with alpha and without, the colours below full transparency too."""
    random = np.random.default_rng(2)
    pixels = random.integers(0, 256, (40, 30, channels), np.uint8)
    alpha = np.where(np.arange(30) < 15, 0, random.integers(0, 256, (40, 30))).astype(np.uint8)
    picture = Picture(pixels, alpha=alpha if has_alpha else None, exif=b"Exif\0\0data")
    data = isthmus.encode(picture, lossless=True, exact=True)
    back = pipeline.decode([data], None)[0]
    assert np.array_equal(back.pixels, pixels)
    assert (back.alpha is None) == (not has_alpha)
    assert not has_alpha or np.array_equal(back.alpha, alpha)
    assert back.exif == b"Exif\0\0data"
    out = io.BytesIO()
    Image.fromarray(np.dstack([pixels.repeat(3 // channels, 2), *([alpha] if has_alpha else [])])).save(
        out, "WEBP", lossless=True, quality=100, method=6, exact=True
    )
    assert len(isthmus.encode(replace(picture, exif=None), lossless=True, exact=True)) <= len(out.getvalue()) + 40


def _logo():
    mask = Image.new("L", (800, 600), 0)
    ImageDraw.Draw(mask).ellipse((60, 40, 700, 500), fill=255)
    alpha = np.asarray(mask.resize((200, 150), Image.Resampling.LANCZOS))
    return Picture(np.full((150, 200, 3), (200, 40, 30), np.uint8), alpha=alpha)


@needs_avif
@pytest.mark.parametrize("quality", [40, 80])
def test_a_logo_has_its_alpha_in_avif_and_looks_right_on_any_paper(quality):
    """In fewer bytes than its exact alpha alone takes; opaque and clear parts stay so to the eye."""
    logo = _logo()
    data = isthmus.encode(logo, quality=quality, coding="graphics")
    image = read_image(data)
    assert image.alpha_inside
    assert len(data) < len(isthmus.encode(Picture(logo.pixels), quality=quality)) + len(encode_alpha(logo.alpha))
    back = decode_picture(data)
    assert back.alpha[:4].max() <= 3
    assert back.alpha[75, 95] >= 252
    assert score(logo, back, "ssimulacra2") >= quality
    assert score(logo, replace(back, alpha=None), "ssimulacra2") < 0


@needs_avif
def test_grey_with_alpha_keeps_it_exactly():
    """AVIF would make colours of it."""
    logo = _logo()
    grey = Picture(np.ascontiguousarray(logo.pixels[:, :, :1]), alpha=logo.alpha)
    for coding in ("graphics", "learned"):
        back = decode_picture(isthmus.encode(grey, quality=50, coding=coding))
        assert back.channels == 1
        assert np.array_equal(back.alpha, logo.alpha)


def test_opaque_alpha_comes_back():
    """WebP leaves it out."""
    picture = Picture(_drawing(), alpha=np.full((96, 128), 255, np.uint8))
    back = pipeline.decode([isthmus.encode(picture, lossless=True)], None)[0]
    assert back.alpha is not None
    assert back.alpha.min() == 255


@pytest.mark.parametrize("coding", ["learned", "exact", pytest.param("graphics", marks=needs_avif)])
def test_grey_that_is_stored_as_colours_stays_neutral(coding):
    """To the last bit, and comes back as colours."""
    grey = np.repeat(_textured()[:, :, :1], 3, axis=2)
    back = isthmus.decode(isthmus.encode(grey, quality=50, coding=coding))
    assert back.shape == grey.shape
    assert np.array_equal(back[:, :, 0], back[:, :, 1])
    assert np.array_equal(back[:, :, 0], back[:, :, 2])


def test_what_was_asked_for_stands_in_the_file():
    """A quality that the header has already takes no bytes."""
    picture = _textured()
    assert read_image(isthmus.encode(picture, target_bytes=3000)).asked == Asked("bytes", 3000.0)
    assert read_image(isthmus.encode(picture, lossless=True)).asked == Asked("lossless", 0.0)
    data = isthmus.encode(picture, quality=60)
    assert (read_image(data).asked or Asked("quality", read_image(data).quality)) == Asked("quality", 60.0)


def test_a_target_in_ssimulacra2_is_reached_and_hardly_exceeded():
    """By the model; what it cannot reach is said, or reached by another coding."""
    picture = Picture(_textured())
    back = pipeline.decode([isthmus.encode(picture, target_ssimulacra2=60.0, coding="learned")], _coder())[0]
    assert 60.0 <= score(picture, back, "ssimulacra2") <= 60.5
    with pytest.raises(UsageError, match="reaches"):
        isthmus.encode(picture, target_ssimulacra2=99.9, coding="learned")
    assert score(picture, Picture(_decoded(isthmus.encode(picture, target_ssimulacra2=99.9))), "ssimulacra2") >= 99.9
    with pytest.raises(UsageError, match="100 at most"):
        isthmus.encode(picture, target_ssimulacra2=101)
    with pytest.raises(UsageError, match="8 pixels"):
        isthmus.encode(picture.pixels[:5], target_ssimulacra2=50)


def test_target_bytes_is_never_exceeded_and_exact_where_that_fits():
    """A drawing fits whole."""
    exact = len(isthmus.encode(_drawing(), lossless=True))
    data = isthmus.encode(_drawing(), target_bytes=exact + 10)
    assert _coding(data) == "webp"
    noise = np.random.default_rng(3).integers(0, 200, (96, 128, 3)).astype(np.uint8)
    busy = np.where(_drawing() > 200, _drawing(), noise)
    assert len(isthmus.encode(busy, target_bytes=3000)) <= 3000


def test_wishes_that_exclude_each_other_are_refused():
    """In one line."""
    for wrong in ({"quality": 50}, {"target_bytes": 900}, {"target_ssimulacra2": 80}, {"coding": "learned"}):
        with pytest.raises(UsageError):
            isthmus.encode(_drawing(), lossless=True, **wrong)
    with pytest.raises(UsageError, match="a coding is one of"):
        isthmus.encode(_drawing(), coding="best")


def test_a_region_of_tiles_needs_those_tiles_alone():
    """And a lost tile is blank."""
    pixels = np.random.default_rng(1).integers(0, 255, (1030, 2060, 3), np.uint8)
    halves = [foreign.encode_webp(pixels[rows, columns], None, keep_hidden=True)
              for rows in (slice(0, 1024), slice(1024, None))
              for columns in (slice(0, 1024), slice(1024, 2048), slice(2048, None))]  # fmt: skip
    image = ImageFile(FORMATS["webp"], 2060, 1030, 3, 100, tuple(halves), tile_size=1024)
    data = write_image(image)
    part = pipeline.decode_region(data, None, Window(1000, 2000, 30, 60))
    assert np.array_equal(part.pixels, pixels[1000:, 2000:])
    damaged = bytearray(data)
    damaged[len(data) - len(halves[-1]) - 4] ^= 1
    saved, missing = pipeline.salvage(bytes(damaged), None)
    assert missing == ("tile 5",)
    assert np.array_equal(saved.pixels[:1024], pixels[:1024])
    assert saved.pixels[1024:, 2048:].max() == 0


def _webp(size, mode="RGB", **options):
    out = io.BytesIO()
    Image.new(mode, size, 7).save(out, "WEBP", **options)
    return out.getvalue()


def _animated():
    out = io.BytesIO()
    frames = [Image.new("RGB", (20, 10), value) for value in (0, 200)]
    frames[0].save(out, "WEBP", lossless=True, save_all=True, append_images=frames[1:])
    return out.getvalue()


ORIENTED = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\1\0\0\0\x06\0\0\0\0\0\0\0"
HOSTILE = {
    "a bomb": _webp((16383, 100), lossless=True),
    "lossy": _webp((20, 10)),
    "with EXIF": _webp((20, 10), lossless=True, exif=ORIENTED),
    "animated": _animated(),
    "cut": _webp((20, 10), lossless=True)[:-5],
    "empty": b"",
    "another format": b"\x89PNG\r\n\x1a\n" + bytes(60),
}  # fmt: skip


@pytest.mark.parametrize("format_name", ["webp", pytest.param("avif", marks=needs_avif)])
@pytest.mark.parametrize("payload", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_payload_of_another_kind_or_size_is_refused(payload, format_name):
    """Though every checksum holds."""
    data = write_image(ImageFile(FORMATS[format_name], 20, 10, 3, 50, (payload,)))
    with pytest.raises(FormatError):
        isthmus.decode(data)


@needs_avif
def test_the_orientation_within_an_avif_is_not_applied():
    """Neither its own turn nor its EXIF's: the file's sections say what there is."""
    out = io.BytesIO()
    pixels = _drawing()
    Image.fromarray(pixels).save(out, "AVIF", quality=90, subsampling="4:4:4", exif=ORIENTED)
    with Image.open(out) as image:
        assert image.getexif()[0x0112] == 6
    data = write_image(ImageFile(FORMATS["avif"], 128, 96, 3, 50, (out.getvalue(),)))
    decoded = decode_picture(data)
    assert np.abs(decoded.pixels.astype(int) - pixels).mean() < 3
    assert decoded.exif is None


@needs_avif
@pytest.mark.parametrize("name", ["AVIF", "WEBP"])
def test_the_orientation_of_a_source_is_applied_once(name):
    """Though an AVIF says it twice: in EXIF and by a turn of its own."""
    out = io.BytesIO()
    pixels = _drawing()
    Image.fromarray(pixels).save(out, name, quality=90, subsampling="4:4:4", lossless=True, exif=ORIENTED)
    picture = read_picture(Path("a"), data=out.getvalue())
    assert (picture.width, picture.height) == (96, 128)
    upright = np.rot90(pixels, -1)
    assert np.abs(picture.pixels.astype(int) - upright).mean() < 3
    decoded = decode_picture(isthmus.encode(picture, lossless=True))
    assert np.array_equal(decoded.pixels, picture.pixels)
    assert decoded.exif is not None
    for suffix in (".avif", ".webp", ".jpg", ".png"):
        again = read_picture(Path("a"), data=to_file_bytes(decoded, suffix))
        assert np.abs(again.pixels.astype(int) - upright).mean() < 3


@needs_avif
def test_flipped_bytes_of_an_avif_are_an_error_or_another_picture():
    """Of the announced size."""
    payload = foreign.encode_avif(_drawing(), None, 60)
    random = np.random.default_rng(0)
    for place in random.integers(0, len(payload), 60).tolist():
        flipped = bytearray(payload)
        flipped[place] ^= int(random.integers(1, 256))
        data = write_image(ImageFile(FORMATS["avif"], 128, 96, 3, 50, (bytes(flipped),)))
        try:
            assert isthmus.decode(data).shape == (96, 128, 3)
        except IsthmusError as error:
            assert "\n" not in str(error)


def test_without_avif_the_encoder_does_without_and_the_decoder_says_so(monkeypatch):
    """Pillow may be built without it."""
    monkeypatch.setattr(foreign, "has_avif", lambda: False)
    assert _coding(isthmus.encode(_drawing(), quality=60)) == "webp"
    with pytest.raises(UsageError, match="AVIF"):
        isthmus.encode(_drawing(), quality=60, coding="graphics")
    with pytest.raises(UnsupportedVersionError, match=r"needs Pillow 11\.3"):
        isthmus.decode(write_image(ImageFile(FORMATS["avif"], 20, 10, 3, 50, (b"x",))))


def test_a_model_of_ones_own_pictures_is_not_passed_over(golden_model, pictures):
    """Unless it is asked for."""
    assert (
        _coding(encode_wished([Picture(pictures[0][:, :, None])], golden_model.coder, Wish(Target(50)))[0]) == "learned"
    )


@pytest.mark.parametrize("make", [_drawing, _textured])
def test_what_is_kept_for_the_next_wish_changes_no_byte_of_it(make):
    """And a wish that was ended halfway spoils nothing."""
    picture, steps = Picture(make()), []

    def count():
        steps.append(None)
        if len(steps) == 2:
            raise KeyboardInterrupt

    kept = Codings(picture, _coder(), at_step=count)
    with pytest.raises(KeyboardInterrupt):
        encode_best(kept, Wish(Target(psnr=30.0)))
    for target in (Target(60), Target(psnr=30.0), Target(file_bytes=2000), Target(lossless=True), Target(61)):
        assert encode_best(kept, Wish(target)) == encode_wished([picture], _coder(), Wish(target))[0]
    done = len(steps)
    encode_best(kept, Wish(Target(60)))
    assert len(steps) == done


def _coder():
    return isthmus.codec.api.loaded_model("photo").coder


def _decoded(data):
    return pipeline.decode([data], _coder())[0].pixels
