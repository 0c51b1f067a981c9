"""`isthmus train` and `isthmus sweep` in processes of their own, which outlive the studio and are found again.

The process holds a lock on a file of its run's folder for as long as it lives: whoever can take the lock knows that it
is gone, however it ended, and no other process that got its number later is ever taken for it.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from dataclasses import asdict, dataclass
from pathlib import Path

from isthmus.container.atomic import cannot_write, write_file
from isthmus.container.file_lock import IS_WINDOWS, lock_file
from isthmus.errors import OutputError, UsageError

ASKED, LOCK, OUTPUT = "studio.json", "studio.lock", "output.txt"
GRACE_SECONDS = 10
"""Between asking a run to end and ending it."""


@dataclass(frozen=True)
class Asked:
    """What a run was started with: the words of its command line.

    Attributes:
        recipe: its name.
        data: what it learns from; nothing is the recipe's.
        epochs: passes; 0 is the recipe's.
        settings: "KEY=VALUE" each.
        vary: "KEY=V1,V2,..." of a sweep; nothing for a single run.
        seed: of weights and order.
    """

    recipe: str
    data: str = ""
    epochs: int = 0
    settings: tuple[str, ...] = ()
    vary: str = ""
    seed: int = 0

    def command(self, folder: Path, *, resume: bool) -> list[str]:
        """The words, from the name of the command on."""
        words = [
            "sweep" if self.vary else "train",
            self.recipe,
            "--output",
            str(folder),
            "--seed",
            str(self.seed),
            "--pictures",
        ]
        if self.vary:
            words += ["--vary", self.vary]
        elif resume:
            words.append("--resume")
        if self.data:
            words += ["--data", self.data]
        if self.epochs:
            words += ["--epochs", str(self.epochs)]
        for setting in self.settings:
            words += ["--set", setting]
        return words


_children: dict[Path, subprocess.Popen[bytes]] = {}
_lock = threading.Lock()


def start(folder: Path, asked: Asked, *, resume: bool = False) -> None:
    """Start a run in its folder.

    Raises:
        UsageError: it goes on already.
        OutputError: the folder cannot be written.
    """
    with _lock:
        if _is_locked(folder):
            raise UsageError("this run goes on already")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with (folder / LOCK).open("wb") as lock, (folder / OUTPUT).open("wb") as output:
                lock_file(lock)
                child = subprocess.Popen(  # noqa: S603 - our own command; its words were checked as a recipe's
                    [sys.executable, "-m", "isthmus", *asked.command(folder, resume=resume)],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    pass_fds=() if IS_WINDOWS else (lock.fileno(),),
                )
        except OSError as error:
            raise cannot_write(folder, error) from error
        _children[folder] = child
        write_file(folder / ASKED, json.dumps({"asked": asdict(asked), "process": child.pid}).encode(), force=True)


def is_running(folder: Path) -> bool:
    """Whether the folder's run goes on, whoever started it through a studio."""
    with _lock:
        return _is_locked(folder)


def stop(folder: Path) -> None:
    """Ask a run to end, as Ctrl-C does: its last epoch is kept. One that does not is ended.

    Raises:
        UsageError: it does not run.
    """
    number = _process(folder)
    if number is None or not is_running(folder):
        raise UsageError("this run does not go on")
    os.kill(number, signal.SIGINT)

    def end() -> None:
        if is_running(folder) and _process(folder) == number:
            os.kill(number, signal.SIGTERM)

    timer = threading.Timer(GRACE_SECONDS, end)
    timer.daemon = True
    timer.start()


def read_asked(folder: Path) -> Asked | None:
    """What the folder's run was started with; None where no studio started it, or the file is damaged."""
    try:
        values = json.loads((folder / ASKED).read_text("utf-8"))["asked"]
        return Asked(**{**values, "settings": tuple(values["settings"])})
    except (OSError, ValueError, KeyError, TypeError):
        return None


def last_words(folder: Path) -> str:
    """The last line that the run's process said."""
    try:
        with (folder / OUTPUT).open("rb") as file:
            file.seek(max(0, (folder / OUTPUT).stat().st_size - 4000))
            lines = file.read().decode("utf-8", "replace").split("\n")
    except OSError:
        return ""
    said = [line.strip() for line in lines if line.strip()]
    return said[-1][:500] if said else ""


def _process(folder: Path) -> int | None:
    try:
        return int(json.loads((folder / ASKED).read_text("utf-8"))["process"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _is_locked(folder: Path) -> bool:
    child = _children.get(folder)
    if child is not None and child.poll() is not None:  # what ended is waited for, so that no zombie stays
        del _children[folder]
    if IS_WINDOWS:  # where an open file's lock is not handed on
        return folder in _children
    try:
        with (folder / LOCK).open("rb+") as lock:
            lock_file(lock)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    except OSError as error:
        raise OutputError(f"cannot look at {folder / LOCK}: {error.strerror}") from error
    return False
