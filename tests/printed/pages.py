"""Commands and Python that the pages and the helps print, in the order in which a reader meets them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import typer

from isthmus.cli.main import app
from tests.conftest import ROOT

SHELL, PYTHON, TOML, INLINE, ROW = "sh", "python", "toml", "inline", "row"
PAGES = tuple(
    str(path.relative_to(ROOT))
    for path in [*(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")),
                 *sorted((ROOT / "docs").rglob("*.md"))]
)  # fmt: skip
PROGRAMS = ("isthmus", "python", "make", "pip", "source", "git")
SHORT = ("train", "sweep")
"""What rows of tables begin with, where `isthmus` is left out."""

_PARTS = re.compile(
    r"^```(?P<language>\w*)\n(?P<block>.*?)^```|(?<!`)`(?P<inline>[^`]+)`(?!`)", re.MULTILINE | re.DOTALL
)
_EXAMPLE = re.compile(r"(?:Example: |\(then )(isthmus .+?)(?=   \(|\)$|$)")


@dataclass(frozen=True)
class Printed:
    """Something to type.

    Attributes:
        page: where it is printed: a file, or a command whose help it is.
        line: of the page, from 1.
        kind: sh, python, toml, inline, or row: of a table of runs that were measured.
        text: as it is printed; lines that end in a backslash are one.
    """

    page: str
    line: int
    kind: str
    text: str

    @property
    def words(self) -> list[str]:
        """Of a command, without its comment; a pair of brackets is an option that may be left out."""
        return shlex.split(re.sub(r"\[[^]]*\]", "", self.text), comments=True)

    @property
    def all_words(self) -> list[str]:
        """With what stands in brackets, and of `a|b` the first."""
        plain = re.sub(r"\[(--[^]]*)\]", r"\1", self.text)
        return [re.sub(r"(?<=[\w:])\|[\w:]+", "", word) for word in shlex.split(plain, comments=True)]

    @property
    def place(self) -> str:
        """For a message."""
        return f"{self.page}:{self.line}: {self.text}"


def printed_on(page: str) -> list[Printed]:
    """All of one page."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return [one for part in _PARTS.finditer(text) for one in _of_part(page, text, part)]


def _of_part(page: str, text: str, part: re.Match[str]) -> Iterator[Printed]:
    line = text.count("\n", 0, part.start()) + 1
    if part["inline"] is not None:
        words, kind = " ".join(part["inline"].split()), INLINE
        if words.startswith(SHORT) and " " in words and not words.split()[1].startswith("-"):
            words, kind = f"isthmus {words}", ROW
        if words.split()[:1] and words.split()[0] in PROGRAMS[:4] and " " in words:
            yield Printed(page, line, kind, words)
    elif part["language"] in {PYTHON, TOML}:
        yield Printed(page, line, part["language"], part["block"])
    else:
        joined = re.sub(r"\\\n\s*", "", part["block"])
        for below, command in enumerate(joined.splitlines(), 1):
            if command.split()[:1] and command.split()[0] in PROGRAMS and " = " not in command:
                yield Printed(page, line + below, SHELL, command)


def examples() -> list[Printed]:
    """Those of every help."""
    return [
        Printed(f"{name} --help", 1, SHELL, found[1].strip())
        for name, command in _commands("isthmus", typer.main.get_command(app))
        for found in _EXAMPLE.finditer(command.epilog or "")
    ]


def _commands(name: str, command: Any) -> Iterator[tuple[str, Any]]:
    yield name, command
    for below, one in getattr(command, "commands", {}).items():
        yield from _commands(f"{name} {below}", one)
