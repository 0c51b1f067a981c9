"""A Ray cluster to work on: one that runs already, or one of this machine's own for as long as the work takes."""

from __future__ import annotations

import logging
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout

# read when Ray is imported: nobody is told of what runs here, and what its C++ side has to say stays in its logs
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")

import ray
import ray.data
import ray.exceptions
from ray._private.services import canonicalize_bootstrap_address

from isthmus.errors import InputError, UsageError

ANSWER_SECONDS = 5
_OWN_STORE_BYTES = 256 << 20
"""Of the object store of a cluster of our own: only the shards' sources wait there."""
_HTTP2_HELLO = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\x04\0\0\0\0\0"
"""HTTP/2's preface and an empty SETTINGS frame: any gRPC server, as a head node is one, answers with its own."""
_SETTINGS = 0x04


@contextmanager
def cluster(address: str | None, *, workers: int) -> Iterator[None]:
    """Connect, and disconnect afterwards; what Ray says meanwhile goes to stderr.

    A connection that the program has already is used as it is, and kept.

    Args:
        address: "auto" for the cluster that this machine is part of, or that RAY_ADDRESS names; "host:port" of its
            head node; None starts a cluster on this machine.
        workers: processors of a cluster that is started; any other has its own.

    Raises:
        InputError: no Ray answers at the address.
        UsageError: not an address.
    """
    if ray.is_initialized():
        yield
        return
    if address is not None:
        check_address(address)
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


def check_address(address: str) -> None:
    """See whether something like Ray answers: Ray itself would try for two minutes, and then end this process.

    Args:
        address: "auto" or "host:port".

    Raises:
        InputError: nothing answers, or no Ray.
        UsageError: not an address.
    """
    try:
        place = canonicalize_bootstrap_address(address) if address == "auto" else address
    except ConnectionError:
        place = None
    if not place:
        raise InputError("no Ray runs on this machine: ray start --head starts one, --address HOST:PORT names another")
    host, _, port = place.rpartition(":")
    if not host or "/" in host or not port.isdecimal() or not 0 < int(port) <= 65535:
        raise UsageError(f"a Ray address is auto or HOST:PORT, not {place!r}")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=ANSWER_SECONDS) as link:
            link.sendall(_HTTP2_HELLO)
            answer = link.recv(9)
    except OSError as error:
        raise InputError(f"no Ray answers at {place}: {error.strerror or error}") from error
    if answer[3:4] != bytes([_SETTINGS]):
        raise InputError(f"no Ray answers at {place}: something else does")
