"""Reads an input by every way in; only our errors may come of it, and never other pixels out of damage."""

from __future__ import annotations

import dataclasses
import io
import tempfile
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

import isthmus
from isthmus.codec import pipeline
from isthmus.codec.model import Model, load_model
from isthmus.container import pack_file
from isthmus.container.model_file import parse_model
from isthmus.errors import IsthmusError
from isthmus.imaging.writing import to_file_bytes
from isthmus.packs.pack import Pack
from isthmus.packs.unpacking import UnpackOptions, unpack
from isthmus.transforms.engine import Engine
from isthmus.values import Picture
from tests.conftest import GOLDEN, GOLDEN_1
from tests.fuzz.inputs import Input, WrongError, images, jpeg_with

ENGINE = Engine(threads=1)
PACK_MODELS = (GOLDEN / "golden.isthmus", GOLDEN / "golden-hyperprior.isthmus")


def check(given: Input) -> str:
    """Read an input; what came of it: "read" or "refused".

    Raises:
        WrongError: other pixels than the original's, though no checksum was made right; or an error of several lines.
        Exception: whatever is not an IsthmusError.
    """
    outcome = {"isth": _image, "isthpack": _pack, "isthmus": _model, "exif": _exif}[given.kind](given)
    return "read" if outcome else "refused"


@cache
def golden_models() -> dict[bytes, Model]:
    """By id."""
    paths = [GOLDEN / "golden.isthmus", GOLDEN / "golden-hyperprior.isthmus", GOLDEN_1 / "golden.isthmus"]
    loaded = [load_model(path, threads=1) for path in paths]
    return {model.id: model for model in loaded}


def _refused(error: IsthmusError) -> None:
    if "\n" in str(error) or len(str(error)) > 2000:
        raise WrongError(f"an error of several lines, or without end: {str(error)[:200]!r}")


def _image(given: Input) -> bool:
    try:
        wanted = pipeline.model_id_of(given.data)
        model = golden_models().get(wanted) or next(iter(golden_models().values()))
    except IsthmusError as error:
        _refused(error)
        return False
    try:
        pipeline.salvage(given.data, model.coder)
    except IsthmusError as error:
        _refused(error)
    try:
        picture = pipeline.decode([given.data], model.coder)[0]
    except IsthmusError as error:
        _refused(error)
        return False
    if not given.is_repaired and not _is_one_of(given, picture):
        raise WrongError("a damaged file gave other pixels")
    return True


def _is_one_of(given: Input, picture: Picture) -> bool:
    for data in {given.original, *images()}:
        model = golden_models()[pipeline.model_id_of(data)]
        original = pipeline.decode([data], model.coder)[0]
        if np.array_equal(original.pixels, picture.pixels) and _same(original.alpha, picture.alpha):
            return True
    return False


def _same(one: np.ndarray | None, other: np.ndarray | None) -> bool:
    return (one is None) == (other is None) and (one is None or np.array_equal(one, other))


def _pack(given: Input) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        path, out = Path(folder) / "a.isthpack", Path(folder) / "out"
        path.write_bytes(given.data)
        originals = _pictures_of(given.original) if given.original else {}
        was_read = False
        own = _model_of(given.original) if given.original else PACK_MODELS[0]
        for model in (own, None):
            try:
                pack = Pack(path, model=model, threads=1)
                list(pack.names)[:300]
                for index in range(min(len(pack), 5)):
                    pixels = pack[index]
                    was_read = True
                    if (
                        not given.is_repaired
                        and originals.get(index) is not None
                        and not np.array_equal(pixels, originals[index])
                    ):
                        raise WrongError(f"a damaged pack gave another picture {index}")
            except IsthmusError as error:
                _refused(error)
        try:
            options = UnpackOptions(recover=True)
            _, outcomes = unpack(path, out, options, model=str(own), engine=ENGINE)
            for outcome in outcomes:
                if outcome.error is not None:
                    _refused(outcome.error)
                elif not given.is_repaired and not any(
                    np.array_equal(np.asarray(Image.open(str(outcome.output))), one) for one in originals.values()
                ):
                    raise WrongError(f"--recover gave another picture for {outcome.name!r}")
        except IsthmusError as error:
            _refused(error)
        if any(one for one in Path(folder).rglob("*") if one.is_file() and out not in one.parents and one != path):
            raise WrongError("a file was written outside of the folder")
        return was_read


@cache
def _pictures_of(data: bytes) -> dict[int, np.ndarray]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.isthpack"
        path.write_bytes(data)
        assert data[: len(pack_file.MAGIC)] == pack_file.MAGIC
        pack = Pack(path, model=_model_of(data), threads=1)
        return dict(enumerate(pack[:]))


@cache
def _model_of(data: bytes) -> Path:
    """The model of a whole pack."""
    model_id = pack_file.read_header(data)[0].model_id
    return next(path for path in PACK_MODELS if load_model(path).decodes(model_id))


def _model(given: Input) -> bool:
    try:
        file = parse_model(given.data, name="fuzz")
        if not given.is_repaired and file.id != parse_model(given.original, name="original").id:
            raise WrongError("a damaged model was read as another")
        model = Model(file, ENGINE)
    except IsthmusError as error:
        _refused(error)
        return False
    side = file.picture.height or 64
    pixels = np.arange(side * side * file.picture.channels, dtype=np.uint32).astype(np.uint8)
    picture = (
        pixels.reshape(side, file.picture.width or side, file.picture.channels) if file.picture.channels == 3 else None
    )
    for one in [picture] if picture is not None else [pixels.reshape(side, -1)]:
        try:
            model.decode(model.encode(one, quality=50))
        except IsthmusError as error:
            _refused(error)
    for name in ("colour-50", "plain-75"):
        data = (GOLDEN / f"{name}.isth").read_bytes()
        try:
            foreign = dataclasses.replace(isthmus.container.image_file.read_image(data), model_id=file.id)
            model.decode(isthmus.container.image_file.write_image(foreign))
        except IsthmusError as error:
            _refused(error)
    return True


def _exif(given: Input) -> bool:
    try:
        jpeg = jpeg_with(given.data)
        image = Image.open(io.BytesIO(jpeg))
    except Exception:
        return False
    model = next(iter(golden_models().values()))
    was_read = False
    for value in (image, Picture(np.zeros((8, 8, 1), np.uint8), exif=given.data)):
        try:
            data = model.encode(value)
            picture = pipeline.decode([data], model.coder)[0]
            was_read = True
            for suffix in (".png", ".jpg", ".tif", ".webp"):
                to_file_bytes(picture, suffix)
        except IsthmusError as error:
            _refused(error)
    return was_read
