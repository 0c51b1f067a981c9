"""docs/format.md says what the code does."""

from __future__ import annotations

import re

from isthmus.container import image_file, pack_file, pack_table
from isthmus.container.graph_check import ALLOWED_OPERATORS
from isthmus.packs import stored_pictures
from tests.conftest import GOLDEN, ROOT

PAGE = (ROOT / "docs" / "format.md").read_text()


def test_the_worked_examples_are_golden_files():
    """The hexadecimal dumps on the page are the golden files', byte for byte."""
    dumps = re.findall(r"```hex\n(.*?)```", PAGE, re.DOTALL)
    for dump, path in zip(dumps, (GOLDEN / "plain-75.isth", GOLDEN / "pack-2.isthpack"), strict=True):
        digits = "".join(line.split("  ")[0] for line in dump.splitlines())
        assert bytes.fromhex(digits) == path.read_bytes()


def test_the_flags_are_those_of_the_code():
    """Each flag's bit on the page is the constant's."""
    table = dict(re.findall(r"\| `(\w+)` \| 0x(\w\w) \|", PAGE))
    for name in ("RGB", "TILED", "SECTIONS"):
        assert int(table[name], 16) == getattr(image_file, f"FLAG_{name}")


def test_the_kinds_of_sections_are_those_of_the_code():
    """Each kind's number on the page, and whether a reader may skip it."""
    rows = re.findall(r"\| (\d+) \| (\w+) \| (yes|no) \|", PAGE)
    assert {int(kind): name for kind, name, _ in rows} == image_file.SECTION_NAMES
    assert all((int(kind) % 2 == 1) == (skipped == "yes") for kind, _, skipped in rows)


def test_the_flags_of_packs_are_those_of_the_code():
    """In the header and in a table, and the kinds of further columns."""
    assert (pack_file.FLAG_RGB, pack_file.FLAG_SIZED, pack_file.FLAG_SECTIONS) == (0x01, 0x02, 0x04)
    assert "0x01 RGB, 0x02 all pictures have the size that follows, 0x04 sections" in PAGE
    table = (pack_table.FLAG_NUMBERED, pack_table.FLAG_SIZES, pack_table.FLAG_LABELS, pack_table.FLAG_MORE)
    listed = "flags (0x{:02x} numbered\nnames, 0x{:02x} sizes, 0x{:02x} labels, 0x{:02x} further columns)"
    assert listed.format(*table) in PAGE
    columns = dict(re.findall(r"\| (\d+) \| (forms|qualities): ", PAGE))
    assert {int(kind): name for kind, name in columns.items()} == pack_table.COLUMN_NAMES


def test_the_forms_of_packs_are_those_of_the_code():
    """Their bits, and the numbers of the codings."""
    bits = (stored_pictures.CODING_BITS, stored_pictures.GREY, stored_pictures.ALPHA)
    assert re.findall(r"\n\| 0x(\w\w) \| (?:the coding|only in|with alpha)", PAGE) == [f"{bit:02X}" for bit in bits]
    assert stored_pictures.CODINGS == ("learned", "webp", "avif")
    assert "the coding: 0 the model's, 1 `webp`, 2 `avif`" in PAGE


def test_every_allowed_operator_is_listed():
    """The page's list of operators is the code's."""
    listed = re.search(r"Operators: (.*?)\.\n", PAGE, re.DOTALL)
    assert listed is not None
    assert set(listed[1].replace(",", " ").split()) == ALLOWED_OPERATORS
