"""What is compared: every codec behind one small interface, named with its settings and its library's version."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from isthmus.errors import UsageError
from isthmus.evaluate.classic_codecs import BUILDERS, COLOUR_VARIANTS, FAMILIES
from isthmus.evaluate.codec import Codec
from isthmus.evaluate.model_codec import build_model_codec
from isthmus.transforms.engine import Engine


@dataclass(frozen=True)
class CodecSpec:
    """What a codec is built from, in whichever process.

    Attributes:
        name: of a codec in `classic_codecs.BUILDERS`, or what the model is called.
        model: path of the model file; None for a classic codec.
        qualities: instead of the codec's own grid; None keeps that.
        threads: how many the codec may use.
        engine: of a model.
    """

    name: str
    model: Path | None = None
    qualities: tuple[float, ...] | None = None
    threads: int = 1
    engine: str = "onnxruntime"


def build_codec(spec: CodecSpec) -> Codec:
    """The codec that a spec describes.

    Raises:
        UsageError: no codec of that name, or a quality that it does not have.
        MissingExtraError: its package is not installed.
        IsthmusError: the model file cannot be loaded.
    """
    if spec.model is None:
        codec = BUILDERS[spec.name](spec.threads)
    else:
        codec = build_model_codec(spec.model, name=spec.name, engine=Engine(spec.engine, spec.threads))
    return codec if spec.qualities is None else with_qualities(codec, spec.qualities)


def with_qualities(codec: Codec, qualities: Sequence[float]) -> Codec:
    """The codec, measured at other qualities, sorted; a codec without a choice keeps its one.

    Raises:
        UsageError: a quality outside its scale.
    """
    low, high = codec.scale[0], codec.scale[-1]
    if low == high:
        return codec
    for quality in qualities:
        if not low <= quality <= high:
            raise UsageError(
                f"{codec.info.name} has qualities from {low:g} to {high:g} ({codec.info.quality_unit}), not {quality:g}"
            )
    return Codec(codec.info, tuple(sorted(set(qualities))), codec.scale, codec.encode, codec.decode)


def expand_names(names: Sequence[str], *, only_grey: bool) -> list[str]:
    """Names and families ("jpeg" is 4:4:4 and 4:2:0) to the names of codecs, in order, each once.

    Args:
        names: what `--against` lists.
        only_grey: leave out variants that differ from another in the colours alone.

    Raises:
        UsageError: a name that is neither a codec nor a family.
    """
    known = [*FAMILIES, *(name for name in BUILDERS if name not in FAMILIES)]
    found: list[str] = []
    for name in names:
        if name not in known:
            close = get_close_matches(name, known, n=1)
            hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(known)}"
            raise UsageError(f"no codec {name!r}: {hint}")
        members = FAMILIES.get(name, (name,))
        found += [member for member in members if member not in found]
    if only_grey:
        found = [name for name in found if COLOUR_VARIANTS.get(name) not in found]
    return found
