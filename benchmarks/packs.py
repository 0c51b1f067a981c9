"""Packs against archives of ordinary files, and their speeds, in one run.

    python benchmarks/packs.py --mnist FOLDER --model digits.isthmus [--quality Q] [--faces FOLDER --faces-model photo]
    python benchmarks/packs.py --photos FOLDER

Digits: bytes a picture, all included, of 10,000 test digits in one pack, and in a zip of files of other codecs whose
mean squared error is at most the pack's; lossless PNG and the gzipped IDX beside them. Faces: bytes of a pack and
of files of other codecs, each at the lowest quality that reaches a mean PSNR of 30 dB. Photos: a pack of six of
them with ten drawn graphics, each picture in the coding that suits it, and all by the model.
"""

from __future__ import annotations

import argparse
import io
import statistics
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

import isthmus
from drawn_graphics import drawn_graphics
from isthmus.codec.codings import score
from isthmus.codec.model import Model
from isthmus.packs.packing import PackOptions, pack_to_file
from isthmus.sources.finding import find_sources
from isthmus.sources.idx import read_idx
from isthmus.sources.source import Source
from isthmus.values import Picture

CODECS = {
    "JPEG": {"format": "JPEG", "optimize": True},
    "WebP": {"format": "WEBP", "method": 6},
    "AVIF": {"format": "AVIF"},
}
REPEATS = 7
TURNS = 3
PHOTOS, EVERY = 6, 3


def encoded(picture: np.ndarray, **options) -> bytes:
    """A picture's file."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, **options)
    return buffer.getvalue()


def decoded(data: bytes, mode: str) -> np.ndarray:
    """A file's pixels."""
    return np.asarray(Image.open(io.BytesIO(data)).convert(mode))


def errors(pictures: Iterable[np.ndarray], others: Iterable[np.ndarray]) -> np.ndarray:
    """Mean squared error of each pair, on 0..1."""
    return np.array([np.mean((a.astype(float) - b) ** 2) / 255**2 for a, b in zip(pictures, others, strict=True)])


def lowest(
    pictures: list[np.ndarray], codec: str, mode: str, is_enough: Callable[[np.ndarray], bool]
) -> tuple[int, list[bytes]]:
    """(quality, files) of the lowest quality that is enough."""
    low, high = -1, 100
    while high - low > 1:
        middle = (low + high) // 2
        files = [encoded(one, quality=middle, **CODECS[codec]) for one in pictures]
        found = is_enough(errors(pictures, (decoded(data, mode) for data in files)))
        low, high = (low, middle) if found else (middle, high)
    return high, [encoded(one, quality=high, **CODECS[codec]) for one in pictures]


def zipped(files: list[bytes]) -> int:
    """Bytes of a zip of the files, stored: they are compressed already."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for index, data in enumerate(files):
            archive.writestr(f"{index:05d}", data)
    return buffer.tell()


def median_seconds(action: Callable[[], object]) -> float:
    """Of some runs."""
    seconds = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        action()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def digits(folder: Path, model: Model, quality: int) -> None:
    """The table of the digits, and the speeds."""
    source = folder / "t10k-images-idx3-ubyte.gz"
    array = read_idx(source)
    sources, options = find_sources(str(source)), PackOptions(quality)
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "digits.isthpack"
        done = pack_to_file(sources, path, model, options)
        pack = isthmus.Pack(path, model=model)
        back = pack.read_batch(range(len(pack)))
        mse = errors(array, back).mean()
        print(f"digits, {model.name} at quality {quality}: MSE {mse:.5f}")
        print(f"  pack: {done.bytes / len(array):.2f} bytes a digit")
        some = list(array[::10])
        print("  others, on every tenth digit:")
        for codec in CODECS:
            at, files = lowest(some, codec, "L", lambda found: found.mean() <= mse)
            share = sum(map(len, files)) / len(some)
            size = zipped(files) / len(some)
            found = errors(some, (decoded(data, "L") for data in files)).mean()
            print(f"  zip of {codec} (quality {at}, MSE {found:.5f}): {size:.1f}, files alone {share:.1f}")
        pngs = [encoded(one, format="PNG", optimize=True) for one in array]
        print(
            f"  lossless: zip of PNG {zipped(pngs) / len(array):.1f}, IDX .gz {source.stat().st_size / len(array):.1f}"
        )
        places = np.random.default_rng(0).integers(0, len(pack), 1000).tolist()
        each = []
        for index in places:
            start = time.perf_counter()
            pack[index]
            each.append(time.perf_counter() - start)
        print(f"  random access: {1e3 * statistics.median(each):.3f} ms")
        ours = len(array) / median_seconds(lambda: pack.read_batch(range(len(pack))))
        theirs = len(array) / median_seconds(lambda: [decoded(data, "L") for data in pngs])
        print(
            f"  decode in batches: {ours:.0f} digits/s, {ours / theirs:.1f} x Pillow from PNG ({theirs:.0f} digits/s)"
        )
        seconds = median_seconds(lambda: pack_to_file(sources, path, model, options, force=True))
        print(f"  pack: {len(array) / seconds:.0f} digits/s")
        cost_of_choosing(sources, model, quality)


def cost_of_choosing(sources: Sequence[Source], model: Model, quality: int) -> None:
    """Processor time, the least of some turns, with a coding for each picture and with the model's for all."""
    seconds: dict[str, list[float]] = {"auto": [], "learned": []}
    with tempfile.TemporaryDirectory() as place:
        pack_to_file(sources[:1], Path(place) / "first", model, PackOptions(quality))  # which loads its graphs
        for turn in range(2 * TURNS):
            coding = ("auto", "learned")[turn % 2]
            start = time.process_time()
            options = PackOptions(quality, coding=coding)
            done = pack_to_file(sources, Path(place) / coding, model, options, force=True)
            seconds[coding].append(time.process_time() - start)
            if turn == 0:
                print(f"  codings: {done.codings}")
    auto, learned = (min(seconds[coding]) for coding in ("auto", "learned"))
    print(f"  packing, auto / learned: {auto:.2f} / {learned:.2f} s of processor = {auto / learned:.3f}")


def faces(folder: Path, model: Model, wanted: float) -> None:
    """Bytes at one mean PSNR."""
    paths = sorted(folder.glob("*.*"))[:500]
    pictures = [np.asarray(Image.open(path).convert("RGB")) for path in paths]

    def reached(found: np.ndarray) -> bool:
        return float(np.mean(-10 * np.log10(np.maximum(found, 1e-10)))) >= wanted

    sources = [Source(path.name, pixels=one) for path, one in zip(paths, pictures, strict=True)]
    with tempfile.TemporaryDirectory() as place:
        low, high = 0, 100
        sizes = {}
        while high - low > 1:
            quality = (low + high) // 2
            path = Path(place) / f"{quality}.isthpack"
            sizes[quality] = pack_to_file(sources, path, model, PackOptions(quality)).bytes
            found = reached(errors(pictures, isthmus.Pack(path, model=model)))
            low, high = (low, quality) if found else (quality, high)
    ours = sizes[high] / len(pictures)
    print(
        f"faces, {len(pictures)} of 96×96 at a mean of {wanted} dB or more\n"
        f"  pack of {model.name} (quality {high}): {ours:.0f} bytes a face"
    )
    best = None
    for codec in CODECS:
        at, files = lowest(pictures, codec, "RGB", reached)
        size = sum(map(len, files)) / len(pictures)
        psnr = float(np.mean(-10 * np.log10(errors(pictures, (decoded(data, "RGB") for data in files)))))
        best = min(best or size, size)
        print(f"  {codec} files (quality {at}, {psnr:.2f} dB): {size:.0f}")
    print(f"  pack / best of the others: {ours / best:.2f}")
    cost_of_choosing(sources, model, high)


def mixed(folder: Path, quality: int) -> None:
    """Bytes and scores of photographs, and of graphics, in packs of one coding for all and of one for each."""
    paths = sorted(folder.glob("*.*"))
    sources = [Source(path.name, path=path) for path in paths[:: max(1, len(paths) // PHOTOS)][:PHOTOS]]
    for name, image in list(drawn_graphics())[::EVERY]:
        out = io.BytesIO()
        image.save(out, "PNG", optimize=True)
        sources.append(Source(name, data=out.getvalue()))
    model = isthmus.load_model("photo")
    print(f"{len(sources)} pictures, {PHOTOS} of them photographs, at quality {quality}")
    with tempfile.TemporaryDirectory() as place:
        for coding in ("learned", "auto"):
            path = Path(place) / f"{coding}.isthpack"
            done = pack_to_file(sources, path, model, PackOptions(quality, coding=coding))
            pack = isthmus.Pack(path, model=model)
            lengths, back = pack.layout.table.lengths, list(pack.read_pictures(range(len(pack))))
            found = [against(source.read(), picture) for source, picture in zip(sources, back, strict=True)]
            for what, part in (("photographs", slice(PHOTOS)), ("graphics", slice(PHOTOS, None))):
                size, scores = int(lengths[part].sum()), np.array(found[part])
                print(f"  {coding}, {what}: {size} bytes, SSIMULACRA2 {scores.mean():.1f}, lowest {scores.min():.1f}")
            print(f"  {coding}: {done.bytes} bytes, {done.seconds:.1f} s, {dict(done.codings)}")


def against(source: Picture, picture: Picture) -> float:
    """SSIMULACRA2 of what is shown."""
    pixels = np.repeat(source.pixels, 3, axis=2) if source.channels == 1 else source.pixels
    return score(Picture(pixels, alpha=source.alpha), picture, "ssimulacra2")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--mnist", type=Path)
    parser.add_argument("--model")
    parser.add_argument("--quality", type=int)
    parser.add_argument("--faces", type=Path)
    parser.add_argument("--faces-model", default="photo")
    parser.add_argument("--psnr", type=float, default=30)
    parser.add_argument("--photos", type=Path)
    options = parser.parse_args()
    if options.mnist:
        model = isthmus.load_model(options.model)
        digits(options.mnist, model, options.quality or model.file.default_quality)
    if options.faces:
        faces(options.faces, isthmus.load_model(options.faces_model), options.psnr)
    if options.photos:
        mixed(options.photos, options.quality or 60)


if __name__ == "__main__":
    main()
