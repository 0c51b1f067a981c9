"""A Ray cluster to work on: one that runs already, or one of this machine's own for as long as the work takes."""

from __future__ import annotations

import logging
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # read when Ray is imported: nobody is told of what runs here

import ray
import ray.data
import ray.exceptions

from isthmus.errors import InputError, UsageError

ANSWER_SECONDS = 5
_OWN_STORE_BYTES = 256 << 20
"""Of the object store of a cluster of our own: shards are named in it, and few pictures wait there."""


@contextmanager
def cluster(address: str | None, *, workers: int) -> Iterator[None]:
    """Connect, and disconnect afterwards; what Ray says meanwhile goes to stderr.

    Args:
        address: "auto" for the cluster that this machine is part of or RAY_ADDRESS names, "host:port" of a head node,
            "ray://host:port" of a Ray client server; None starts a cluster on this machine.
        workers: processors that the cluster on this machine has; any other has its own.

    Raises:
        InputError: no Ray answers at the address.
        UsageError: not an address.
    """
    if address is not None:
        _check_answers(address)
    with redirect_stdout(sys.stderr):  # --json promises one object there, and Ray tells of lost workers
        try:
            _connect(address, workers)
        except (ConnectionError, RuntimeError, ValueError, TimeoutError, ray.exceptions.RayError) as error:
            raise InputError(
                f"no Ray cluster can be used at {address or 'this machine'}: {' '.join(str(error).split())[:200]}"
            ) from error
        try:
            yield
        finally:
            ray.shutdown()


def _connect(address: str | None, workers: int) -> None:
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    if address is not None:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    else:
        ray.init(
            address="local",
            num_cpus=workers,
            include_dashboard=False,
            object_store_memory=_OWN_STORE_BYTES,
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False


def _check_answers(address: str) -> None:
    """Ray itself would try for minutes, and then end this process."""
    place = os.environ.get("RAY_ADDRESS", "") if address == "auto" else address
    if place in ("", "auto", "local"):
        return
    host, _, port = place.removeprefix("ray://").rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) <= 65535:
        raise UsageError(f"a Ray address is auto, HOST:PORT or ray://HOST:PORT, not {place!r}")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=ANSWER_SECONDS).close()
    except OSError as error:
        raise InputError(f"no Ray answers at {place}: {error.strerror or error}") from error
