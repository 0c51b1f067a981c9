"""Pictures in the tray, coded, compared, saved."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

import isthmus
from isthmus.codec.api import decode_picture
from isthmus.container.image_header import read_header
from isthmus.errors import UsageError
from isthmus.studio.app import build_app
from isthmus.studio.compress.comparisons import free_name, stem_of
from isthmus.studio.compress.contenders import windows_from
from isthmus.studio.compress.wishes import Wish
from isthmus.studio.settings import Limits
from isthmus.values import Picture
from tests.conftest import SHARED_DATA
from tests.studio.conftest import HOME, TOKEN, photograph, png


def events(client, address, **query):
    """The names and facts of a stream, to its end."""
    with client.stream("GET", address, params=query) as answer:
        assert answer.status_code == 200, answer.read()
        text = "".join(answer.iter_text())
    found = []
    for block in text.split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line)
        if "event" in lines:
            found.append((lines["event"], json.loads(lines["data"])))
    return found


def send(client, pixels, name="holiday.png"):
    """A picture into the tray."""
    answer = client.post("/compress/pictures", params={"name": name}, content=png(pixels))
    assert answer.status_code == 200, answer.text
    return answer.json()


def photo_key(client):
    """What the page knows the shipped model by."""
    return client.get("/").text.partition('<select id="model"><option value="')[2].partition('"')[0]


def code(client, sent, codec, wish, value):
    """The facts of a coded picture, and its pixels."""
    found = events(client, "/compress/events", picture=sent["id"], codec=codec, wish=wish, value=value)
    assert found[-1][0] == "end", found
    facts = dict(found)
    assert "failed" not in facts, facts
    data = client.get(f"/compress/results/{facts['coded']['result']}/pixels").content
    return facts["coded"], np.asarray(Image.open(io.BytesIO(data)))


def test_the_file_that_is_saved_is_that_of_the_command_line(client):
    """Byte for byte at a quality; and what is shown is what it decodes to."""
    pixels = photograph()
    sent = send(client, pixels)
    facts, shown = code(client, sent, f"isthmus:{photo_key(client)}", "quality", 60)
    saved = client.get(f"/compress/results/{facts['result']}/file")
    assert saved.content == isthmus.encode(pixels, quality=60)
    assert len(saved.content) == facts["bytes"]
    assert np.array_equal(shown, isthmus.decode(saved.content))
    assert "holiday.isth" in saved.headers["content-disposition"]
    decoded = client.get(f"/compress/results/{facts['result']}/png").content
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(decoded))), shown)


def test_what_is_no_photograph_is_coded_as_the_command_line_codes_it(client):
    """Drawings, grey, transparency; by quality, size and PSNR; and metadata is told apart from what is compared."""
    drawing = np.full((96, 128, 3), 250, np.uint8)
    drawing[20:60, 10:100], drawing[::7, 30:90] = (200, 30, 40), (10, 10, 120)
    alpha = np.where(np.arange(128) < 40, 0, 255).astype(np.uint8)
    grey = photograph(96, 128)[:, :, 0]
    for pixels in (drawing, np.dstack([drawing, np.broadcast_to(alpha, (96, 128))]), grey, np.dstack([grey] * 3)):
        sent, codec = send(client, pixels), f"isthmus:{photo_key(client)}"
        for wish, value, words in (
            ("quality", 70, {"quality": 70}),
            ("bytes", 1800, {"target_bytes": 1800}),
            ("psnr", 33, {"target_psnr": 33}),
        ):
            facts, shown = code(client, sent, codec, wish, value)
            saved = client.get(f"/compress/results/{facts['result']}/file").content
            assert saved == isthmus.encode(pixels, **words), (pixels.shape, wish)
            assert facts["coding"] == (read_header(saved).format or "learned")
            assert shown.shape[:2] == (96, 128)
    out = io.BytesIO()
    Image.fromarray(drawing).save(out, "PNG", icc_profile=b"profile" * 20)
    sent = client.post("/compress/pictures", params={"name": "a.png"}, content=out.getvalue()).json()
    facts, _ = code(client, sent, codec, "quality", 70)
    saved = client.get(f"/compress/results/{facts['result']}/file").content
    assert facts["bytes"] + facts["extra_bytes"] == len(saved)
    assert facts["bytes"] == len(isthmus.encode(drawing, quality=70))


@pytest.mark.parametrize("rival", ["avif-444", "webp", "jpeg-420"])
def test_other_codecs_come_at_equal_bytes(client, rival):
    """The best of their files that is no larger."""
    sent = send(client, photograph(96, 128))
    mine, _ = code(client, sent, f"isthmus:{photo_key(client)}", "quality", 90)
    theirs, shown = code(client, sent, rival, "bytes", mine["bytes"])
    assert theirs["bytes"] <= mine["bytes"]
    assert shown.shape == (96, 128, 3)
    file = client.get(f"/compress/results/{theirs['result']}/file").content
    assert len(file) == theirs["bytes"]
    assert Image.open(io.BytesIO(file)).size == (128, 96)


def test_a_score_that_is_asked_for_is_reached_with_no_more_than_it_takes(client):
    """And the quality just below does not reach it."""
    sent, codec = send(client, photograph(96, 128)), "webp"
    facts, _ = code(client, sent, codec, "ssimulacra2", 60)
    assert client.get(f"/compress/results/{facts['result']}/score").json()["ssimulacra2"] >= 60
    below, _ = code(client, sent, codec, "quality", facts["quality"] - 1)
    assert client.get(f"/compress/results/{below['result']}/score").json()["ssimulacra2"] < 60


def test_a_psnr_is_reached_and_a_size_is_kept(client):
    """By the same searches as the command line's."""
    pixels = photograph(96, 128)
    sent, codec = send(client, pixels), f"isthmus:{photo_key(client)}"
    facts, shown = code(client, sent, codec, "psnr", 36)
    assert 10 * np.log10(255**2 / np.mean((shown.astype(float) - pixels) ** 2)) >= 36
    facts, _ = code(client, sent, codec, "bytes", 1500)
    assert facts["bytes"] == len(isthmus.encode(pixels, target_bytes=1500))


def test_a_target_out_of_reach_is_said_in_one_line(client):
    """As the event "failed"; the stream ends."""
    sent = send(client, photograph())
    found = events(client, "/compress/events", picture=sent["id"], codec="webp", wish="bytes", value=3)
    assert [name for name, _ in found if name != "progress"] == ["failed", "end"]
    assert "smallest" in dict(found)["failed"]["error"]


def test_transparency_and_metadata_are_in_the_file_that_is_saved(client):
    """While the comparison is over white, without them."""
    rgba = np.dstack([photograph(), np.full((64, 96), 255, np.uint8)])
    rgba[:20, :30, 3] = 0
    sent = send(client, rgba)
    assert sent["has_alpha"]
    shown = np.asarray(Image.open(io.BytesIO(client.get(f"/compress/pictures/{sent['id']}/original").content)))
    assert (shown[:20, :30] == 255).all()
    facts, _ = code(client, sent, f"isthmus:{photo_key(client)}", "quality", 60)
    saved = decode_picture(client.get(f"/compress/results/{facts['result']}/file").content)
    assert saved.alpha is not None
    assert (saved.alpha == rgba[:, :, 3]).all()


def test_equal_pictures_have_no_psnr_and_a_map_without_error(client):
    """JSON has no infinity."""
    sent = send(client, np.zeros((32, 32, 3), np.uint8))
    facts, _ = code(client, sent, "webp", "quality", 90)
    assert client.get(f"/compress/results/{facts['result']}/score").json()["psnr"] is None
    error = client.get(f"/compress/results/{facts['result']}/pixels?as=error").content
    assert not np.asarray(Image.open(io.BytesIO(error))).any()


def test_all_pictures_come_in_one_zip_with_harmless_names(client):
    """Whatever their files were called; one that fails does not end the others."""
    for name in ("../../evil.png", "C:\\a\\b.png", "evil.png", "", "..."):
        send(client, photograph(), name)
    found = events(client, "/compress/zip", model=photo_key(client), wish="quality", value=40)
    ready = dict(found)["ready"]
    archive = zipfile.ZipFile(io.BytesIO(client.get(f"/compress/zips/{ready['zip']}").content))
    assert archive.namelist() == ["evil.isth", "b.isth", "evil-2.isth", "picture.isth", "picture-2.isth"]
    assert isthmus.decode(archive.read("b.isth")).shape == (64, 96, 3)


def test_a_large_picture_shows_its_middle_before_it_is_coded(client):
    """Then the whole, part by part, to the same pixels as all at once."""
    pixels = photograph(1100, 2000)
    sent = send(client, pixels)
    found = events(
        client, "/compress/events", picture=sent["id"], codec=f"isthmus:{photo_key(client)}", wish="quality", value=20,
        row=600, column=1500,
    )  # fmt: skip
    names = [name for name, _ in found]
    assert names.index("piece") < names.index("coded")
    first = next(facts for name, facts in found if name == "piece")
    assert first["x"] <= 1500 < first["x"] + first["width"]
    assert first["y"] <= 600 < first["y"] + first["height"]
    result = dict(found)["coded"]["result"]
    shown = np.asarray(Image.open(io.BytesIO(client.get(f"/compress/results/{result}/pixels").content)))
    file = client.get(f"/compress/results/{result}/file").content
    assert np.array_equal(shown, isthmus.decode(file))


def test_the_parts_of_a_picture_cover_it_once():
    """Those near the place that is looked at first."""
    picture = Picture(np.broadcast_to(np.uint8(0), (1500, 2100, 3)))
    windows = windows_from(picture, (1499, 0))
    cover = np.zeros((1500, 2100), int)
    for window in windows:
        cover[window.top : window.bottom, window.left : window.right] += 1
    assert (cover == 1).all()
    assert windows[0].bottom == 1500
    assert windows[0].left == 0


def test_what_is_no_picture_is_refused_in_one_line_and_leaves_nothing(client, settings):
    """Empty, cut, a text, a bomb's header."""
    whole = png(photograph())
    header = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + b"\x00\x00\xff\xff" * 2 + b"\x08\x02\x00\x00\x00" + b"\x00" * 4
    for content in (b"", b"hello", whole[:200], header, b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"):
        answer = client.post("/compress/pictures", params={"name": "<b>x"}, content=content)
        assert answer.status_code in (400, 413), content[:20]
        assert "\n" not in answer.json()["error"]
    assert client.get("/compress/pictures").json() == {"pictures": []}
    assert list(client.app.state.studio.folder.iterdir()) == []


def test_limits_of_bytes_and_of_pictures_hold(settings):
    """What is too much is refused before it is kept."""
    limits = Limits(picture_bytes=20_000, pictures=2)
    with TestClient(build_app(replace(settings, limits=limits)), base_url=HOME, headers={"Origin": HOME}) as client:
        client.get(f"/?token={TOKEN}")
        assert client.post("/compress/pictures", content=b"x" * 20_001).status_code == 413
        for _ in range(2):
            send(client, np.zeros((8, 8), np.uint8))
        answer = client.post("/compress/pictures", content=png(np.zeros((8, 8), np.uint8)))
        assert answer.status_code == 413
        assert "remove some" in answer.json()["error"]
        assert len(list(client.app.state.studio.folder.iterdir())) == 2


def test_a_removed_picture_is_gone(client):
    """Its file too."""
    sent = send(client, photograph())
    assert client.delete(f"/compress/pictures/{sent['id']}").status_code == 200
    assert client.get(f"/compress/pictures/{sent['id']}/original").status_code == 404
    assert list(client.app.state.studio.folder.iterdir()) == []


@pytest.mark.parametrize("key", ["..", "../../etc/passwd", "%2e%2e", "x" * 5000])
def test_keys_are_never_paths(client, key):
    """What is not known is not there."""
    for address in (f"/compress/pictures/{key}/original", f"/compress/zips/{key}", f"/compress/results/{key}/file"):
        assert client.get(address).status_code == 404


def test_wishes_that_cannot_be_are_refused(client):
    """Before anything is computed."""
    sent = send(client, photograph())
    for wish, value in (
        ("quality", "0"),
        ("quality", "nan"),
        ("bytes", "-5"),
        ("psnr", "inf"),
        ("beauty", "3"),
        ("bytes", ""),
    ):
        answer = client.get(
            "/compress/events", params={"picture": sent["id"], "codec": "webp", "wish": wish, "value": value}
        )
        assert answer.status_code == 400, (wish, value)
    with pytest.raises(UsageError):
        Wish("bytes", float("inf"))


def test_names_for_downloads_are_plain():
    """No folders, no dots in front, never twice."""
    taken: set[str] = set()
    assert stem_of("../../a/b.c.png") == "b.c"
    assert stem_of(".hidden") == "hidden"
    assert stem_of('a\n"b;.png') == "a__b_"
    assert [free_name("A", ".png", taken), free_name("a", ".png", taken)] == ["A.png", "a-2.png"]


@pytest.mark.data
def test_no_hostile_file_gets_more_than_a_line(client):
    """All that went wrong elsewhere: each is taken, or refused with a reason."""
    if not SHARED_DATA.is_dir():
        pytest.skip("the shared data sets are absent")
    for path in sorted((SHARED_DATA / "robustness").rglob("*.*")):
        answer = client.post("/compress/pictures", params={"name": path.name}, content=path.read_bytes())
        assert answer.status_code in (200, 400, 413), path
        if answer.status_code == 200:
            assert client.get(f"/compress/pictures/{answer.json()['id']}/original").status_code == 200, path
            assert client.delete(f"/compress/pictures/{answer.json()['id']}").status_code == 200
