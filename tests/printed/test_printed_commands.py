"""What the pages and the helps print can be typed: every command is read by its program, and run unless it is listed.

A command that cannot run in a test (it needs the network, hours, or data that are not here) is in NOT_RUN with the
reason, and is read by its program all the same; so are the runs of minutes to hours that stand in tables. All others
run in a folder of their own with small files by the names that the pages use (stand_ins.py), page by page, in order.
"""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest

from tests.printed.pages import PAGES, PYTHON, ROW, TOML, Printed, examples, printed_on
from tests.printed.parsing import fault_of, is_name
from tests.printed.stand_ins import run_in, stock, stock_for_training

NOT_RUN = {
    r"pip ": "asks an index; its extras and files are looked for",
    r"make |source ": "sets up an environment, or runs this test; its targets are looked for",
    r"isthmus studio": "serves until it is stopped: tests/studio, tests/browser",
    r"isthmus train (photo|denoise) ": "takes hours, of photographs: tests/learn/hyperprior, tests/learn/denoiser",
    r"isthmus train own|isthmus \w+ .*faces-model": "needs many pictures and minutes: tests/learn/hyperprior/own",
    r"isthmus evaluate .*--data (KODAK|HELD)": "takes half an hour: tests/evaluate",
    r"isthmus pack .*--runner ray": "starts a cluster: tests/scale",
    r"python benchmarks/": "measures, for minutes to hours",
    r"python -m tests.fuzz": "goes on for minutes: tests/fuzz",
    r"python -m isthmus.learn.(hyperprior|denoiser) ": "needs a checkpoint: tests/learn",
}
RECORDS = {
    "docs/experiments.md": "a record of dated runs",
    "docs/benchmarks-history.md": "a record of earlier versions",
    "docs/own-pictures.md": "needs an hour of training first: tests/learn/hyperprior/own",
}
SLOW_PAGES = {"README.md", "docs/tutorial.md", "docs/recipes.md", "docs/evaluate.md", "docs/packs.md", "docs/scale.md"}
SLOW_HELPS = {"isthmus --help"} | {
    f"isthmus {name} --help"
    for name in ("train", "sweep", "plot", "explore", "demo", "evaluate", "reconstruct", "denoise")
}
GIVEN = {
    "README.md": """
import isthmus, numpy as np
from PIL import Image
from isthmus.sources.glyphs import draw_glyphs
picture = Image.open("photo.jpg")
train_images, test_images = (draw_glyphs("0123456789", n, seed=n).pictures[..., 0] for n in (300, 30))
digit = test_images[0]
""",
    "docs/photo.md": "import isthmus; from PIL import Image; picture = Image.open('photo.jpg')",
}
"""What the Python of a page takes for given."""
BEFORE = {"isthmus models remove --help": "isthmus models add run/model.isthmus --name digits"}
"""What an example takes for done."""
LEFT = {"docs/recipes.md": {TOML: "mine.toml"}}
"""The file that a block of a page is, by its words."""

ALL = [one for page in PAGES for one in printed_on(page)] + examples()
COMMANDS = [one for one in ALL if one.kind not in {PYTHON, TOML}]


def is_run(one: Printed) -> bool:
    """Whether this is run, and not only read."""
    if one.page in RECORDS or any(re.match(rule, one.text) for rule in NOT_RUN):
        return False
    if one.kind == TOML:
        return one.page in LEFT
    if one.kind == PYTHON:
        return True
    return one.kind != ROW and not is_name(one)


RUN_PAGES = [page for page in PAGES if any(is_run(one) for one in printed_on(page))]
HELPS = list(dict.fromkeys(one.page for one in examples() if is_run(one)))


@pytest.fixture(scope="module")
def light_larder(tmp_path_factory) -> Path:
    """The stand-ins that need no training, made once."""
    return stocked(stock, tmp_path_factory)


@pytest.fixture(scope="module")
def larder(tmp_path_factory) -> Path:
    """All stand-ins, made once."""
    return stocked(stock_for_training, tmp_path_factory)


def stocked(fill, tmp_path_factory) -> Path:
    """A folder with what `fill` makes."""
    folder = tmp_path_factory.mktemp("printed") / "larder"
    folder.mkdir()
    fill(folder)
    return folder


def test_there_is_something_to_read():
    """Pages and helps are found, in the numbers that one expects."""
    assert len(COMMANDS) > 100
    assert {"README.md", "docs/tutorial.md", "isthmus compress --help", "isthmus models add --help"} <= {
        one.page for one in COMMANDS
    }


@pytest.mark.parametrize("page", sorted({one.page for one in COMMANDS}))
def test_every_printed_command_is_read_by_its_program(page):
    """Programs, commands, options, values, targets and extras exist as they are printed."""
    faults = [f"{one.place}\n    {fault}" for one in COMMANDS if one.page == page and (fault := fault_of(one))]
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize("page", [page for page in RUN_PAGES if page not in SLOW_PAGES])
def test_a_page_runs_as_printed(page, light_larder, tmp_path):
    """From its first line to its last, in one folder."""
    run_all([one for one in printed_on(page) if is_run(one)], light_larder, tmp_path)


@pytest.mark.slow
@pytest.mark.train
@pytest.mark.parametrize("page", sorted(SLOW_PAGES))
def test_a_page_that_trains_runs_as_printed(page, larder, tmp_path):
    """From its first line to its last, in one folder."""
    run_all([one for one in printed_on(page) if is_run(one)], larder, tmp_path)


@pytest.mark.parametrize("page", [page for page in HELPS if page not in SLOW_HELPS])
def test_the_example_of_a_help_runs_as_printed(page, light_larder, tmp_path):
    """And what it prints to type after it."""
    run_all([one for one in examples() if one.page == page], light_larder, tmp_path)


@pytest.mark.slow
@pytest.mark.train
@pytest.mark.parametrize("page", sorted(SLOW_HELPS))
def test_the_example_of_a_help_that_trains_runs_as_printed(page, larder, tmp_path):
    """And what it prints to type after it."""
    run_all([one for one in examples() if one.page == page], larder, tmp_path)


def run_all(printed: list[Printed], larder: Path, tmp_path: Path) -> None:
    """One after the other, each once."""
    folder = served(larder, tmp_path, printed)
    for page in {one.page for one in printed} & BEFORE.keys():
        run_in(folder, BEFORE[page])
    first = {one.text: one for one in reversed(printed)}  # of commands that are printed twice
    for one in (one for one in printed if first[one.text] is one):
        run_printed(folder, one)


def served(larder: Path, tmp_path: Path, printed: list[Printed]) -> Path:
    """A folder with all stand-ins but those that the printed commands make themselves."""
    folder = tmp_path / "folder"
    shutil.copytree(larder, folder)
    for one in printed:
        words = [] if one.kind in {PYTHON, TOML} else shlex.split(one.text, comments=True)
        made = folder / words[words.index("-o") + 1] if "-o" in words else folder / "nothing"
        if made.is_dir():
            shutil.rmtree(made)
        else:
            made.unlink(missing_ok=True)
    return folder


def run_printed(folder: Path, one: Printed) -> None:
    """A command, a block of Python, or a block that is a file."""
    try:
        if one.kind == TOML:
            (folder / LEFT[one.page][TOML]).write_text(one.text)
        elif one.kind == PYTHON:
            (folder / "printed.py").write_text(GIVEN.get(one.page, "") + "\n" + one.text)
            run_in(folder, "python printed.py")
        else:
            run_in(folder, one.text)
    except AssertionError as error:
        raise AssertionError(f"{one.place}\n{error}") from None
