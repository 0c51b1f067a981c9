"""One's own pictures: read once into memory, looked at, and drawn as windows of their own size."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from isthmus.codec.hyperprior.layout import BLOCK
from isthmus.errors import InputError, IsthmusError
from isthmus.imaging.fitting import over_white
from isthmus.imaging.windows import Window, pixels_in
from isthmus.sources.source import Sources
from isthmus.values import Picture

LARGEST_WINDOW = 192
"""Side of the windows of larger pictures, in pixels."""
LARGEST_KEPT = 768
"""Side of the middle that is kept of larger pictures."""
MOST_BYTES = 1 << 29
"""Of all pictures in memory; of more, some are taken, evenly spread."""
LEAST_PICTURES = 8
HELD_ASIDE_SHARE, LEAST_HELD, MOST_HELD = 20, 2, 48
"""One in so many pictures is never trained on, at least and at most so many."""


@dataclass(frozen=True)
class Look:
    """What a folder's pictures are like.

    Attributes:
        found: pictures that were found.
        distinct: that are no copies, and were read.
        unread: that cannot be read.
        copies: the same as another one.
        greys: without colours.
        with_alpha: laid over white.
        smallest: (rows, columns) of the smallest.
        largest: the same of the largest.
        spread: 0..1: how much the pictures differ from their mean, of what their pixels differ from one another. Little
            where all are alike.
        first_problem: of a picture that cannot be read; empty where there is none.
    """

    found: int
    distinct: int
    unread: int
    copies: int
    greys: int
    with_alpha: int
    smallest: tuple[int, int]
    largest: tuple[int, int]
    spread: float
    first_problem: str = ""

    def __str__(self) -> str:
        """One line."""
        least, most = _size(self.smallest), _size(self.largest)
        colours = "grey" if self.greys == self.distinct else f"{self.greys} of them grey" if self.greys else "colour"
        kinds = {
            "copies left out": self.copies,
            "that cannot be read": self.unread,
            "with alpha, laid over white": self.with_alpha,
        }
        sizes = least if least == most else f"{least} to {most}"
        left = [f"{count} {what}" for what, count in kinds.items() if count]
        return ", ".join([f"{self.distinct} pictures of {sizes}", colours, *left])


@dataclass
class OwnPictures:
    """Pictures in memory, (rows, columns, 3) uint8 each.

    Attributes:
        look: what they are like.
        training: to draw from.
        held_aside: never trained on.
        window: rows and columns of what is drawn: those of the pictures where these are alike and small.
    """

    look: Look
    training: list[NDArray[np.uint8]]
    held_aside: list[NDArray[np.uint8]]
    window: tuple[int, int] = field(init=False)

    def __post_init__(self) -> None:
        sides = np.array([picture.shape[:2] for picture in self.training])
        rows, columns = (min(int(np.median(lengths)), LARGEST_WINDOW) for lengths in sides.T)
        self.window = max(rows, BLOCK), max(columns, BLOCK)

    def draw(self, count: int, random: np.random.Generator) -> NDArray[np.uint8]:
        """(count, rows, columns, 3): windows at random places, half of them mirrored."""
        rows, columns = self.window
        windows = []
        for _ in range(count):
            picture = self.training[random.integers(len(self.training))]
            top, left = (
                int(random.integers(max(length - side, 0) + 1))
                for length, side in zip(picture.shape[:2], self.window, strict=True)
            )
            part = picture[top : top + rows, left : left + columns]
            if random.random() < 0.5:
                part = part[:, ::-1]
            windows.append(_filled(part, rows, columns))
        return np.stack(windows)

    def held_aside_windows(self, count: int) -> NDArray[np.uint8]:
        """(pictures, rows, columns, 3): the middles of some held-aside pictures."""
        return np.stack([_filled(_middle(one, *self.window), *self.window) for one in _some(self.held_aside, count)])

    def training_centres(self, count: int) -> NDArray[np.uint8]:
        """(pictures, rows, columns, 3), of whole blocks: the middles of some training pictures."""
        return in_blocks(
            np.stack([_filled(_middle(one, *self.window), *self.window) for one in _some(self.training, count)])
        )

    def training_pictures(self, count: int) -> Iterator[NDArray[np.uint8]]:
        """(rows, columns, 3) uint8, of whole blocks: some training pictures."""
        for picture in _some(self.training, count):
            yield in_blocks(picture[None])[0]


def read_own(sources: Sources) -> OwnPictures:
    """Read, look at and divide pictures.

    Raises:
        InputError: fewer than `LEAST_PICTURES` that differ.
    """
    whole: list[NDArray[np.uint8]] = []
    shapes: list[tuple[int, int]] = []
    known: set[bytes] = set()
    counts = dict.fromkeys(("unread", "copies", "greys", "with_alpha"), 0)
    problem, total = "", 0
    numbers = range(len(sources))
    for source in sources:
        try:
            pixels, kinds = _flat(source.read(depth=8, frame=0))
        except IsthmusError as error:
            counts["unread"] += 1
            problem = problem or str(error)
            continue
        digest = hashlib.blake2b(pixels.tobytes(), digest_size=16).digest()
        if digest in known:
            counts["copies"] += 1
            continue
        known.add(digest)
        for kind in kinds:
            counts[kind] += 1
        shapes.append((pixels.shape[0], pixels.shape[1]))
        whole.append(_middle(pixels, LARGEST_KEPT, LARGEST_KEPT))
        total += whole[-1].nbytes
        if total > MOST_BYTES:
            break
    if len(whole) < LEAST_PICTURES:
        copies = f", {counts['copies']} are copies of another" if counts["copies"] else ""
        unread = f", {counts['unread']} cannot be read ({problem})" if counts["unread"] else ""
        raise InputError(
            f"{len(whole)} pictures that differ are too few to learn from: {LEAST_PICTURES} or more, hundreds are "
            f"wanted; {len(numbers)} were found{copies}{unread}"
        )
    held = min(max(len(whole) // HELD_ASIDE_SHARE, LEAST_HELD), MOST_HELD)
    aside = set(np.linspace(0, len(whole) - 1, held).astype(int).tolist())
    sizes = sorted(shapes, key=lambda shape: (shape[0] * shape[1], shape))
    look = Look(len(numbers), len(whole), smallest=sizes[0], largest=sizes[-1], spread=_spread(whole),
                first_problem=problem, **counts)  # fmt: skip
    return OwnPictures(
        look,
        [one for number, one in enumerate(whole) if number not in aside],
        [one for number, one in enumerate(whole) if number in aside],
    )


def in_blocks(pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(pictures, rows, columns, channels), padded to whole blocks as the codec pads them."""
    rows, columns = (-(-length // BLOCK) * BLOCK for length in pictures.shape[1:3])
    if (rows, columns) == pictures.shape[1:3]:
        return pictures
    return np.stack([_filled(one, rows, columns) for one in pictures])


def _flat(picture: Picture) -> tuple[NDArray[np.uint8], list[str]]:
    """(rows, columns, 3), and what kind of picture it was."""
    kinds = []
    pixels = picture.pixels
    if picture.alpha is not None:
        pixels = over_white(pixels, picture.alpha)
        kinds.append("with_alpha")
    if pixels.shape[2] == 1:
        pixels = np.repeat(pixels, 3, axis=2)
    if np.array_equal(pixels[..., 0], pixels[..., 1]) and np.array_equal(pixels[..., 0], pixels[..., 2]):
        kinds.append("greys")
    return pixels, kinds


def _some(pictures: list[NDArray[np.uint8]], count: int) -> list[NDArray[np.uint8]]:
    places = np.linspace(0, len(pictures) - 1, min(count, len(pictures))).astype(int)
    return [pictures[place] for place in places]


def _middle(picture: NDArray[np.uint8], rows: int, columns: int) -> NDArray[np.uint8]:
    top, left = (max(length - side, 0) // 2 for length, side in zip(picture.shape[:2], (rows, columns), strict=True))
    return np.ascontiguousarray(picture[top : top + rows, left : left + columns])


def _filled(part: NDArray[np.uint8], rows: int, columns: int) -> NDArray[np.uint8]:
    if part.shape[:2] == (rows, columns):
        return np.ascontiguousarray(part)
    wide = Window(0, 0, -(-rows // BLOCK) * BLOCK, -(-columns // BLOCK) * BLOCK)
    return pixels_in(part, wide, block=BLOCK)[:rows, :columns]


def _spread(pictures: list[NDArray[np.uint8]]) -> float:
    """See `Look.spread`: of 8x8 means."""
    small = np.stack([_thumbnail(one) for one in _some(pictures, 200)])
    return float(np.sqrt(np.square(small - small.mean(0)).mean() / max(np.square(small - small.mean()).mean(), 1e-9)))


def _thumbnail(picture: NDArray[np.uint8]) -> NDArray[np.float64]:
    rows, columns = (np.linspace(0, length - 1, 8).astype(int) for length in picture.shape[:2])
    small: NDArray[np.float64] = picture[rows][:, columns].mean(2)
    return small


def _size(size: tuple[int, int]) -> str:
    return f"{size[1]}×{size[0]}"
