"""Synthetic augmentation: jittered colours, none, graphics and flat windows, which photographs seldom hold."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Pixels = NDArray[np.uint8]
GREY_WEIGHTS = (0.299, 0.587, 0.114)
MOST_SHAPES = 16


def colour_jitter(window: Pixels, random: np.random.Generator) -> Pixels:
    """(rows, columns, 3): the window with stronger colours and contrast, other hues, or negative."""
    values = window[:, :, random.permutation(3)].astype(np.float32)
    if random.random() < 0.25:
        values = 255 - values
    grey = (values @ np.array(GREY_WEIGHTS, np.float32))[:, :, None]
    values = grey + (values - grey) * np.float32(random.uniform(1, 4))
    middle = np.float32(random.uniform(64, 192))
    values = middle + (values - middle) * np.float32(random.uniform(0.7, 2))
    return np.rint(np.clip(values, 0, 255)).astype(np.uint8)


def synthetic_graphic(side: int, random: np.random.Generator) -> Pixels:
    """(side, side, 3): flat or graded colours, shapes, lines and writing, without smooth edges or with."""
    scale = int(random.integers(1, 3))
    image = Image.fromarray(_background(side * scale, random))
    pen = ImageDraw.Draw(image)
    for _ in range(random.integers(0, MOST_SHAPES)):
        _draw(pen, side * scale, random)
    return np.asarray(image.resize((side, side), Image.Resampling.BOX), np.uint8)


def flat_window(side: int, random: np.random.Generator) -> Pixels:
    """(side, side, 3): one colour, or two that meet in a straight line."""
    window = np.empty((side, side, 3), np.uint8)
    window[:] = _colour(random)
    if random.random() < 0.3:
        window[int(random.integers(1, side)) :] = _colour(random)
    return window if random.random() < 0.5 else np.ascontiguousarray(window.transpose(1, 0, 2))


def grey_window(window: Pixels) -> Pixels:
    """(rows, columns, 3): the window without its colours."""
    light = np.rint(window @ np.array(GREY_WEIGHTS, np.float32)).astype(np.uint8)
    return np.repeat(light[:, :, None], 3, axis=2)


def _background(side: int, random: np.random.Generator) -> Pixels:
    first, last = (np.array(_colour(random), np.float32) for _ in range(2))
    if random.random() < 0.6:
        last = first
    share = np.linspace(0, 1, side, dtype=np.float32)[:, None, None]
    graded = np.broadcast_to(first + (last - first) * share, (side, side, 3))
    turned = graded if random.random() < 0.5 else graded.transpose(1, 0, 2)
    return np.ascontiguousarray(np.rint(turned)).astype(np.uint8)


def _colour(random: np.random.Generator) -> tuple[int, ...]:
    """Any colour, or a corner of the cube, or a grey."""
    kind = random.random()
    if kind < 0.4:
        return tuple(int(value) for value in random.integers(0, 256, 3))
    if kind < 0.8:
        return tuple(int(value) * 255 for value in random.integers(0, 2, 3))
    return (int(random.integers(0, 256)),) * 3


def _draw(pen: ImageDraw.ImageDraw, side: int, random: np.random.Generator) -> None:
    colour, width = _colour(random), int(random.integers(1, 9))
    left, top = (int(value) for value in random.integers(-side // 4, side, 2))
    right, bottom = (
        start + int(length) for start, length in zip((left, top), random.integers(4, side, 2), strict=True)
    )
    kind = random.integers(5)
    if kind == 0:
        pen.rectangle((left, top, right, bottom), fill=colour)
    elif kind == 1:
        pen.ellipse((left, top, right, bottom), fill=colour)
    elif kind == 2:
        pen.rectangle((left, top, right, bottom), outline=colour, width=width)
    elif kind == 3:
        pen.line((left, bottom, right, top), fill=colour, width=width)
    else:
        letters = "".join(chr(int(code)) for code in random.integers(33, 127, 24))
        pen.text((left, top), letters, fill=colour, font=ImageFont.load_default(int(random.integers(9, 40))))
