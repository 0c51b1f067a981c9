"""What real files of a photo codec take, beside what its training estimates."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from isthmus.codec.model import Model
from isthmus.codec.pipeline import payloads_of
from isthmus.container.model_file import parse_model
from isthmus.values import Picture


def file_rate(model_file: bytes, pictures: NDArray[np.uint8], qualities: Sequence[int]) -> float:
    """Bits per pixel of payloads, the mean over pictures and qualities; the few bytes around them are not counted.

    Args:
        model_file: exported.
        pictures: (pictures, rows, columns, 3).
        qualities: 1..100; no picture's activity shifts them.
    """
    model, shown = Model(parse_model(model_file, name="photo")), [Picture(pixels) for pixels in pictures]
    sizes = [sum(map(len, payloads)) for quality in qualities for payloads in payloads_of(shown, model.coder, quality)]
    return 8 * float(np.mean(sizes)) / pictures[0, :, :, 0].size
