"""docs/format.md says what the code does."""

from __future__ import annotations

import re

from isthmus.container import image_file
from isthmus.container.graph_check import ALLOWED_OPERATORS
from tests.conftest import GOLDEN, ROOT

PAGE = (ROOT / "docs" / "format.md").read_text()


def test_the_worked_example_is_a_golden_file():
    """The hexadecimal dump on the page is the golden file's, byte for byte."""
    dump = re.search(r"```hex\n(.*?)```", PAGE, re.DOTALL)
    assert dump is not None
    digits = "".join(line.split("  ")[0] for line in dump[1].splitlines())
    assert bytes.fromhex(digits) == (GOLDEN / "plain-75.isth").read_bytes()


def test_the_flags_are_those_of_the_code():
    """Each flag's bit on the page is the constant's."""
    table = dict(re.findall(r"\| `(\w+)` \| 0x(\w\w) \|", PAGE))
    for name in ("RGB", "TILED", "ALPHA", "ICC", "EXIF"):
        assert int(table[name], 16) == getattr(image_file, f"FLAG_{name}")


def test_every_allowed_operator_is_listed():
    """The page's list of operators is the code's."""
    listed = re.search(r"Operators: (.*?)\.\n", PAGE, re.DOTALL)
    assert listed is not None
    assert set(listed[1].replace(",", " ").split()) == ALLOWED_OPERATORS
