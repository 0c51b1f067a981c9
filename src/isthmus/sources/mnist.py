"""MNIST from its public mirrors into the user's cache, each file checked against its hash."""

from __future__ import annotations

from pathlib import Path

import platformdirs

from isthmus.errors import InputError

MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
HASHES = {
    "train-images-idx3-ubyte.gz": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    "train-labels-idx1-ubyte.gz": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    "t10k-images-idx3-ubyte.gz": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    "t10k-labels-idx1-ubyte.gz": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
}


def fetch_mnist() -> Path:
    """The folder with MNIST's four files, fetched where they are not there yet.

    Raises:
        InputError: no mirror could be reached.
    """
    import pooch

    folder = Path(platformdirs.user_cache_dir("isthmus")) / "mnist"
    for name, digest in HASHES.items():
        errors = []
        for mirror in MIRRORS:
            try:
                pooch.retrieve(mirror + name, f"sha256:{digest}", fname=name, path=folder, progressbar=False)
                break
            except Exception as error:  # requests, urllib3 and pooch have no common base; each mirror is tried
                errors.append(f"{mirror}: {str(error).splitlines()[0][:120] if str(error) else type(error).__name__}")
        else:
            raise InputError(
                f"MNIST cannot be fetched ({errors[0]}). Without a network: put the four files {', '.join(HASHES)} "
                f"into {folder}, or name their folder with --data DIR"
            )
    return folder
