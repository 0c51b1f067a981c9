"""Fabric for one process, for several on this machine, or for several machines; and what starts them.

Several processes train one model with DistributedDataParallel: each takes its own part of every batch, and their
gradients are averaged. One process never meets any of this.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import pickle
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing.queues import SimpleQueue
from typing import Any

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from lightning_fabric.plugins.environments.mpi import MPIEnvironment
from lightning_fabric.plugins.environments.slurm import SLURMEnvironment
from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from lightning_fabric.strategies.ddp import DDPStrategy
from torch.multiprocessing.spawn import ProcessExitedException, ProcessRaisedException

from isthmus.errors import IsthmusError, TrainingError, UsageError

# Fabric announces precision and processes on every run; a new process says so before any function of ours runs there
logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
logging.getLogger("torch.multiprocessing.spawn").setLevel(logging.ERROR)  # that it ends processes, where we say why

DEVICES = ("auto", "cpu", "cuda")
_SCHEDULERS = (SLURMEnvironment, MPIEnvironment, TorchElasticEnvironment)  # those that start all processes themselves
_GO_ON = "--resume goes on from the last epoch's checkpoint, if there is one"
_SET_BY_LAUNCHES = ("MASTER_PORT", "MASTER_ADDR")


@dataclass(frozen=True)
class Processes:
    """How many processes train together.

    Attributes:
        devices: processes on this machine, one for each GPU or, on the CPU, as many as asked for.
        nodes: machines, each of which runs the same command.
    """

    devices: int = 1
    nodes: int = 1

    def __post_init__(self) -> None:
        for name in ("devices", "nodes"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} is 1 or more, but {getattr(self, name)} is not")

    @property
    def count(self) -> int:
        """Processes in all."""
        return self.devices * self.nodes


def make_fabric(device: str, precision: str, processes: Processes) -> Fabric:
    """Fabric on the devices that a run asks for.

    Args:
        device: "auto", "cpu" or "cuda".
        precision: "fp32", "bf16" or "auto".
        processes: how many.

    Raises:
        UsageError: devices that are not there, or several nodes that do not know each other.
    """
    on_cuda = is_on_cuda(device)
    mixed = precision == "bf16" or (precision == "auto" and computes_in_bf16(on_cuda=on_cuda))
    options: dict[str, Any] = {}
    if processes.count > 1:
        _check_devices(processes.devices, on_cuda=on_cuda)
        _check_nodes(processes)
        strategy = DDPStrategy(start_method="popen" if _are_started_outside() else "spawn")
        options = {"strategy": strategy, "num_nodes": processes.nodes}
    return Fabric(
        accelerator="cuda" if on_cuda else "cpu",
        devices=processes.devices,
        precision="bf16-mixed" if mixed else "32-true",
        **options,
    )


def is_on_cuda(device: str) -> bool:
    """Whether a run is on CUDA devices, which "auto" takes where there are some.

    Raises:
        UsageError: no such device.
    """
    if device not in DEVICES:
        raise UsageError(f"device is one of {', '.join(DEVICES)}, not {device!r}")
    if device == "cuda" and not torch.cuda.is_available():
        raise UsageError("device cuda: PyTorch finds no CUDA device here; cpu works everywhere")
    return device != "cpu" and torch.cuda.is_available()


def is_main(processes: Processes) -> bool:
    """Whether this command is the one that reads and writes the run's files: the first of the first node.

    Raises:
        UsageError: several nodes that do not know each other.
    """
    if processes.count == 1:
        return True
    _check_nodes(processes)
    for scheduler in _SCHEDULERS:
        if scheduler.detect():
            return bool(scheduler().global_rank() == 0)
    here = LightningEnvironment()
    return here.node_rank() == 0 and here.local_rank() == 0


def launch(fabric: Fabric, work: Callable[..., object], *args: object) -> None:
    """Run `work(fabric, *args)` in every process, and wait for all of them.

    Args:
        fabric: of several processes.
        work: a function of a module, so that another process can import it.
        args: what it takes, picklable; each process has its own copy.

    Raises:
        IsthmusError: as one of the processes raised it.
        TrainingError: a process failed otherwise, or was killed.
        KeyboardInterrupt: as the user wishes; the processes are ended.
    """
    # by value: what Fabric sends itself lies in memory that all processes share, and each would change all weights
    sent = pickle.dumps((work, args))
    before = set(multiprocessing.active_children())
    failures = multiprocessing.get_context("spawn").SimpleQueue()
    with _environment_kept():
        try:
            fabric.launch(partial(_reporting, sent=sent, failures=failures))
        except (ProcessRaisedException, ProcessExitedException) as error:
            if not failures.empty():
                kind, message = failures.get()
                raise kind(message) from error
            raise TrainingError(f"process {error.error_index} failed, {_last_line(error)}: {_GO_ON}") from error
        finally:
            for process in set(multiprocessing.active_children()) - before:
                process.terminate()


def _reporting(fabric: Fabric, sent: bytes, failures: SimpleQueue[Any]) -> None:
    """Whichever process fails first says why, before the others notice that it is gone."""
    work, args = pickle.loads(sent)  # noqa: S301 - the process that started this one has sent it
    try:
        work(fabric, *args)
        if torch.distributed.is_initialized():  # its threads must end before Python does: now and then it aborts else
            torch.distributed.destroy_process_group()
    except IsthmusError as error:
        failures.put((type(error), str(error)))
        raise
    except Exception as error:  # PyTorch raises whatever it meets: no memory, another process or node gone
        message = f"process {fabric.global_rank}: {type(error).__name__}: {_last_line(error)}: {_GO_ON}"
        failures.put((TrainingError, message))
        raise TrainingError(message) from error


@contextmanager
def _environment_kept() -> Iterator[None]:
    """A port that one launch has chosen is not meant for the next."""
    before = {name: os.environ.get(name) for name in _SET_BY_LAUNCHES}
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)


def _check_devices(wanted: int, *, on_cuda: bool) -> None:
    there = torch.cuda.device_count() if on_cuda else os.cpu_count() or 1
    if wanted > there:
        kind = "CUDA device(s)" if on_cuda else "processor core(s)"
        raise UsageError(f"devices is {wanted}, but there are {there} {kind} here")


def _check_nodes(processes: Processes) -> None:
    """Several nodes find each other through environment variables, which a scheduler sets, or the user."""
    if processes.nodes == 1 or _are_started_outside():
        return
    missing = [name for name in ("MASTER_ADDR", "MASTER_PORT", "NODE_RANK") if not os.environ.get(name)]
    if missing:
        raise UsageError(
            f"nodes is {processes.nodes}, but {', '.join(missing)} is not set: on each node set MASTER_ADDR and "
            f"MASTER_PORT to the first node's, and NODE_RANK to 0 ... {processes.nodes - 1}"
        )
    for name, most in (("MASTER_PORT", 65535), ("NODE_RANK", processes.nodes - 1)):
        value = os.environ[name]
        if not value.isdecimal() or int(value) > most:
            raise UsageError(f"{name} is a number up to {most}, not {value!r}")


def _are_started_outside() -> bool:
    """Whether torchrun, SLURM, MPI or the user started one command for each process already."""
    is_scheduled = any(scheduler.detect() for scheduler in _SCHEDULERS)
    return is_scheduled or LightningEnvironment().creates_processes_externally


def computes_in_bf16(*, on_cuda: bool) -> bool:
    """Whether bf16 is computed rather than emulated."""
    if on_cuda:
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    is_supported = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    return bool(is_supported is not None and is_supported())


def _last_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[-1] if lines else type(error).__name__
