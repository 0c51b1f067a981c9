"""What of this machine a page may see."""

from __future__ import annotations

import pytest

from isthmus.errors import InputError, UsageError
from isthmus.studio.folders import entries, inside

ESCAPES = [
    "..",
    "../secret",
    "a/../../secret",
    "/etc",
    "....//secret",
    "..\\secret",
    "a\0b",
    "link",
    "link/hidden.isthpack",
    "%2e%2e/secret",
]


@pytest.mark.parametrize("name", ESCAPES)
def test_no_name_leads_out_of_the_data_folder(data, name):
    """Neither by dots, nor from the root, nor through a link."""
    (data / "link").symlink_to(data.parent / "secret")
    with pytest.raises((UsageError, InputError)):
        inside(data, name)


def test_a_listing_shows_folders_and_files_of_a_kind_and_no_way_out(data):
    """Hidden files and links that lead elsewhere are left out."""
    (data / "link").symlink_to(data.parent / "secret")
    (data / ".hidden").mkdir()
    (data / "pictures").mkdir()
    (data / "a.isthpack").write_bytes(b"abc")
    (data / "b.txt").write_bytes(b"abc")
    found = entries(data, "", suffix=".isthpack")
    assert [(one.name, one.is_folder, one.bytes) for one in found] == [("pictures", True, 0), ("a.isthpack", False, 3)]


def test_without_a_data_folder_nothing_of_the_machine_is_seen():
    """And the message says how to name one."""
    with pytest.raises(UsageError, match="--data"):
        entries(None, "")


def test_pages_get_the_same_answers(client):
    """One line of JSON, not a page of the server's."""
    assert [one["name"] for one in client.get("/folders?kind=models").json()["entries"]] == ["golden.isthmus"]
    for name in ESCAPES[:5]:
        answer = client.get("/folders", params={"path": name})
        assert answer.status_code == 400
        assert "error" in answer.json()
        assert client.post("/packs", params={"path": name}).status_code == 400
