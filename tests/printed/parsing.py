"""Whether a printed command could run: its program reads its words as they are printed, and then does nothing."""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import re
import sys
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import typer
from typer.exceptions import TyperException

from isthmus.cli.main import app
from tests.conftest import ROOT
from tests.printed.pages import INLINE, Printed

NUMBERS, NUMBER = {"N", "M", "Q", "SIDE", "COUNT"}, "1"
"""Words that the pages print for a number of the reader's."""


class _ReadError(Exception):
    """The words were read: enough."""


def fault_of(printed: Printed) -> str | None:
    """What is wrong with a command; None where its program takes it.

    In the midst of a sentence a command without arguments is a name: it and its options need only exist.
    """
    read = {"isthmus": _isthmus, "python": _python, "make": _make, "pip": _pip}
    for words in (printed.words, printed.all_words):
        program, *arguments = (NUMBER if word in NUMBERS else word for word in words)
        if program in read:
            fault = read[program](arguments, is_name=_is_bare(printed))
            if fault:
                return fault
    return None


def is_name(printed: Printed) -> bool:
    """Whether a command in a sentence is only named, perhaps with an option: it wants more, and nothing is printed."""
    return _is_bare(printed) and _isthmus(printed.words[1:], is_name=False) is not None


def _is_bare(printed: Printed) -> bool:
    names = 3 if printed.words[1:2] == ["models"] else 2  # which has commands of its own
    return printed.kind == INLINE and all(word.startswith("-") for word in printed.words[names:])


@cache
def _command() -> Any:
    return typer.main.get_command(app)


def _isthmus(arguments: list[str], *, is_name: bool) -> str | None:
    command = _command()
    try:
        context = command.make_context("isthmus", list(arguments))
        while getattr(command, "commands", None) and arguments:
            name, command, arguments = command.resolve_command(context, arguments)
            if command is not None:
                context = command.make_context(name, list(arguments), parent=context)
    except typer.Exit:
        return None
    except TyperException as error:
        is_missing = type(error).__name__ == "MissingParameter"
        return None if is_name and is_missing else error.format_message()
    return None


def _python(arguments: list[str], *, is_name: bool) -> str | None:
    del is_name
    if arguments[0] == "-m":
        name, rest = arguments[1], arguments[2:]
        module = importlib.import_module(f"{name}.__main__")
    else:
        path, rest = ROOT / arguments[0], arguments[1:]
        if not path.is_file():
            return f"{arguments[0]} does not exist"
        spec = importlib.util.spec_from_file_location(f"printed_{path.stem}", path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module  # its dataclasses look for it there
        sys.path.insert(0, str(path.parent))  # as Python does for a script
        try:
            spec.loader.exec_module(module)
        finally:
            sys.path.remove(str(path.parent))
    return _arguments_of(module, rest)


def _arguments_of(module: Any, arguments: list[str]) -> str | None:
    """Call its main, which ends where its parser has read the arguments."""
    parse = argparse.ArgumentParser.parse_args

    def read(parser: argparse.ArgumentParser, *_: Any, **__: Any) -> None:
        parse(parser, arguments)
        raise _ReadError

    def refuse(_parser: argparse.ArgumentParser, message: str) -> None:
        raise ValueError(message)

    before = argparse.ArgumentParser.error
    argparse.ArgumentParser.parse_args, argparse.ArgumentParser.error = read, refuse  # type: ignore[method-assign]
    argv, sys.argv = sys.argv, [module.__name__, *arguments]
    try:
        module.main()
    except _ReadError:
        return None
    except ValueError as error:
        return str(error)
    finally:
        argparse.ArgumentParser.parse_args, argparse.ArgumentParser.error = parse, before  # type: ignore[method-assign]
        sys.argv = argv
    return "it has no parser of its arguments"


def _make(arguments: list[str], *, is_name: bool) -> str | None:
    del is_name
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    missing = [word for word in arguments if "=" not in word and word not in targets]
    return f"the Makefile has no {missing}" if missing else None


def _pip(arguments: list[str], *, is_name: bool) -> str | None:
    """Extras and constraints exist; what else is named, the index has or has not."""
    del is_name
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for word in arguments:
        named = re.fullmatch(r"(?:\.|isthmus)\[([\w,]+)\]", word)
        missing = set(named[1].split(",")) - set(extras) if named else set()
        if missing:
            return f"there is no extra {', '.join(sorted(missing))}"
        if word.endswith(".txt") and not (ROOT / Path(word)).is_file():
            return f"{word} does not exist"
    return None
