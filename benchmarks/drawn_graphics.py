"""Thirty graphics made by script, of six kinds: text, windows, charts, palette art, logos with alpha, gradients.

    python benchmarks/drawn_graphics.py -o FOLDER

The same on every machine that has the same Pillow: its own font and a fixed seed.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageFont

WORDS = [
    "narrow",
    "land",
    "between",
    "two",
    "wide",
    "ones",
    "bottleneck",
    "of",
    "an",
    "encoder",
    "the",
    "quick",
    "brown",
    "fox",
    "jumps",
    "over",
    "lazy",
    "dogs",
    "while",
    "sphinx",
    "of",
    "black",
    "quartz",
    "judges",
    "my",
    "vow",
    "0123456789",
    "table",
    "index",
    "symbol",
    "step",
    "rate",
    "window",
    "menu",
    "open",
    "save",
    "close",
    "file",
    "edit",
    "view",
]
FIVE = range(5)


def drawn_graphics() -> Iterator[tuple[str, Image.Image]]:
    """(name, picture) of each; logos are RGBA, the others RGB."""
    makers = {
        "text": _text,
        "window": _window,
        "chart": _chart,
        "palette": _palette,
        "logo": _logo,
        "gradient": _gradient,
    }
    for kind, (name, make) in enumerate(makers.items()):
        for number in FIVE:
            yield f"{name}-{number}", make(number, np.random.default_rng([kind, number]))


def _font(size: float) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def _line(random: np.random.Generator, words: int) -> str:
    return " ".join(random.choice(WORDS, words))


def _colour(random: np.random.Generator) -> tuple[int, int, int]:
    red, green, blue = random.integers(0, 256, 3).tolist()
    return red, green, blue


def _text(number: int, random: np.random.Generator) -> Image.Image:
    """A page: dark on light or light on dark, letters of 11 to 22 pixels."""
    paper, ink = [((255,) * 3, (20,) * 3), ((30, 30, 36), (220, 220, 210)), ((253, 246, 227), (88, 110, 117)),
                  ((255,) * 3, (0, 0, 0)), ((0, 43, 54), (131, 148, 150))][number]  # fmt: skip
    image = Image.new("RGB", (760, 560), paper)
    pen = ImageDraw.Draw(image)
    top, size = 20, 11 + 2.5 * number
    pen.text((24, top), _line(random, 4).title(), fill=ink, font=_font(2 * size))
    top += int(3 * size)
    while top < 540:
        colour = ink if random.random() < 0.85 else _colour(random)
        if random.random() > 0.12:
            pen.text((24, top), _line(random, int(900 / size / 6)), fill=colour, font=_font(size))
        top += int(1.4 * size)
    return image


def _window(number: int, random: np.random.Generator) -> Image.Image:
    """A desktop with windows: title bars, menus, buttons, lists, shadows."""
    image = Image.new("RGB", (1024, 768), _colour(random))
    if number % 2:
        image = _ramp(1024, 768, _colour(random), _colour(random), 0.6)
    for _ in range(2 + number):
        left, top = int(random.integers(10, 560)), int(random.integers(10, 400))
        width, height = int(random.integers(300, 460)), int(random.integers(220, 360))
        shadow = Image.new("L", image.size, 0)
        ImageDraw.Draw(shadow).rectangle((left + 6, top + 8, left + width + 6, top + height + 8), fill=110)
        image.paste((0, 0, 0), mask=shadow.filter(ImageFilter.GaussianBlur(8)))
        pen = ImageDraw.Draw(image)
        pen.rounded_rectangle((left, top, left + width, top + height), 8, fill=(246, 245, 244), outline=(190,) * 3)
        pen.rectangle((left, top + 8, left + width, top + 34), fill=_colour(random))
        pen.text((left + 12, top + 10), _line(random, 3), fill=(255,) * 3, font=_font(15))
        for place, word in enumerate(("File", "Edit", "View", "Help")):
            pen.text((left + 12 + 52 * place, top + 40), word, fill=(40,) * 3, font=_font(13))
        for row in range((height - 100) // 20):
            shade = 255 if row % 2 else 240
            pen.rectangle((left + 10, top + 62 + 20 * row, left + width - 10, top + 81 + 20 * row), fill=(shade,) * 3)
            pen.text((left + 16, top + 64 + 20 * row), _line(random, 5)[: width // 8], fill=(60,) * 3, font=_font(12))
        for place in range(2):
            box = (
                left + width - 180 + 86 * place,
                top + height - 32,
                left + width - 102 + 86 * place,
                top + height - 8,
            )
            pen.rounded_rectangle(box, 5, fill=(53, 132, 228), outline=(26, 95, 180))
            pen.text((box[0] + 14, box[1] + 4), ("Cancel", "Apply")[place], fill=(255,) * 3, font=_font(13))
    return image


def _chart(number: int, random: np.random.Generator) -> Image.Image:
    """Axes, a grid, legends; lines, bars, a pie, points, stacked areas. Smooth edges: drawn at twice the size."""
    image = Image.new("RGB", (1600, 1200), "white")
    pen = ImageDraw.Draw(image)
    for step in range(11):
        pen.line((160, 100 + 90 * step, 1520, 100 + 90 * step), fill=(220,) * 3, width=2)
        pen.text((90, 80 + 90 * step), f"{10 - step}.0", fill=(50,) * 3, font=_font(32))
    pen.line((160, 100, 160, 1000, 1520, 1000), fill="black", width=4)
    pen.text((500, 20), _line(random, 4).title(), fill="black", font=_font(44))
    x = np.linspace(160, 1520, 60)
    for series in range(4):
        colour, y = _colour(random), 550 + np.cumsum(random.normal(0, 40, 60)).clip(-420, 420)
        points = list(zip(x.tolist(), y.tolist(), strict=True))
        if number in (0, 3):
            pen.line(points, fill=colour, width=5, joint="curve")
        if number == 1:
            for place in range(0, 60, 5):
                left = x[place] + 24 * series
                pen.rectangle((left, y[place], left + 22, 1000), fill=colour)
        if number == 2:
            pen.pieslice((500, 200, 1200, 900), 90 * series, 90 * series + int(random.integers(60, 91)), fill=colour)
        if number == 3:
            for left, top in points:
                pen.ellipse((left - 8, top - 8, left + 8, top + 8), fill=colour)
        if number == 4:
            pen.polygon([*points, (1520, 1000), (160, 1000)], fill=colour)
        pen.rectangle((200 + 320 * series, 1080, 230 + 320 * series, 1110), fill=colour)
        pen.text((240 + 320 * series, 1072), _line(random, 1), fill="black", font=_font(34))
    return image.resize((800, 600), Image.Resampling.LANCZOS)


def _palette(number: int, random: np.random.Generator) -> Image.Image:
    """Pixel art: tiles of 16 colours, symmetric figures, dithered skies, magnified or not."""
    palette = random.integers(0, 256, (16, 3)).astype(np.uint8)
    rows, columns = 240 // (number + 1) + 60, 320 // (number + 1) + 80
    sky = np.linspace(0, 3.99, rows)[:, None] + random.uniform(-0.5, 0.5, (rows, columns)) * (number % 2)
    if number % 2 == 0:
        sky = sky + np.where((np.arange(rows)[:, None] + np.arange(columns)) % 2, 0.25, -0.25)
    indices = sky.clip(0, 3.99).astype(int)
    for _ in range(40):
        side = 2 * int(random.integers(4, 9))
        half = random.integers(4, 16, (side, side // 2)) * (random.random((side, side // 2)) < 0.7)
        figure = np.concatenate([half, half[:, ::-1]], axis=1)
        top, left = int(random.integers(0, rows - side)), int(random.integers(0, columns - side))
        place = indices[top : top + side, left : left + side]
        place[figure > 0] = figure[figure > 0]
    return Image.fromarray(
        np.ascontiguousarray(np.kron(palette[indices], np.ones((number + 1, number + 1, 1), np.uint8)))
    )


def _logo(number: int, random: np.random.Generator) -> Image.Image:
    """RGBA: shapes and letters with smooth edges on nothing, some with a gradient or a shadow."""
    mask = Image.new("L", (1600, 1200), 0)
    pen = ImageDraw.Draw(mask)
    for _ in range(3 + number):
        left, top, size = random.integers(100, 1000, 3).tolist()
        box = (left, top // 2, left + size // 2 + 60, top // 2 + size // 2 + 60)
        (pen.ellipse if random.random() < 0.5 else pen.rectangle)(box, fill=255, outline=0, width=12)
    pen.text((200, 900), _line(random, 2).upper(), fill=255, font=_font(130))
    mask = mask.resize((800, 600), Image.Resampling.LANCZOS)
    colours = Image.new("RGB", (800, 600), _colour(random))
    if number % 2:
        colours = _ramp(800, 600, _colour(random), _colour(random), 0.3)
    if number == 4:
        shadow = ImageChops.offset(mask.filter(ImageFilter.GaussianBlur(6)), 8, 10).point(lambda value: value // 2)
        colours.paste((0, 0, 0), mask=ImageChops.invert(mask))
        mask = ImageChops.lighter(mask, shadow)
    colours.putalpha(mask)
    return colours


def _gradient(number: int, random: np.random.Generator) -> Image.Image:
    """Linear, radial, of many stops, with a shape on it, of hues."""
    first, last = _colour(random), _colour(random)
    if number in (0, 3):
        image = _ramp(640, 480, first, last, 0.2 + 0.2 * number)
        if number == 3:
            ImageDraw.Draw(image).ellipse((200, 120, 440, 360), fill=_colour(random))
        return image
    y, x = np.mgrid[:480, :640]
    place = (
        np.hypot(x - 320, y - 240) / 400 if number == 1 else x / 640 if number == 2 else np.arctan2(y - 240, x - 320)
    )
    stops = np.array([first, *(_colour(random) for _ in range(5)), last], float)
    position = (place - place.min()) / np.ptp(place) * (len(stops) - 1)
    shares = [np.interp(position, np.arange(len(stops)), stops[:, channel]) for channel in range(3)]
    return Image.fromarray(np.rint(np.stack(shares, -1)).astype(np.uint8))


def _ramp(
    width: int, height: int, first: tuple[int, int, int], last: tuple[int, int, int], slope: float
) -> Image.Image:
    """From one colour to another, along a slanted line."""
    y, x = np.mgrid[:height, :width]
    share = (x * slope / width + y * (1 - slope) / height)[:, :, None]
    return Image.fromarray(np.rint(np.array(first) * (1 - share) + np.array(last) * share).astype(np.uint8))


def main() -> None:
    """Write them as PNG."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("-o", "--output", type=Path, required=True)
    folder = parser.parse_args().output
    folder.mkdir(parents=True, exist_ok=True)
    for name, image in drawn_graphics():
        image.save(folder / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main()
