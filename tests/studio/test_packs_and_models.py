"""A pack as a gallery; what is installed."""

from __future__ import annotations

import io
import zipfile

import numpy as np
import pytest
from PIL import Image

from isthmus.imaging.fitting import over_white
from isthmus.packs.pack import Pack
from isthmus.packs.packing import PackOptions, pack_to_file
from isthmus.sources.source import Source
from tests.conftest import GOLDEN


@pytest.fixture
def pack(client, golden_model, data, tmp_path):
    """The key of an open pack of 300 small pictures, and its file."""
    from typer.testing import CliRunner

    from isthmus.cli.main import app

    folder = tmp_path / "pictures"
    folder.mkdir()
    random = np.random.default_rng(1)
    for index in range(300):
        Image.fromarray(random.integers(0, 256, (8, 8), np.uint8)).save(folder / f"cat {index:03}.png")
    path = data / "cats.isthpack"
    done = CliRunner().invoke(app, ["pack", str(folder), "-o", str(path), "--model", str(GOLDEN / "golden.isthmus")])
    assert done.exit_code == 0, done.output
    answer = client.post("/packs?path=cats.isthpack")
    assert answer.status_code == 200, answer.text
    assert answer.json()["pictures"] == 300
    return answer.json(), path


def test_a_sheet_shows_the_pictures_of_its_place(client, pack):
    """Each in its own cell, the pixels of the pack."""
    facts, path = pack
    answer = client.get(f"/packs/{facts['key']}/sheet?first=128&count=64&side=96")
    width, height = map(int, answer.headers["x-cell"].split(","))
    sheet = np.asarray(Image.open(io.BytesIO(answer.content)))
    whole = Pack(path)
    for index in (128, 150, 191):
        row, column = divmod(index - 128, facts["columns"])
        assert np.array_equal(
            sheet[row * height : (row + 1) * height, column * width : (column + 1) * width], whole[index]
        )


def test_pictures_with_alpha_are_shown_on_white_and_saved_with_it(client, golden_model, data):
    """In the sheet, and as PNG."""
    noise = np.random.default_rng(2).integers(0, 256, (8, 8, 2), np.uint8)
    out = io.BytesIO()
    Image.fromarray(noise, "LA").save(out, "PNG")
    sources = [Source("noise", data=out.getvalue()), Source("plain", pixels=noise[:, :, :1])]
    pack_to_file(sources, data / "alpha.isthpack", golden_model, PackOptions(75))
    (data / "golden.isthmus").write_bytes((GOLDEN / "golden.isthmus").read_bytes())
    key = client.post("/packs?path=alpha.isthpack").json()["key"]
    saved = np.asarray(Image.open(io.BytesIO(client.get(f"/packs/{key}/pictures/0").content)))
    assert np.array_equal(saved[:, :, 1], noise[:, :, 1])
    sheet = np.asarray(Image.open(io.BytesIO(client.get(f"/packs/{key}/sheet?first=0&count=2&side=96").content)))
    assert np.array_equal(sheet[:8, :8], over_white(saved[:, :, :1], saved[:, :, 1])[:, :, 0])
    taken = client.post(f"/packs/{key}/download", json={"indices": [0], "form": "isth"})
    inner = zipfile.ZipFile(io.BytesIO(taken.content)).read("noise.isth")
    assert np.array_equal(golden_model.decode(inner), saved)


def test_one_picture_comes_with_its_name_and_bytes(client, pack):
    """And what is not there is said."""
    facts, path = pack
    said = client.get(f"/packs/{facts['key']}/pictures/7/facts").json()
    assert (said["name"], said["width"], said["height"]) == ("cat 007.png", 8, 8)
    assert said["bytes"] == len(Pack(path).payloads([7])[0])
    shown = np.asarray(Image.open(io.BytesIO(client.get(f"/packs/{facts['key']}/pictures/7").content)))
    assert np.array_equal(shown, Pack(path)[7])
    assert client.get(f"/packs/{facts['key']}/pictures/300").status_code == 404
    assert client.get(f"/packs/{facts['key']}/sheet?first=300&count=5").status_code == 400
    assert client.get("/packs/nothing/sheet?first=0&count=5").status_code == 404


def test_names_are_found_by_a_part_of_them(client, pack):
    """The exact one first."""
    facts, _ = pack
    found = client.get(f"/packs/{facts['key']}/find", params={"name": "T 12"}).json()["found"]
    assert [one["index"] for one in found] == list(range(120, 130))
    assert client.get(f"/packs/{facts['key']}/find", params={"name": "cat 042.png"}).json()["found"][0]["index"] == 42
    assert client.get(f"/packs/{facts['key']}/find", params={"name": "dog"}).json()["found"] == []


@pytest.mark.parametrize("form", ["png", "isth"])
def test_a_selection_is_a_zip_of_its_pictures(client, pack, golden_model, form):
    """Nothing of it stays behind."""
    facts, path = pack
    answer = client.post(f"/packs/{facts['key']}/download", json={"indices": [3, 5], "form": form})
    archive = zipfile.ZipFile(io.BytesIO(answer.content))
    assert archive.namelist() == [f"cat 003.{form}", f"cat 005.{form}"]
    data = archive.read(f"cat 005.{form}")
    shown = golden_model.decode(data) if form == "isth" else np.asarray(Image.open(io.BytesIO(data)))
    assert np.array_equal(shown, Pack(path)[5])
    assert not list(client.app.state.studio.folder.glob("*.zip"))
    for indices in ([], "x", [300], [-1], [1.5], list(range(20_000))):
        assert client.post(f"/packs/{facts['key']}/download", json={"indices": indices}).status_code in (400, 404, 413)


def test_a_pack_that_is_sent_is_opened_and_one_that_is_none_leaves_nothing(client, pack, data):
    """The model beside the data folder's packs is not beside this one: installed it is found."""
    _, path = pack
    client.post("/models/installed?name=golden.isthmus", content=(GOLDEN / "golden.isthmus").read_bytes())
    assert client.post("/packs", content=path.read_bytes()).json()["pictures"] == 300
    assert client.post("/packs", content=b"no pack").status_code == 400
    assert client.post("/packs", content=path.read_bytes()[:500]).status_code == 400
    assert len(list(client.app.state.studio.folder.iterdir())) == 1


def test_a_model_is_added_listed_and_removed(client):
    """Its name is a plain one, and what is no model is refused."""
    content = (GOLDEN / "golden.isthmus").read_bytes()
    added = client.post("/models/installed", params={"name": "../../my model.isthmus"}, content=content)
    assert added.json() == {"file": "my model"}
    rows = {row["file"]: row for row in client.get("/models/installed").json()["models"]}
    assert rows["my model"]["place"] == "installed"
    assert rows["photo"]["place"] == "shipped"
    assert client.post("/models/installed", params={"name": "my model.isthmus"}, content=content).status_code == 400
    assert client.post("/models/installed", params={"name": "b"}, content=b"PK no").status_code == 400
    assert client.delete("/models/installed/my model").status_code == 200
    assert client.delete("/models/installed/my model").status_code == 404
    assert client.delete("/models/installed/photo").status_code == 404
    assert client.delete("/models/installed/..%2F..%2Fx").status_code in (400, 404)


def test_a_file_says_which_model_it_needs(client, golden_model, pictures):
    """And whether it is here."""
    need = client.post("/models/need", content=golden_model.encode(pictures[0])).json()
    assert (need["model_id"], need["is_there"]) == (golden_model.id.hex(), False)
    client.post("/models/installed?name=golden.isthmus", content=(GOLDEN / "golden.isthmus").read_bytes())
    need = client.post("/models/need", content=golden_model.encode(pictures[0])).json()
    assert (need["name"], need["is_there"]) == ("golden", True)
    assert client.post("/models/need", content=b"?").status_code == 400
    assert list(client.app.state.studio.folder.iterdir()) == []
