"""The photo codec's way through tiles, regions, targets and damage, with a small random model."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from isthmus.codec import pipeline
from isthmus.codec.choosing import encode_wished
from isthmus.codec.coder import whole_quality
from isthmus.codec.hyperprior import coder, just_coded
from isthmus.codec.hyperprior.just_coded import JustCoded
from isthmus.codec.hyperprior.tiles import Tiles
from isthmus.codec.model import Model, load_model
from isthmus.codec.targets import LEARNED, Target, Wish
from isthmus.container.image_file import ImageFile, read_image, write_image
from isthmus.container.image_header import read_header
from isthmus.entropy.hyperprior import Hyperprior
from isthmus.errors import ChecksumError, FormatError, ModelMismatchError, UsageError
from isthmus.imaging.windows import Window, parse_region
from isthmus.metrics.distortion import psnr
from isthmus.transforms.onnx_runtime import OnnxRuntimeGraph
from isthmus.values import Picture
from tests.conftest import GOLDEN, needs_openvino


@pytest.fixture(scope="module")
def model() -> Model:
    """The golden photo model."""
    return load_model(GOLDEN / "golden-hyperprior.isthmus", threads=1)


def scene(rows: int, columns: int, channels: int = 3) -> np.ndarray:
    """A smooth picture with some noise, (rows, columns, channels) uint8."""
    random = np.random.default_rng(rows * columns)
    y, x = np.mgrid[:rows, :columns]
    planes = [128 + 100 * np.sin(y / 17 + phase) * np.cos(x / 31) for phase in range(channels)]
    noisy = np.stack(planes, -1) + random.normal(0, 3, (rows, columns, channels))
    return np.clip(noisy, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("shape", [(1, 1), (1, 65), (16, 1), (63, 64), (130, 70), (7, 1030), (900, 40), (40, 1024)])
@pytest.mark.parametrize("channels", [1, 3])
def test_any_size_and_mode_comes_back_as_it_went_in(model, shape, channels):
    """Grey stays grey, and no padding is left."""
    pixels = scene(*shape, channels)
    decoded = pipeline.decode([model.encode(Picture(pixels), quality=100)], model.coder)[0]
    assert decoded.pixels.shape == pixels.shape


@pytest.fixture(scope="module")
def fine_model(model) -> Model:
    """The same, which pads pictures to whole latents alone."""
    return Model(replace(model.file, arrays={**model.file.arrays, "grid_unit": np.array([16], np.int32)}))


@pytest.mark.parametrize("shape", [(1, 1), (16, 80), (96, 96), (33, 130), (1100, 40)])
def test_a_model_that_pads_to_latents_codes_any_size(fine_model, shape):
    """What is coded comes back in every size, and regions are parts of the whole."""
    pixels = scene(*shape)
    data = fine_model.encode(Picture(pixels), quality=90)
    whole = fine_model.decode(data)
    assert whole.shape == pixels.shape
    part = Window(shape[0] // 2, shape[1] // 2, 1, 1)
    region = pipeline.decode_region(data, fine_model.coder, part).pixels
    assert np.array_equal(region, whole[part.top : part.bottom, part.left : part.right])


def test_a_model_that_pads_to_latents_codes_no_position_behind_the_picture(model, fine_model):
    """A picture of 6×6 positions has so many symbols, and whole hyper-latents make no difference."""
    pixels = scene(96, 96)
    assert fine_model.symbols(fine_model.encode(pixels))[0].shape[1:] == (6, 6)
    assert model.symbols(model.encode(pixels))[0].shape[1:] == (8, 8)
    whole = scene(128, 64)
    first, second = (one.encode(whole, quality=80) for one in (model, fine_model))
    assert np.array_equal(model.decode(first), fine_model.decode(second))


@pytest.mark.parametrize("unit", [0, 8, 32, 128])
def test_a_model_that_pads_to_other_sizes_is_refused(model, unit):
    """There are two, a latent's and a hyper-latent's."""
    strange = replace(model.file, arrays={**model.file.arrays, "grid_unit": np.array([unit], np.int32)})
    with pytest.raises(FormatError, match=f"multiples of {unit} pixels"):
        Model(strange)


@pytest.mark.parametrize("shape", [(64, 64), (40, 100), (70, 150)])
def test_what_was_just_coded_is_shown_as_it_decodes(model, fine_model, shape):
    """To the last bit, of grids that no hyper-latent divides too; and nothing is decoded for it."""
    pixels = np.random.default_rng(2).integers(0, 256, (*shape, 3), np.uint8)
    for one in (model, fine_model):
        tiles = next(one.coder.analyse([Picture(pixels)]))
        payloads = one.coder.encode(tiles, 70, is_shown=True)
        image = ImageFile(one.id, shape[1], shape[0], 3, 70, payloads)
        (kept,) = one.coder._just_coded._latents.values()
        assert np.array_equal(kept, one.coder.symbols(image)[0])
        shown = next(iter(one.coder.decode([image])))
        one.coder._just_coded = JustCoded()
        assert np.array_equal(shown, next(iter(one.coder.decode([image]))))


def test_what_was_just_coded_is_forgotten_when_it_is_much(monkeypatch):
    """The oldest first; what comes back is a copy."""
    monkeypatch.setattr(just_coded, "MOST_BYTES", 40)
    kept = JustCoded()
    for number in range(3):
        kept.put((b"payload", (2, 2), number), np.full((1, 2, 2), number, np.float32))
    found = [kept.get((b"payload", (2, 2), number)) for number in range(3)]
    assert found[0] is None
    assert found[1] is not None
    assert found[2] is not None
    found[2][:] = 9
    assert kept.get((b"payload", (2, 2), 2)).max() == 2
    kept.put((b"payload", (2, 2), 2), np.zeros((1, 8, 8), np.float32))
    assert kept.get((b"payload", (2, 2), 2)) is None


def test_alpha_and_profiles_are_kept_exactly(model):
    """They are beside the tiles."""
    alpha = scene(40, 50, 1)[:, :, 0]
    picture = Picture(scene(40, 50), alpha=alpha, icc=b"profile", exif=b"Exif\0\0")
    decoded = pipeline.decode([model.encode(picture)], model.coder)[0]
    assert np.array_equal(decoded.alpha, alpha)
    assert (decoded.icc, decoded.exif) == (b"profile", b"Exif\0\0")


def test_threads_share_a_model(model):
    """Each gets what it would get alone, also where the model's graphs are loaded while the others wait."""
    pictures = [scene(64 + 8 * index, 80) for index in range(6)]
    alone = [model.encode(Picture(one), quality=70) for one in pictures]
    shared = load_model(GOLDEN / "golden-hyperprior.isthmus", threads=2)
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda one: shared.encode(Picture(one), quality=70), pictures))
        decoded = list(pool.map(shared.decode, together))
    assert together == alone
    for data, one in zip(alone, decoded, strict=True):
        assert np.array_equal(one, model.decode(data))


def test_pieces_leave_no_seam(model, monkeypatch):
    """Transforms in small pieces with margins make what they make of the whole picture."""
    picture = Picture(scene(200, 1100))
    monkeypatch.setattr(coder, "TILE", 64)
    whole = model.encode(picture)
    monkeypatch.setattr(coder, "PIECE", (64, 128))
    assert model.symbols(model.encode(picture))[0].shape == model.symbols(whole)[0].shape
    in_pieces = model.decode(whole)
    monkeypatch.setattr(coder, "PIECE", (4096, 4096))
    assert np.abs(in_pieces.astype(int) - model.decode(whole).astype(int)).max() <= 1
    differing = np.mean(
        np.concatenate([tile.ravel() for tile in model.symbols(model.encode(picture))])
        != np.concatenate([tile.ravel() for tile in model.symbols(whole)])
    )
    assert differing < 1e-3  # floats near a half


@pytest.mark.parametrize("region", ["0,0,1,1", "100,30,64,64", "511,0,2,150", "1000,149,100,1", "0,0,1100,150"])
def test_a_region_is_the_same_as_that_part_of_the_whole(model, region):
    """To 1/255, wherever it lies among the tiles."""
    data = model.encode(Picture(scene(150, 1100)))
    window = parse_region(region)
    whole = Window(0, 0, 150, 1100)
    part = pipeline.decode_region(data, model.coder, window).pixels
    expected = model.decode(data)[window.inside(whole)]
    assert np.abs(part.astype(int) - expected.astype(int)).max() <= 1


def test_a_region_decodes_only_the_tiles_that_it_needs(model, monkeypatch):
    """The others may even be damaged beyond what a checksum sees."""
    monkeypatch.setattr(coder, "TILE", 64)
    data = model.encode(Picture(scene(150, 1100)))
    decoded: list[int] = []
    original = Tiles.tile
    monkeypatch.setattr(
        Tiles, "tile", lambda self, prior, number: decoded.append(number) or original(self, prior, number)
    )
    pipeline.decode_region(data, model.coder, Window(70, 200, 20, 30))
    assert len(decoded) <= 9
    with pytest.raises(UsageError, match="reaches beyond"):
        pipeline.decode_region(data, model.coder, Window(0, 1000, 10, 101))


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_several_tiles_at_a_time_are_what_they_are_one_by_one(model, monkeypatch, engine):
    """Each in a thread with networks of its own."""
    pytest.importorskip(engine, reason=f"{engine} is not installed")
    several = load_model(GOLDEN / "golden-hyperprior.isthmus", threads=3, engine=engine)
    monkeypatch.setattr(coder, "TILE", 64)
    picture = Picture(scene(150, 1100))
    data = several.encode(picture)
    assert len(read_image(data).tiles) == 54
    one_by_one = model.encode(picture)
    if engine == "onnxruntime":  # the analysis of another engine rounds otherwise
        assert data == one_by_one
    assert np.abs(several.decode(one_by_one).astype(int) - model.decode(one_by_one).astype(int)).max() <= 1
    image, decode = read_image(one_by_one), Hyperprior.decode

    def decode_or_not(prior, payload, *rest):
        if payload == b"damaged":
            raise FormatError("the payload cannot be decoded")
        return decode(prior, payload, *rest)

    monkeypatch.setattr(Hyperprior, "decode", decode_or_not)
    with pytest.raises(FormatError, match="tile 50"):
        list(several.coder.decode([replace(image, tiles=(*image.tiles[:50], b"damaged", *image.tiles[51:]))]))


@pytest.mark.parametrize("text", ["", "1,2,3", "a,b,c,d", "-1,0,5,5", "0,0,0,5"])
def test_a_region_that_is_none_is_refused(text):
    """With an example of one."""
    with pytest.raises(UsageError, match="region"):
        parse_region(text)


def test_a_damaged_tile_is_named_and_the_rest_is_salvaged(model):
    """One bit in one tile."""
    picture = Picture(scene(70, 1100), exif=b"Exif\0\0")
    data = bytearray(model.encode(picture))
    header = read_header(bytes(data))
    data[header.length + header.tile_lengths[0] + 4 + 2] ^= 0x10
    with pytest.raises(ChecksumError, match="tile 1"):
        model.decode(bytes(data))
    whole, missing = pipeline.salvage(bytes(data), model.coder)
    assert missing == ("tile 1",)
    expected = model.decode(model.encode(picture))
    assert np.abs(whole.pixels[:, :400].astype(int) - expected[:, :400].astype(int)).max() <= 1
    assert whole.exif == picture.exif


def test_of_a_file_cut_off_the_first_tiles_are_salvaged(model):
    """As much as arrived; of nothing, nothing."""
    data = model.encode(Picture(scene(70, 1100)))
    header = read_header(data)
    _, missing = pipeline.salvage(data[: header.length + header.tile_lengths[0] + 4], model.coder)
    assert missing == ("tile 1", "tile 2")
    with pytest.raises(FormatError, match="nothing to salvage"):
        pipeline.salvage(data[: header.length], model.coder)


def test_tiles_that_change_places_are_noticed(model):
    """A checksum also covers where its section stands."""
    data = write_image(ImageFile(model.id, 1100, 64, 3, 50, (b"one", b"two", b"three"), tile_size=512))
    header = read_header(data)
    first, second = header.length, header.length + header.tile_lengths[0] + 4
    third = second + header.tile_lengths[1] + 4
    swapped = data[:first] + data[second:third] + data[first:second] + data[third:]
    with pytest.raises(ChecksumError):
        read_image(swapped)


def test_smooth_pictures_get_more_of_a_quality_than_busy_ones(model):
    """Rising with it for every picture, to the same ends; and so in every way to ask for one."""
    smooth, busy = np.full((40, 40, 3), 9, np.uint8), np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
    for pixels in (smooth, busy, scene(40, 40)):
        adapted = [model.coder.quality_scale(Picture(pixels))(quality) for quality in range(1, 101)]
        assert (adapted[0], adapted[-1]) == (1, 100)
        assert all(one < two for one, two in pairwise(adapted))
    low, high = (whole_quality(model.coder.quality_scale(Picture(pixels))(50)) for pixels in (busy, smooth))
    assert low < 50 < high
    files = [model.encode(smooth, quality=50), model.encode(busy, quality=50)]
    assert [read_header(data).quality for data in files] == [high, low]
    assert files == model.encode_batch([smooth, busy], quality=50)
    assert files[0] == encode_wished([Picture(smooth)], model.coder, Wish(Target(quality=50), LEARNED))[0]


def test_between_two_whole_qualities_the_rounding_is_stronger(model):
    """The file says the higher one; its bytes rise with the real number."""
    tiles = list(next(iter(model.coder.analyse([Picture(scene(128, 128))]))))
    sizes = [sum(map(len, model.coder.encode(tiles, quality))) for quality in (59.05, 59.5, 60)]
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[-1]


@pytest.mark.parametrize("share", [0.15, 0.4, 0.9])
def test_target_bytes_is_never_exceeded_and_nearly_used(share):
    """Within 3 % where there is a file of that size between the smallest and the largest."""
    model = load_model("photo")
    picture = Picture(scene(192, 256))
    smallest, largest = (len(model.encode(picture, quality=quality)) for quality in (1, 100))
    limit = int(smallest + share * (largest - smallest))
    size = len(encode_wished([picture], model.coder, Wish(Target(file_bytes=limit), LEARNED))[0])
    assert 0.97 * limit <= size <= limit


def test_target_psnr_is_reached_and_hardly_exceeded(model):
    """Within 0.1 dB."""
    picture = Picture(scene(192, 256))
    low, high = (
        psnr(pipeline.decode([model.encode(picture, quality=quality)], model.coder)[0].pixels, picture.pixels)
        for quality in (20, 90)
    )
    wanted = (low + high) / 2
    data = encode_wished([picture], model.coder, Wish(Target(psnr=wanted), LEARNED))[0]
    assert wanted <= psnr(pipeline.decode([data], model.coder)[0].pixels, picture.pixels) <= wanted + 0.1


def test_a_target_out_of_reach_says_what_is_in_reach(model):
    """Both ways."""
    picture = Picture(scene(64, 64))
    with pytest.raises(UsageError, match="smallest file"):
        encode_wished([picture], model.coder, Wish(Target(file_bytes=10), LEARNED))[0]
    with pytest.raises(UsageError, match="at best"):
        encode_wished([picture], model.coder, Wish(Target(psnr=99.0), LEARNED))[0]


def test_an_inexact_engine_is_refused(model, monkeypatch):
    """The probe in the model file is not what such an engine computes."""
    broken = load_model(GOLDEN / "golden-hyperprior.isthmus", threads=1)
    run = OnnxRuntimeGraph.run_named
    monkeypatch.setattr(OnnxRuntimeGraph, "run_named", lambda self, feed: [value + 1 for value in run(self, feed)])
    with pytest.raises(ModelMismatchError, match="inexactly"):
        broken.encode(scene(8, 8))


def test_tiles_that_no_writer_makes_are_refused(model):
    """Their sizes would be asked for in memory."""
    image = read_image(model.encode(Picture(scene(64, 64))))
    for side, size in ((32, 64), (2048, 64), (0, 4096)):
        fake = type(image)(model.id, size, size, 3, 50, (b"",), tile_size=side)
        with pytest.raises(FormatError, match="tile"):
            model.coder.check(fake)


@needs_openvino
@pytest.mark.parametrize("threads", [1, 2])
def test_openvino_reads_the_same_symbols(threads):
    """From the golden files."""
    other = load_model(GOLDEN / "golden-hyperprior.isthmus", engine="openvino", threads=threads)
    for name in ("colour-50", "grey-100", "tiled-1"):
        symbols = np.concatenate([tile.ravel() for tile in other.symbols((GOLDEN / f"{name}.isth").read_bytes())])
        assert np.array_equal(symbols, np.load(GOLDEN / f"{name}.npz")["symbols"])


def test_an_unknown_engine_is_named():
    """With those that there are."""
    with pytest.raises(UsageError, match="onnxruntime"):
        load_model(GOLDEN / "golden-hyperprior.isthmus", engine="abacus")


class StrangePasses:
    """Means that no format knows, in place of a model's own."""

    def __init__(self, passes):
        self._passes = passes

    def estimate(self, number, read, decoded):
        """Levels as they are."""
        levels, means = self._passes.estimate(number, read, decoded)
        return levels, np.full(means.shape, 10**6, np.int32)


def test_means_beyond_the_format_raise_nothing(model, monkeypatch):
    """Of a model that is not what it says: the picture is worthless, or symbols do not fit, and that is all."""
    data = model.encode(scene(70, 90), quality=50)
    networks = type(model.coder.prior.networks)
    begin = networks.begin
    monkeypatch.setattr(networks, "begin", lambda *arguments: StrangePasses(begin(*arguments)))
    with suppress(FormatError):
        assert model.decode(data).shape == (70, 90, 3)
