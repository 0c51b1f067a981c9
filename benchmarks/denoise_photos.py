"""What the denoiser for photographs does to noise, beside BM3D, non-local means and wavelets, all in one run.

    python benchmarks/denoise_photos.py gaussian --data KODAK [--count N]
    python benchmarks/denoise_photos.py camera --data PHOTOS [--count N]
    python benchmarks/denoise_photos.py jpeg | clean | flat --data PHOTOS [--count N]
    python benchmarks/denoise_photos.py compress --data KODAK [--count N]
    python benchmarks/denoise_photos.py time --data KODAK
    python benchmarks/denoise_photos.py figure --data PHOTOS -o FIGURE.png

PSNR in dB is the mean over pictures. Gaussian noise is not clipped, its seed is the picture's place. Every 20th of
PHOTOS by name was held aside in training: only these are measured, middles of --side pixels. BM3D
(`pip install bm3d`, not free for commercial use) and non-local means (`pip install opencv-python-headless`) are
measured where they are installed; of every other method the best setting on the measured pictures counts, which favours
them. The denoiser's level is estimated unless it says "told".
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

import isthmus
from isthmus.codec.photo_denoiser import PhotoDenoiser
from isthmus.codec.photo_denoising import DEFAULT_MODEL, load_photo_denoiser
from isthmus.imaging.camera import CameraSettings, photograph, through_jpeg
from isthmus.imaging.reading import read_picture
from isthmus.learn.data.crops import HELD_ASIDE_EVERY
from isthmus.metrics.distortion import psnr
from isthmus.metrics.ssimulacra2 import ssimulacra2
from isthmus.sources.folders import walk

Pixels = NDArray[np.uint8]
Reals = NDArray[np.float32]
SIGMAS = (15, 25, 50)
ISOS = (800, 6400)
FLATS = ((0, 0, 0), (32, 40, 60), (128, 128, 128), (200, 160, 120), (255, 255, 255))


def bm3d(noisy: Pixels, sigma: float) -> Pixels:
    """Block matching and 3-D filtering, in colour; sigma in grey levels."""
    from bm3d import bm3d_rgb

    return _rounded(np.asarray(bm3d_rgb(noisy / 255.0, sigma / 255)) * 255)


def non_local_means(noisy: Pixels, strength: float) -> Pixels:
    """OpenCV's, in colour, with its usual windows."""
    import cv2

    return cv2.fastNlMeansDenoisingColored(noisy, None, strength, strength, 7, 21)


def wavelets(noisy: Pixels, sigma: float) -> Pixels:
    """BayesShrink in YCbCr with shifts, of scikit-image."""
    from skimage.restoration import denoise_wavelet

    made = denoise_wavelet(noisy / 255.0, sigma=sigma / 255, convert2ycbcr=True, channel_axis=2, rescale_sigma=True)
    return _rounded(made * 255)


METHODS: dict[str, tuple[str, Callable[[Pixels, float], Pixels], tuple[float, ...]]] = {
    "BM3D": ("bm3d", bm3d, (1.0, 1.6)),
    "non-local means": ("cv2", non_local_means, (0.3, 0.5, 0.7, 1.0)),
    "wavelets": ("pywt", wavelets, (0.7, 1.0, 1.5, 2.0)),
}
"""Name -> package, function, and settings as shares of the root mean square of the noise."""


def measure_gaussian(denoiser: PhotoDenoiser, pictures: Sequence[Pixels]) -> None:
    """Unclipped noise of a known deviation, told and estimated."""
    print("| Gaussian noise | noisy | told | estimated | mean estimate |\n|---|---|---|---|---|")
    for sigma in SIGMAS:
        rows = []
        for place, pixels in enumerate(pictures):
            clean = pixels.astype(np.float32) / 255
            noise = np.random.default_rng(place).standard_normal(clean.shape, np.float32)
            noisy = clean + np.float32(sigma / 255) * noise
            estimate = denoiser.estimate_values(noisy)
            told, blind = (denoiser.denoise_values(noisy, level=level) for level in (sigma / 255, estimate))
            rows.append([*(_psnr(one, clean) for one in (noisy, told, blind)), 255 * estimate])
        noisy_db, told_db, blind_db, level = np.mean(rows, 0)
        print(f"| {sigma} | {noisy_db:.2f} | {told_db:.2f} | {blind_db:.2f} | {level:.1f} |", flush=True)


def measure_camera(denoiser: PhotoDenoiser, pictures: Sequence[Pixels]) -> None:
    """The noise of a simulated camera, 8 bits and JPEG 95, beside the best setting of other methods."""
    print("| ISO | method | setting | PSNR | SSIMULACRA2 |\n|---|---|---|---|---|")
    for iso in ISOS:
        taken = [
            photograph(pixels, CameraSettings(iso), np.random.default_rng(place))
            for place, pixels in enumerate(pictures)
        ]
        _row(iso, "noisy", "", pictures, taken)
        _row(iso, "isthmus", "estimated", pictures, [denoiser.denoise(one) for one in taken])
        for name, (package, method, shares) in METHODS.items():
            if find_spec(package) is None:
                continue
            tried = {}
            for share in shares:
                levels = [_rms(one, clean) for one, clean in zip(taken, pictures, strict=True)]
                tried[share] = [method(one, share * level) for one, level in zip(taken, levels, strict=True)]
            best = max(shares, key=lambda share: _mean(psnr, tried[share], pictures))
            _row(iso, name, f"{best} of the true level", pictures, tried[best])


def measure_jpeg(denoiser: PhotoDenoiser, pictures: Sequence[Pixels]) -> None:
    """Artefacts of JPEG at several qualities."""
    print("| JPEG | file | denoised |\n|---|---|---|")
    for quality in (20, 30, 50, 80):
        files = [through_jpeg(one, quality) for one in pictures]
        made = [denoiser.denoise(one) for one in files]
        print(f"| {quality} | {_mean(psnr, files, pictures):.2f} | {_mean(psnr, made, pictures):.2f} |", flush=True)


def measure_clean(denoiser: PhotoDenoiser, pictures: Sequence[Pixels]) -> None:
    """How much a picture without noise changes."""
    scores = [min(psnr(denoiser.denoise(one), one), 99.0) for one in pictures]
    levels = [denoiser.estimate(one) for one in pictures]
    print(f"clean pictures to themselves: mean {np.mean(scores):.2f} dB, worst {min(scores):.2f} dB")
    print(f"their estimated levels: mean {np.mean(levels):.2f}, highest {max(levels):.2f}")


def measure_flat(denoiser: PhotoDenoiser, _pictures: Sequence[Pixels]) -> None:
    """How far the mean of a flat picture moves, in grey levels, unclipped."""
    print("| colour | noise 10 | noise 25 | noise 50 |\n|---|---|---|---|")
    for colour in FLATS:
        shifts = []
        for sigma in (10, 25, 50):
            flat = np.full((256, 256, 3), np.array(colour, np.float32) / 255, np.float32)
            noisy = flat + np.float32(sigma / 255) * np.random.default_rng(1).standard_normal(flat.shape, np.float32)
            moved = denoiser.denoise_values(noisy, level=sigma / 255).mean((0, 1)) - noisy.mean((0, 1))
            shifts.append(255 * float(np.abs(moved).max()))
        print(f"| {colour} | " + " | ".join(f"{shift:.2f}" for shift in shifts) + " |")


def measure_compress(denoiser: PhotoDenoiser, pictures: Sequence[Pixels]) -> None:
    """Bytes of files of quality 60 with Gaussian noise of 15, clipped, and without it."""
    noisy = [
        _rounded(pixels + 15 * np.random.default_rng(place).standard_normal(pixels.shape))
        for place, pixels in enumerate(pictures)
    ]
    made = [denoiser.denoise(one) for one in noisy]
    sets = {"clean": pictures, "noisy": noisy, "denoised": made}
    sizes = {name: sum(len(isthmus.encode(one, quality=60)) for one in some) for name, some in sets.items()}
    print(", ".join(f"{name} {size} bytes" for name, size in sizes.items()))
    print(f"--denoise saves {1 - sizes['denoised'] / sizes['noisy']:.1%}")


def measure_time(denoiser: PhotoDenoiser, pictures: Sequence[Pixels]) -> None:
    """Seconds for one megapixel, the best of five, and BM3D's of a 64th of it, times 64."""
    base = np.tile(pictures[0], (2, 2, 1))[:1000, :1000]
    noisy = _rounded(base + 25 * np.random.default_rng(0).standard_normal(base.shape))
    denoiser.denoise(noisy)
    walls, cores = [], []
    for _ in range(5):
        wall, core = time.perf_counter(), time.process_time()
        denoiser.denoise(noisy)
        walls.append(time.perf_counter() - wall)
        cores.append(time.process_time() - core)
    print(f"isthmus: {min(walls):.2f} s, {min(cores):.2f} s of processors, for 1 megapixel")
    if find_spec("bm3d") is not None:
        core = time.process_time()
        bm3d(noisy[:125, :125], 25)
        print(f"BM3D: {64 * (time.process_time() - core):.0f} s of processors")


def draw_figure(denoiser: PhotoDenoiser, pictures: Sequence[Pixels], path: Path) -> None:
    """Rows of noisy, BM3D, ours, clean: Gaussian noise, a phone at night, a JPEG file."""
    random = np.random.default_rng(0)
    rows = []
    for place, label in enumerate(("Gaussian, 25", "camera, ISO 6400", "JPEG, quality 30")):
        clean = pictures[place % len(pictures)]
        noisy = (
            _rounded(clean + 25 * random.standard_normal(clean.shape)),
            photograph(clean, CameraSettings(6400), random),
            through_jpeg(clean, 30),
        )[place]
        shown = {label: noisy}
        if find_spec("bm3d") is not None:
            shown["BM3D"] = bm3d(noisy, _rms(noisy, clean))
        shown |= {"isthmus denoise": denoiser.denoise(noisy), "clean": clean}
        rows.append([_labelled(one, name, clean) for name, one in shown.items()])
    sheet = np.concatenate([np.concatenate(row, 1) for row in rows], 0)
    Image.fromarray(sheet).save(path, optimize=True)
    print(path)


def _labelled(pixels: Pixels, name: str, clean: Pixels) -> Pixels:
    said = name if pixels is clean else f"{name}  {psnr(pixels, clean):.2f} dB"
    image = Image.new("RGB", (pixels.shape[1] + 4, pixels.shape[0] + 20), "white")
    image.paste(Image.fromarray(pixels), (2, 18))
    ImageDraw.Draw(image).text((4, 3), said, fill="black")
    return np.asarray(image)


def _row(iso: int, name: str, setting: str, pictures: Sequence[Pixels], made: Sequence[Pixels]) -> None:
    scores = _mean(psnr, made, pictures), _mean(lambda one, clean: ssimulacra2(clean, one), made, pictures)
    print(f"| {iso} | {name} | {setting} | {scores[0]:.2f} | {scores[1]:.1f} |", flush=True)


def _mean(score: Callable[[Pixels, Pixels], float], made: Sequence[Pixels], pictures: Sequence[Pixels]) -> float:
    return float(np.mean([score(one, clean) for one, clean in zip(made, pictures, strict=True)]))


def _psnr(values: Reals, clean: Reals) -> float:
    return float(-10 * np.log10(np.square(values - clean, dtype=np.float64).mean()))


def _rms(pixels: Pixels, clean: Pixels) -> float:
    return float(np.sqrt(np.square(pixels.astype(np.float64) - clean).mean()))


def _rounded(values: NDArray[np.floating]) -> Pixels:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def _pictures(folder: Path, what: str, count: int, side: int) -> list[Pixels]:
    """Whole pictures of Kodak; middles of what was held aside of others."""
    paths = sorted(walk(folder).files)
    if what in ("gaussian", "compress", "time"):
        return [read_picture(path).pixels for path in paths[:count]]
    held = paths[::HELD_ASIDE_EVERY]
    chosen = [held[int(place)] for place in np.linspace(0, len(held) - 1, min(count, len(held)))]
    return [_middle(read_picture(path).pixels, side) for path in chosen]


def _middle(pixels: Pixels, side: int) -> Pixels:
    top, left = (max(length - side, 0) // 2 for length in pixels.shape[:2])
    return np.ascontiguousarray(pixels[top : top + side, left : left + side])


MEASURES = {
    "gaussian": measure_gaussian,
    "camera": measure_camera,
    "jpeg": measure_jpeg,
    "clean": measure_clean,
    "flat": measure_flat,
    "compress": measure_compress,
    "time": measure_time,
}


def main() -> None:
    """One measure, or the figure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("what", choices=[*MEASURES, "figure"])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--count", type=int, default=24)
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args()
    denoiser = load_photo_denoiser(options.model)
    pictures = _pictures(options.data, options.what, options.count, options.side)
    if options.what == "figure":
        if options.output is None:
            parser.error("figure needs -o FIGURE.png")
        draw_figure(denoiser, pictures, options.output)
        return
    MEASURES[options.what](denoiser, pictures)


if __name__ == "__main__":
    main()
