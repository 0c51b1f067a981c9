"""The figures of docs/recipes.md, from finished runs: `make figures RUNS=FOLDER DATA=FOLDER`.

    python benchmarks/figures.py --runs FOLDER --data FOLDER [-o docs/figures]

RUNS holds a folder per recipe, as `isthmus train RECIPE -o RUNS/RECIPE` and `isthmus sweep` leave them; DATA holds the
folders mnist, common256 and anime. A recipe without a run keeps the figure that it has. Figures show pictures that
the model has not learnt from.
"""

from __future__ import annotations

import argparse
import io
from pathlib import Path

import numpy as np
from PIL import Image

from isthmus.codec.model import Model, load_model
from isthmus.evaluate.reconstruction import draw_reconstructions
from isthmus.learn.data.loading import load_data
from isthmus.learn.experiment import picture_spec
from isthmus.learn.recipes.loading import recipe_from_table
from isthmus.learn.recipes.settings import Recipe
from isthmus.values import Picture

SWEEP_COLUMNS = 5
COLUMNS = {"mnist": 10, "common256": 5, "anime": 8}
MAX_BYTES = 150_000
COLOURS = (256, 128, 64, 32)


def main() -> None:
    """Draw what there are runs for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("-o", "--output", type=Path, default=Path("docs/figures"))
    options = parser.parse_args()
    for path in sorted(options.runs.glob("*/model.isthmus")):
        model = load_model(path)
        recipe = recipe_from_table(model.file.facts["recipe"])
        if recipe.data.source not in COLUMNS:
            continue
        pictures = _unseen(recipe, options.data)
        _save(options.output / f"{path.parent.name}.png", _draw_coded(model, recipe, pictures))
    for path in sorted(options.runs.glob("*/sweep.png")):
        _save(options.output / f"{path.parent.name}-sweep.png", path.read_bytes())
        models = [load_model(one) for one in path.parent.glob("*/model.isthmus")]
        models.sort(key=lambda model: -model.file.latents.channels)
        recipe = recipe_from_table(models[0].file.facts["recipe"])
        pictures = _unseen(recipe, options.data)[:SWEEP_COLUMNS]
        _save(
            options.output / f"{path.parent.name}-pictures.png",
            _stacked([_draw_coded(model, recipe, pictures) for model in models]),
        )


def _unseen(recipe: Recipe, data: Path) -> np.ndarray:
    """Test pictures (count, rows, columns, channels) uint8, whole ones where the model takes any size."""
    spec = picture_spec(recipe)
    test = load_data(str(data / recipe.data.source), recipe.data, spec, seed=0).test.pictures
    return test[: COLUMNS[recipe.data.source]]


def _draw_coded(model: Model, recipe: Recipe, pictures: np.ndarray) -> bytes:
    """Originals, codes, and what comes back from files."""
    if recipe.data.source == "anime":  # codes are cut from pictures of data.side: show what the recipe's numbers mean
        side, top = recipe.model.height, (pictures.shape[1] - recipe.model.height) // 2
        pictures = pictures[:, top : top + side, top : top + side]
    return draw_reconstructions([Picture(pixels) for pixels in pictures], model)


def _stacked(figures: list[bytes]) -> bytes:
    """Figures of one width, one below the other."""
    images = [Image.open(io.BytesIO(figure)).convert("RGB") for figure in figures]
    whole = Image.new("RGB", (max(image.width for image in images), sum(image.height for image in images)), "white")
    top = 0
    for image in images:
        whole.paste(image, (0, top))
        top += image.height
    out = io.BytesIO()
    whole.save(out, "PNG")
    return out.getvalue()


def _save(path: Path, figure: bytes) -> None:
    """As a PNG with a palette, of as many colours as the limit leaves room for."""
    image = Image.open(io.BytesIO(figure)).convert("RGB")
    for colours in COLOURS:
        out = io.BytesIO()
        image.quantize(colours).save(out, "PNG", optimize=True)
        if len(out.getvalue()) <= MAX_BYTES:
            break
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(out.getvalue())
    print(f"{path}: {len(out.getvalue())} bytes")


if __name__ == "__main__":
    main()
