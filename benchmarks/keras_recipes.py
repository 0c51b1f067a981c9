"""The classic recipes against the same networks in Keras 3, epoch by epoch in one run; for docs/recipes.md.

    python benchmarks/keras_recipes.py RECIPE --data FOLDER --keras PYTHON [--epochs N] [--rounds N]

RECIPE: digits-reduction or tiles-dense. `--keras` names an interpreter that has Keras 3 and JAX. Both sides get
the same arrays, batch size, optimiser and number of passes; rounds alternate, with another seed each.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from isthmus.learn.data.loading import load_data
from isthmus.learn.data.pictures import take_some
from isthmus.learn.experiment import network_data, picture_spec, run_experiment
from isthmus.learn.loop.schedule import Budget
from isthmus.learn.recipes.loading import load_recipe

# arrays.npz, seed, epochs, batch size, widths behind the input, which of them have no activation, activation, output
KERAS = """
import json, os, sys, time
os.environ["KERAS_BACKEND"] = "jax"
import keras, numpy as np
asked = json.loads(sys.argv[1])
arrays = np.load(asked["arrays"])
train, test = (arrays[name].astype("float32") / 255 for name in ("train", "test"))
keras.utils.set_random_seed(asked["seed"])
def activation(name):
    return keras.layers.LeakyReLU(negative_slope=0.01) if name == "leaky-relu" else keras.layers.Activation(name)
layers = [keras.Input((train.shape[1],))]
for width in asked["widths"]:
    layers += [keras.layers.Dense(width), activation(asked["activation"])]
layers += [keras.layers.Dense(train.shape[1]), keras.layers.Activation(asked["output"])]
model = keras.Sequential(layers)
optimiser = {
    "adam": lambda: keras.optimizers.Adam(asked["rate"]),
    "adadelta": lambda: keras.optimizers.Adadelta(asked["rate"], rho=asked["rho"]),
}[asked["optimiser"]]()
model.compile(optimizer=optimiser, loss="mse")
seconds = []
class Clock(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None): self.start = time.perf_counter()
    def on_epoch_end(self, epoch, logs=None): seconds.append(time.perf_counter() - self.start)
model.fit(train, train, epochs=asked["epochs"], batch_size=asked["batch"], verbose=0, callbacks=[Clock()])
back = np.clip(model.predict(test, batch_size=1000, verbose=0), 0, 1)
pictures = arrays["pictures"]  # (rows, columns) of tiles of each test picture
errors = ((back - test) ** 2).reshape(int(pictures), -1).mean(axis=1)
print(json.dumps({"seconds": seconds, "mse": float(errors.mean()), "psnr": float(np.mean(-10 * np.log10(errors)))}))
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("recipe", choices=["digits-reduction", "tiles-dense"])
    parser.add_argument("--data", required=True)
    parser.add_argument("--keras", required=True)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--rounds", type=int, default=1)
    options = parser.parse_args()
    recipe = load_recipe(options.recipe)
    epochs = options.epochs or recipe.training.epochs
    ours: list[float] = []
    theirs: list[float] = []
    for seed in range(options.rounds):
        seconds, mse, psnr = _ours(options.recipe, options.data, seed, epochs)
        ours += seconds[1:] or seconds  # the first warms up, on both sides
        print(f"seed {seed}, ours: MSE {mse:.5f}, mean PSNR {psnr:.2f} dB")
        done = _keras(options.recipe, options.data, seed, epochs, options.keras)
        theirs += done["seconds"][1:] or done["seconds"]
        print(f"seed {seed}, Keras: MSE {done['mse']:.5f}, mean PSNR {done['psnr']:.2f} dB")
    print(f"epoch, ours: {statistics.median(ours):.3f} s, Keras: {statistics.median(theirs):.3f} s (medians)")
    print(f"ratio: {statistics.median(ours) / statistics.median(theirs):.2f}")


def _ours(name: str, data: str, seed: int, epochs: int) -> tuple[list[float], float, float]:
    """Seconds of each epoch, error, and mean PSNR of the pictures, through the exported network."""
    from isthmus.codec.model import load_model

    with tempfile.TemporaryDirectory() as folder:
        recipe = load_recipe(name)
        experiment = run_experiment(recipe, Path(folder), source=data, seed=seed, budget=Budget(epochs))
        rows = (Path(folder) / "log.csv").read_text().splitlines()[1:]
        model = load_model(experiment.model)
        pictures = load_data(data, recipe.data, picture_spec(recipe), seed=0).test.pictures
        back = np.clip(model.pictures_of(model.latents(pictures)), 0, 1)
    errors = np.mean((back - pictures / 255.0) ** 2, axis=(1, 2, 3))
    seconds = np.diff([0.0, *(float(row.split(",")[-1]) for row in rows)])
    groups = errors if recipe.model.tile else errors.mean(keepdims=True)
    return list(seconds), float(errors.mean()), float(np.mean(-10 * np.log10(groups)))


def _keras(name: str, data: str, seed: int, epochs: int, python: str) -> dict[str, object]:
    recipe = load_recipe(name)
    loaded = take_some(load_data(data, recipe.data, picture_spec(recipe), seed=seed), recipe.data, seed=seed)
    parts = network_data(loaded, recipe.model)
    hidden = [width or recipe.model.code for width in recipe.model.hidden]
    back = hidden[::-1] if recipe.model.decoder_hidden == (0,) else list(recipe.model.decoder_hidden)
    with tempfile.TemporaryDirectory() as folder:
        arrays = Path(folder) / "arrays.npz"
        train, test = (part.pictures.reshape(len(part.pictures), -1) for part in (parts.train, parts.test))
        count = len(loaded.test.pictures) if recipe.model.tile else 1
        np.savez(arrays, train=train, test=test, pictures=count)
        asked = {
            "arrays": str(arrays),
            "seed": seed,
            "epochs": epochs,
            "batch": recipe.training.batch_size,
            "widths": [*hidden, recipe.model.code, *back],
            "activation": recipe.model.activation,
            "output": recipe.model.output,
            "optimiser": recipe.training.optimiser,
            "rate": recipe.training.learning_rate,
            "rho": recipe.training.rho,
        }
        done = subprocess.run([python, "-c", KERAS, json.dumps(asked)], capture_output=True, text=True, check=True)
    result: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return result


if __name__ == "__main__":
    main()
