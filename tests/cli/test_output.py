"""What a terminal is shown, and what it is not."""

from __future__ import annotations

import json

import pytest

from isthmus.cli.output import Notes, print_json, shown


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("caf\udce9.png", "caf\\xe9.png"),
        ("\x1b[2J", "\\x1b[2J"),
        ("a\nb\r\x07", "a\\nb\\r\\x07"),
        ("x\u202egpj.exe", "x\\u202egpj.exe"),
        ("Größe 3×4 日本 \N{WOMAN}\u200d\N{MICROSCOPE}", "Größe 3×4 日本 \N{WOMAN}\u200d\N{MICROSCOPE}"),
    ],
)
def test_names_do_nothing_to_a_terminal(text, expected):
    """Bytes that are no text, control characters and turns of direction are escaped, words are not."""
    assert shown(text) == expected


def test_json_holds_every_name(capsys):
    """One that is no text comes back as Python has it."""
    print_json({"name": "caf\udce9\x1b", "value": float("nan")})
    assert json.loads(capsys.readouterr().out) == {"name": "caf\udce9\x1b", "value": None}


def test_notes_of_one_kind_are_one_line(capsys):
    """With a few of the names."""
    notes = Notes()
    for index in range(12):
        notes.add(f"{index}.png", ["CMYK converted to RGB"])
    notes.add("a.png", ["alone"])
    notes.show()
    first, second = capsys.readouterr().err.splitlines()
    assert first == "isthmus: 12 pictures: CMYK converted to RGB: 0.png, 1.png, 2.png and 9 more"
    assert second == "isthmus: a.png: alone"
