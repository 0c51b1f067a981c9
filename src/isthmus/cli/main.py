"""The `isthmus` command: its subcommands, and how errors reach the user."""

from __future__ import annotations

import os
import sys
from typing import Annotated, NoReturn

import typer
from typer.exceptions import TyperException

from isthmus import __version__
from isthmus.cli import (
    compress,
    decompress,
    demo,
    denoise,
    desktop,
    evaluate,
    explore,
    export,
    info,
    models,
    pack,
    plot,
    recipes,
    reconstruct,
    studio,
    sweep,
    train,
    unpack,
)  # fmt: skip
from isthmus.cli.output import Stopped, note, show_anything
from isthmus.errors import IsthmusError, UsageError

EXIT_ERROR = 1
EXIT_USAGE = 2
EXIT_STOPPED = 130

app = typer.Typer(
    name="isthmus",
    help="Train image autoencoders and turn them into a codec.",
    epilog="Example: isthmus demo -o demo   (then open demo/report.html)",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
COMMANDS = (
    demo, recipes, train, sweep, plot, reconstruct, explore, denoise, compress, decompress, pack, unpack, info,
    export, evaluate, studio, desktop,
)  # fmt: skip
for module in COMMANDS:
    app.command(epilog=module.EXAMPLE)(getattr(module, module.__name__.rsplit(".", 1)[1]))
app.add_typer(models.app, name="models")


def _say_version(wanted: bool) -> None:
    """Before a command is missed."""
    if wanted:
        from isthmus.cli.versions import versions

        print(f"isthmus {__version__}")
        for name, version in versions().items():
            print(f"{name} {version}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=_say_version,
            is_eager=True,
            help="Print the versions of Isthmus and of what it uses, and stop.",
        ),
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show a traceback where there is an error.")] = False,
) -> None:
    """Train image autoencoders and turn them into a codec."""


def run() -> NoReturn:
    """What the installed command calls: one line for an error, a traceback only with --debug."""
    show_anything()
    debug = "--debug" in sys.argv
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    try:
        code = app(arguments, prog_name="isthmus", standalone_mode=False)
        if sys.stdout is not None:
            sys.stdout.flush()  # a reader that went away is noticed here, and not when Python ends
    except TyperException as error:
        _explain(error)
        sys.exit(error.exit_code)
    except IsthmusError as error:
        if debug:
            raise
        note(str(error))
        sys.exit(EXIT_USAGE if isinstance(error, UsageError) else EXIT_ERROR)
    except Stopped as stopped:
        note(f"stopped: {stopped}")
        sys.exit(EXIT_STOPPED)
    except BrokenPipeError:  # the reader of our output went away, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(EXIT_ERROR)
    except Exception as error:
        if debug:
            raise
        reason = (str(error).strip() or "no reason given").splitlines()[0]
        note(f"{type(error).__name__}: {reason} (isthmus --debug ... shows where)")
        sys.exit(EXIT_ERROR)
    if code == EXIT_STOPPED:  # what Typer makes of a Ctrl-C that no command took
        note("stopped")
    sys.exit(code if isinstance(code, int) else 0)


def _explain(error: TyperException) -> None:
    """An option or argument that does not fit, in one line; the help where nothing was asked for."""
    message = error.format_message()
    if message.startswith("Got unexpected extra argument"):
        message = f"{message.rstrip('.')} (a pattern is quoted, as in 'photos/*.jpg')"
    context = getattr(error, "ctx", None)
    if len(message.splitlines()) > 1:
        print(message)
    else:
        note(f"{message.rstrip('.')}: {context.command_path if context else 'isthmus'} --help says what there is")


if __name__ == "__main__":
    run()
