"""Tools of those who train the shipped models.

    python -m isthmus.learn.hyperprior weights CHECKPOINT.pt WEIGHTS.npz [--data PHOTOS] [--tune eyes|psnr]
    python -m isthmus.learn.hyperprior export CHECKPOINT.pt|WEIGHTS.npz MODEL.isthmus --facts FACTS.json

`weights` keeps the averaged weights in half precision, calibrated anew if there are pictures; `export` makes the model
file of them.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

from isthmus.container.atomic import write_file
from isthmus.learn.data.crops import Crops
from isthmus.learn.hyperprior.calibration.calibrate import calibrate
from isthmus.learn.hyperprior.export.export import export_codec
from isthmus.learn.hyperprior.export.qualities import with_quality_map
from isthmus.learn.hyperprior.training.checkpoint import load_trained
from isthmus.learn.hyperprior.training.settings import EYES, TUNES
from isthmus.learn.hyperprior.training.weights import kept_values


def save_weights(trained: Path, path: Path, data: Path | None, *, tune: str) -> None:
    """The averaged weights in half precision."""
    weights = load_trained(trained)
    if data is not None:
        model = weights.model()
        ranges = None if weights.calibration is None else weights.calibration.ranges
        crops = Crops(data)
        calibration = calibrate(model, crops, trained=ranges)
        if tune == EYES:
            calibration = with_quality_map(model, calibration, crops)
        weights = replace(weights, values=kept_values(model.state_dict()), calibration=calibration)
    weights.save(path)


def export(trained: Path, path: Path, facts_path: Path | None) -> None:
    """The model file."""
    facts = json.loads(facts_path.read_text()) if facts_path is not None else {}
    decodes = [bytes.fromhex(one) for one in facts.pop("decodes", [])]
    weights = load_trained(trained)
    data = export_codec(weights.model(), calibration=weights.calibration, facts=facts, decodes=decodes)
    write_file(path, data, force=True)


def main() -> None:
    """The commands."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("weights", "export"):
        command = commands.add_parser(name)
        command.add_argument("trained", type=Path, help="a checkpoint, or weights")
        command.add_argument("path", type=Path, help="to write")
    commands.choices["weights"].add_argument("--data", type=Path, help="pictures, to calibrate anew on them")
    commands.choices["weights"].add_argument("--tune", choices=TUNES, default=EYES, help="of the training")
    commands.choices["export"].add_argument("--facts", type=Path, help='JSON: the manifest\'s facts, and "decodes"')
    options = parser.parse_args()
    if options.command == "weights":
        save_weights(options.trained, options.path, options.data, tune=options.tune)
    else:
        export(options.trained, options.path, options.facts)


if __name__ == "__main__":
    main()
