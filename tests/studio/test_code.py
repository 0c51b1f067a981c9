"""The code of a plain autoencoder, by numbers and by hand."""

from __future__ import annotations

import base64

import numpy as np
import pytest

from isthmus.container.image_file import read_image


@pytest.fixture
def bench(client):
    """The address of the golden model: 8×8 grey, in the data folder."""
    key = client.get("/code").text.partition('<select id="model"><option value="')[2].partition('"')[0]
    assert key
    return f"/code/{key}"


def pixels_of(answer):
    """(8, 8) uint8."""
    return np.frombuffer(base64.b64decode(answer["pixels"]), np.uint8).reshape(8, 8)


def test_a_drawing_becomes_its_code_its_picture_and_the_bytes_of_its_file(client, bench, golden_model, pictures):
    """Those of the model itself."""
    answer = client.post(f"{bench}/encode", content=pictures[0].tobytes()).json()
    assert np.allclose(answer["code"], golden_model.latents(pictures[:1, :, :, None]).ravel(), atol=1e-4)
    assert answer["bytes"] == len(golden_model.encode(pictures[0]))
    decoded = golden_model.pictures_of(golden_model.latents(pictures[:1, :, :, None]))[0, :, :, 0]
    assert np.abs(pixels_of(answer).astype(float) - 255 * decoded).max() <= 1


def test_a_number_that_is_moved_moves_the_picture_and_the_bytes(client, bench, golden_model, pictures):
    """And back again."""
    first = client.post(f"{bench}/encode", content=pictures[0].tobytes()).json()
    moved = client.post(f"{bench}/decode", json={"code": [value + 5 for value in first["code"]]}).json()
    assert (pixels_of(moved) != pixels_of(first)).any()
    again = client.post(f"{bench}/decode", json={"code": first["code"]}).json()
    assert np.abs(pixels_of(again).astype(int) - pixels_of(first)).max() <= 1
    low, high = (
        client.post(f"{bench}/decode", json={"code": first["code"], "quality": q}).json()["bytes"] for q in (5, 100)
    )
    assert low < high


def test_the_file_whose_bytes_are_told_is_one_that_decodes(client, bench, golden_model, pictures):
    """Not an estimate."""
    key = bench.rpartition("/")[2]
    own = client.app.state.studio.workbench.bench(key)
    data = own.file_of(own.code_of(own.picture(pictures[1].tobytes())), 75)
    assert read_image(data).width == 8
    assert np.array_equal(golden_model.decode(data), golden_model.decode(golden_model.encode(pictures[1], quality=75)))


def test_noise_is_put_on_what_the_model_sees(client, bench, pictures):
    """The same for the same seed."""
    query = "noise=gaussian&amount=0.3&seed=4"
    one, two = (client.post(f"{bench}/encode?{query}", content=pictures[0].tobytes()).json() for _ in range(2))
    assert one == two
    assert base64.b64decode(one["input"]) != pictures[0].tobytes()


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"code": []},
        {"code": "x"},
        {"code": [[1]]},
        {"code": [1e400] * 4},
        {"x": 1},
        {"code": {"a": 1}},
        {"x": "a", "y": 2},
    ],
)
def test_what_is_no_code_is_refused_in_a_line(client, bench, message):
    """Whatever a page may send."""
    import json

    answer = client.post(f"{bench}/decode", content=json.dumps(message))
    assert answer.status_code == 400
    assert answer.json()["error"]


def test_other_nonsense_is_refused_in_a_line(client, bench):
    """Too few pixels, no JSON, a deep one, an unknown model."""
    assert client.post(f"{bench}/encode", content=b"abc").status_code == 400
    for content in (b"", b"{", b"[1]", b"[" * 100_000, b"\xff"):
        assert client.post(f"{bench}/decode", content=content).status_code == 400
    assert client.post("/code/nothing/encode", content=b"abc").status_code == 404
    assert client.post(f"{bench}/decode", content=b" " * 5_000_000).status_code == 413


def test_a_point_of_the_map_is_the_code_of_the_sample_that_lies_there(client, bench, data, pictures):
    """As near as a plane can be; every sample has a point, and its pixels are the file's."""
    from PIL import Image

    folder = data / "blobs"
    folder.mkdir()
    for index, one in enumerate(pictures):
        Image.fromarray(one).save(folder / f"{index:02}.png")
    found = client.get(f"{bench}/samples?source=blobs").json()
    assert len(found["points"]) >= 2
    sample = client.get(f"{bench}/sample?source=blobs&index=0").json()
    assert len(sample["code"]) == len(found["low"])
    x, y = found["points"][0]
    there = client.post(f"{bench}/decode", json={"x": x, "y": y, "map": "pca", "source": "blobs"})
    assert there.status_code == 200
    assert client.get(f"{bench}/sprite?source=blobs").content.startswith(b"\x89PNG")
    assert client.get(f"{bench}/samples?source=../secret").status_code == 400
