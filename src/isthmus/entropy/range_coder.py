"""Range coding with integer frequencies, on constriction's coder.

constriction takes floating-point probabilities, but its fast conversion is exact for whole numbers that sum to
2^24 - n: it gives symbol i the frequency p[i] + 1. So a table of integer frequencies f with sum 2^16 goes in as
f * 256 - 1, and comes out as exactly f / 2^16, on every machine. A test holds the coder's state to this.
"""

from __future__ import annotations

from typing import Any

import constriction
import numpy as np
from numpy.typing import NDArray

TABLE_BITS = 16
CODER_BITS = 24
_WORD_BYTES = 4
_STATE_BYTES = 8
_STATE_BITS = 8 * _STATE_BYTES
_STATE_MASK = (1 << _STATE_BITS) - 1

Model = Any
"""constriction's Categorical; the package has no types."""


def model_of(frequencies: NDArray[np.integer]) -> Model:
    """The coder's model of a table.

    Args:
        frequencies: (symbols,) integers >= 1 with sum 2^16, at least two of them.
    """
    scaled = np.asarray(frequencies, np.int64) << (CODER_BITS - TABLE_BITS)
    return constriction.stream.model.Categorical((scaled - 1).astype(np.float64), perfect=False)


def model_of_groups(frequencies: NDArray[np.integer], size: int) -> Model:
    """The model of `size` symbols of a table at once, (first, ..., last) counted like the digits of a number.

    Their frequencies are the products of those of their symbols, rounded down to whole parts of 2^24 and at least one;
    the commonest has what is left. All of it in whole numbers, so every machine has the same.

    Args:
        frequencies: of `model_of`.
        size: symbols at once, at least two.
    """
    single = np.asarray(frequencies, np.int64)
    joint = single << (CODER_BITS - TABLE_BITS)
    for _ in range(size - 1):
        joint = np.maximum(np.multiply.outer(joint, single).ravel() >> TABLE_BITS, 1)
    joint[joint.argmax()] += (1 << CODER_BITS) - joint.sum()
    return constriction.stream.model.Categorical((joint - 1).astype(np.float64), perfect=False)


def _uniform(count: int) -> Model:
    return model_of(np.full(count, (1 << TABLE_BITS) // count))


_BIT = _uniform(2)
_BIT_COUNT = _uniform(32)


class RangeEncoder:
    """Writes symbols one after another; `finish` gives the bytes."""

    def __init__(self) -> None:
        self._coder = constriction.stream.queue.RangeEncoder()
        self.encode = self._coder.encode  # (symbol or int32 array, model): a call less for each symbol

    def encode_number(self, number: int) -> None:
        """A whole number from 1 to 2^31, in about 2 log2(number) bits (Elias gamma with a 5-bit length)."""
        bits = number.bit_length() - 1
        self.encode(bits, _BIT_COUNT)
        for shift in reversed(range(bits)):
            self.encode(number >> shift & 1, _BIT)

    def encode_flag(self, flag: int) -> None:
        """One bit: a flag, or a truth value."""
        self.encode(int(flag), _BIT)

    def finish(self) -> bytes:
        """The shortest bytes, most significant first, that decode to what was encoded when zeros follow them."""
        position, (lower, width) = self._coder.pos()
        words: bytes = self._coder.get_compressed().astype(">u4").tobytes()
        head, tail = words[: position * _WORD_BYTES], words[position * _WORD_BYTES :]
        if int.from_bytes(tail.ljust(_STATE_BYTES, b"\0"), "big") < lower:  # a carry went into the words before
            head = (int.from_bytes(head, "big") - 1).to_bytes(len(head), "big")
        for length in range(_STATE_BYTES):
            unit = 1 << (8 * (_STATE_BYTES - length))
            point = -(-lower // unit) * unit  # the first number of so many bytes that the coder's interval may hold
            if point < lower + width:
                break
        else:
            point = lower
        if point >> _STATE_BITS:
            head = (int.from_bytes(head, "big") + 1).to_bytes(len(head), "big")
        payload: bytes = (head + (point & _STATE_MASK).to_bytes(_STATE_BYTES, "big")).rstrip(b"\0")
        return payload


class RangeDecoder:
    """Reads back what `RangeEncoder` wrote, in the same order."""

    def __init__(self, data: bytes) -> None:
        words = np.frombuffer(data + bytes(-len(data) % _WORD_BYTES), ">u4").astype(np.uint32)
        self._coder = constriction.stream.queue.RangeDecoder(words)
        self.decode = self._coder.decode  # (model) for one symbol, (model, count) for an int32 array

    def decode_number(self) -> int:
        """A number of `RangeEncoder.encode_number`."""
        number = 1
        for _ in range(int(self.decode(_BIT_COUNT))):
            number = number << 1 | int(self.decode(_BIT))
        return number

    def decode_flag(self) -> bool:
        """A flag of `RangeEncoder.encode_flag`."""
        return bool(self.decode(_BIT))
