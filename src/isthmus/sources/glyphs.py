"""Characters drawn on the fly from Pillow's own font: a small data set that needs no download."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from isthmus.sources.picture_set import PictureSet

SIDE = 28
_DRAWN = 4 * SIDE  # drawn large and reduced, so that slants and strokes are smooth
_MIDDLE = _DRAWN / 2


def draw_glyphs(characters: str, count: int, *, seed: int) -> PictureSet:
    """Draw random characters with random size, slant, rotation, stroke and blur.

    Args:
        characters: what is drawn, each equally often on average.
        count: how many pictures.
        seed: the same seed gives the same pictures with the same version of Pillow.

    Returns:
        28×28 grey pictures, white on black; labels are positions in `characters`.
    """
    random = np.random.default_rng(seed)
    fonts: dict[int, ImageFont.FreeTypeFont | ImageFont.ImageFont] = {}
    pictures = np.empty((count, SIDE, SIDE, 1), np.uint8)
    labels = random.integers(0, len(characters), count)
    for index, label in enumerate(labels):
        size = int(random.integers(64, 97))
        if size not in fonts:
            fonts[size] = ImageFont.load_default(size)
        pictures[index, :, :, 0] = _draw(characters[label], fonts[size], random)
    return PictureSet(pictures, labels)


def _draw(
    character: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, random: np.random.Generator
) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    image = Image.new("L", (_DRAWN, _DRAWN))
    stroke = int(random.integers(0, 5))
    ImageDraw.Draw(image).text(
        (_MIDDLE, _MIDDLE), character, fill=255, font=font, anchor="mm", stroke_width=stroke, stroke_fill=255
    )
    angle = math.radians(random.uniform(-15, 15))
    slant = random.uniform(-0.3, 0.3)
    shift_x, shift_y = random.uniform(-8, 8, 2)
    cosine, sine = math.cos(angle), math.sin(angle)
    # The affine map takes output positions to input positions: rotation, then slant, about the middle.
    a, b = cosine + slant * sine, -sine + slant * cosine
    c = _MIDDLE - a * (_MIDDLE + shift_x) - b * (_MIDDLE + shift_y)
    d, e = sine, cosine
    f = _MIDDLE - d * (_MIDDLE + shift_x) - e * (_MIDDLE + shift_y)
    image = image.transform((_DRAWN, _DRAWN), Image.Transform.AFFINE, (a, b, c, d, e, f), Image.Resampling.BILINEAR)
    image = image.resize((SIDE, SIDE), Image.Resampling.BOX)
    blur = random.uniform(0, 0.7)
    return np.asarray(image.filter(ImageFilter.GaussianBlur(blur)))
