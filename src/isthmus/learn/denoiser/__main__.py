"""Tools of those who train the shipped denoiser.

    python -m isthmus.learn.denoiser weights CHECKPOINT.pt WEIGHTS.npz
    python -m isthmus.learn.denoiser export CHECKPOINT.pt|WEIGHTS.npz MODEL.isthmus --facts FACTS.json

`weights` keeps the averaged weights in half precision; `export` makes the model file of them.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from isthmus.container.atomic import write_file
from isthmus.learn.denoiser.export import export_denoiser
from isthmus.learn.denoiser.weights import load_trained, save_weights


def main() -> None:
    """The commands."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("weights", "export"):
        command = commands.add_parser(name)
        command.add_argument("trained", type=Path, help="a checkpoint, or weights")
        command.add_argument("path", type=Path, help="to write")
    commands.choices["export"].add_argument("--facts", type=Path, help="JSON: the manifest's facts")
    options = parser.parse_args()
    model = load_trained(options.trained)
    if options.command == "weights":
        save_weights(model, options.path)
        return
    facts = json.loads(options.facts.read_text()) if options.facts is not None else {}
    write_file(options.path, export_denoiser(model, facts=facts), force=True)


if __name__ == "__main__":
    main()
