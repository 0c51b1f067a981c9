"""`isthmus train`."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from isthmus.cli.options import AsJson

if TYPE_CHECKING:
    from isthmus.learn.loop.timed import TimedResult

EXAMPLE = "Example: isthmus train digits-dense --data mnist -o run --set model.code=16 --epochs 20"


def train(
    recipe: Annotated[str, typer.Argument(help="A name that 'isthmus recipes' lists, or a .toml file.")],
    data: Annotated[
        str | None,
        typer.Option(help="'glyphs', 'mnist', a folder of pictures or IDX files, an IDX, .npy or .npz file."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Folder of the run; runs/RECIPE without it.")
    ] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a setting of the recipe. Repeatable.")
    ] = None,
    epochs: Annotated[int | None, typer.Option(help="Passes over the data, in place of the recipe's.")] = None,
    steps: Annotated[int | None, typer.Option(help="Stop after this many steps.")] = None,
    minutes: Annotated[
        float | None,
        typer.Option(help="Stop after this many minutes of training; of 'own': what all of it takes, 60 without it."),
    ] = None,
    base: Annotated[
        str,
        typer.Option(
            "--from", metavar="MODEL", help="Of 'own': what it begins with, auto, photo, photo-psnr or nothing."
        ),
    ] = "auto",
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in the folder.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace a run that the folder holds.")] = False,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    devices: Annotated[
        int, typer.Option(metavar="N", help="Processes on each machine, one for each GPU: they share every batch.")
    ] = 1,
    nodes: Annotated[
        int,
        typer.Option(
            metavar="M",
            help="Machines. Each runs this command with MASTER_ADDR, MASTER_PORT and its own NODE_RANK set, "
            "or a scheduler (torchrun, SLURM) starts it.",
        ),
    ] = 1,
    seed: Annotated[int, typer.Option(help="Of weights and order: the same seed gives the same model.")] = 0,
    install: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Put the model into the user's models folder too, under this name."),
    ] = None,
    pictures: Annotated[
        bool,
        typer.Option(
            "--pictures",
            help="Draw ten test pictures, their codes and what comes back into the folder after every epoch.",
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Train a recipe to a model file."""
    began = time.perf_counter()
    from isthmus.cli.extras import needs_extra

    with needs_extra("train", "training"):
        from isthmus.learn.experiment import join_experiment, run_experiment
        from isthmus.learn.loop.processes import Processes, is_main
        from isthmus.learn.loop.schedule import MANY_EPOCHS, Budget
        from isthmus.learn.recipes.loading import load_recipe

        timed = _timed(recipe)
    from dataclasses import asdict

    from isthmus.cli.output import Stopped, note, print_json, say
    from isthmus.errors import UsageError
    from isthmus.zoo import finding

    if install is not None:
        finding.check_free(install, force=force)
    processes = Processes(devices, nodes)
    if timed is not None:
        if processes.count > 1:
            raise UsageError(f"train {recipe} runs in one process: without --devices and --nodes")
        if epochs is not None or steps is not None:
            raise UsageError(f"train {recipe} counts time: --minutes, in place of --epochs and --steps")
        if install is not None:
            raise UsageError(
                f"{recipe} is the shipped model's name: 'isthmus models add FILE --name NAME' after training"
            )
        _train_timed(
            recipe, timed, data, output, settings or [], minutes, seed, device,
            resume=resume, force=force, as_json=as_json,
        )  # fmt: skip
        return
    if recipe == "own":
        if processes.count > 1 or epochs is not None or steps is not None:
            raise UsageError("train own counts time and runs in one process: without --epochs, --steps and --devices")
        _train_own(
            data, output, minutes, base, settings or [], seed,
            resume=resume, force=force, install=install, as_json=as_json,
        )  # fmt: skip
        return
    chosen = load_recipe(recipe, settings or [])
    limited = steps is not None or minutes is not None
    passes = epochs if epochs is not None else MANY_EPOCHS if limited else chosen.training.epochs
    folder = output or Path("runs") / chosen.name
    budget = Budget(passes, steps, minutes)
    if not is_main(processes):
        join_experiment(chosen, source=data, budget=budget, seed=seed, device=device, processes=processes)
        note("trained along: the first node has the model")
        return
    try:
        experiment = run_experiment(
            chosen,
            folder,
            source=data,
            budget=budget,
            seed=seed,
            device=device,
            processes=processes,
            resume=resume,
            force=force,
            has_lines=True,
            draw_pictures=pictures,
            report=note,
        )
    except KeyboardInterrupt:
        raise Stopped(_kept("whole epoch", folder, "the same command with --resume")) from None
    if install is not None:
        finding.install(Path(experiment.model), name=install, force=force)
    seconds = time.perf_counter() - began
    if as_json:
        print_json({**asdict(experiment), "seconds": round(seconds, 3)})
        return
    figures = experiment.metrics
    say(
        f"{experiment.recipe}: {experiment.epochs} epochs in {seconds:.1f} s ({experiment.train_seconds:.1f} s of them "
        f"training), {experiment.parameters:,} parameters"
    )
    say(f"test MSE {figures.test_mse:.5f} (PSNR {figures.test_psnr:.2f} dB), through files {figures.coded_mse:.5f}")
    say(f"{figures.bytes_per_image:.1f} bytes a picture, {figures.payload_bytes_per_image:.1f} of them payload")
    say(f"model {experiment.model_id} in {experiment.model}")


@dataclass(frozen=True)
class _Timed:
    """A recipe that is trained for minutes: what trains it, the pictures that it needs, and what is said of it."""

    train: Callable[..., TimedResult]
    pictures: str
    told: Callable[[dict[str, float]], str]


def _timed(recipe: str) -> _Timed | None:
    """The recipe, if it is of this kind."""
    from isthmus.learn.recipes.photo import DENOISE, PHOTO

    if recipe == PHOTO:
        from isthmus.learn.hyperprior.experiment import train_codec

        return _Timed(train_codec, "photographs without visible artefacts", _told_of_photo)
    if recipe == DENOISE:
        from isthmus.learn.denoiser.experiment import train_denoiser

        return _Timed(train_denoiser, "photographs without visible noise or artefacts", _told_of_denoise)
    return None


def _train_timed(
    recipe: str, timed: _Timed, data: str | None, output: Path | None, settings: list[str], minutes: float | None,
    seed: int, device: str, *, resume: bool, force: bool, as_json: bool,
) -> None:  # fmt: skip
    from dataclasses import asdict

    from isthmus.cli.output import Stopped, print_json, say
    from isthmus.errors import UsageError

    if data is None:
        raise UsageError(f"train {recipe} needs --data FOLDER: {timed.pictures}")
    folder = output or Path("runs") / recipe
    try:
        done = timed.train(
            folder, data=Path(data), minutes=minutes, settings=settings, seed=seed, device=device,
            resume=resume, force=force,
        )  # fmt: skip
    except KeyboardInterrupt:
        raise Stopped(_kept("step", folder, f"'train {recipe} --resume'")) from None
    if as_json:
        print_json(asdict(done))
        return
    say(f"{recipe}: {done.steps} steps, {done.train_seconds:.0f} s, {done.parameters:,} parameters")
    say(f"held aside{timed.told(done.metrics)}")
    say(f"model {done.model_id} in {done.model}")


def _told_of_photo(figures: dict[str, float]) -> str:
    return (
        f": {figures['held_bpp']:.4f} bits per pixel at {figures['held_psnr']:.2f} dB, as training estimates "
        f"it; {figures['held_file_bpp']:.4f} in files of the model"
    )


def _told_of_denoise(figures: dict[str, float]) -> str:
    return (
        f", Gaussian noise of 15, 25 and 50: {figures['held_psnr_15']:.2f}, {figures['held_psnr_25']:.2f}, "
        f"{figures['held_psnr_50']:.2f} dB; a camera's noise: {figures['held_camera_gain']:+.2f} dB"
    )


def _train_own(
    data: str | None, output: Path | None, minutes: float | None, base: str, settings: list[str], seed: int,
    *, resume: bool, force: bool, install: str | None, as_json: bool,
) -> None:  # fmt: skip
    from dataclasses import asdict

    from isthmus.cli.output import Stopped, note, print_json, say
    from isthmus.errors import UsageError
    from isthmus.learn.hyperprior.own.run import train_own
    from isthmus.zoo.finding import install as install_model

    if data is None:
        raise UsageError("train own needs --data FOLDER: pictures that are alike, hundreds or more")
    folder = output or Path("runs/own")
    try:
        done = train_own(
            folder, data=data, minutes=minutes, base=base, settings=settings, seed=seed, resume=resume, force=force,
            report=note, is_shown=True,
        )  # fmt: skip
    except KeyboardInterrupt:
        raise Stopped(_kept("step", folder, "the same command with --resume")) from None
    if install is not None:
        install_model(Path(done.model), name=install, force=force)
    if as_json:
        print_json(asdict(done))
        return
    for line in done.lines:
        say(line)
    say(f"own: {done.steps} steps, {done.seconds:.0f} s in all; the page: {done.page}")
    say(f"model {done.model_id} in {done.model}: isthmus pack FOLDER -o set.isthpack --model {done.model} --embed")


def _kept(what: str, folder: Path, remedy: str) -> str:
    """What is there of a run that was stopped."""
    from isthmus.learn.loop.run_folder import CHECKPOINT

    if (folder / CHECKPOINT).is_file():
        return f"the last {what} is kept in {folder}, {remedy} goes on"
    return f"before the first {what}: nothing is kept"
