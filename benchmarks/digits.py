"""The figures of digits-dense: an epoch against Keras, errors, bytes, speed, start-up; for docs/benchmarks.md.

    python benchmarks/digits.py --data FOLDER-OF-MNIST [--keras PYTHON]

`--keras` names an interpreter that has Keras 3 and JAX: epochs then alternate, ours and theirs, in one run.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from isthmus.codec.model import load_model
from isthmus.learn.data.loading import load_data
from isthmus.learn.experiment import run_experiment
from isthmus.learn.recipes.loading import load_recipe

ROUNDS = 3
KERAS = """
import gzip, json, os, sys, time
os.environ["KERAS_BACKEND"] = "jax"
import keras, numpy as np
def read(name, count):
    data = gzip.open(f"{sys.argv[1]}/{name}").read()[16:]
    return np.frombuffer(data, np.uint8).reshape(count, 784).astype("float32") / 255
train, test = read("train-images-idx3-ubyte.gz", 60000), read("t10k-images-idx3-ubyte.gz", 10000)
keras.utils.set_random_seed(int(sys.argv[2]))
inputs = keras.Input((784,))
outputs = keras.layers.Dense(784, activation="sigmoid")(keras.layers.Dense(32, activation="relu")(inputs))
model = keras.Model(inputs, outputs)
model.compile(optimizer="adam", loss="binary_crossentropy")
seconds = []
class Clock(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None): self.start = time.perf_counter()
    def on_epoch_end(self, epoch, logs=None): seconds.append(time.perf_counter() - self.start)
model.fit(train, train, epochs=12, batch_size=256, verbose=0, callbacks=[Clock()])
print(json.dumps({"seconds": seconds, "mse": float(np.mean((model.predict(test, verbose=0) - test) ** 2))}))
"""


def ours(data: str, seed: int) -> tuple[list[float], object]:
    """Seconds of each epoch, and the experiment."""
    with tempfile.TemporaryDirectory() as folder:
        experiment = run_experiment(load_recipe("digits-dense"), Path(folder), source=data, seed=seed)
        rows = (Path(folder) / "log.csv").read_text().splitlines()[1:]
        totals = [0.0, *(float(row.split(",")[-1]) for row in rows)]
    return list(np.diff(totals)), experiment


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", default="../shared/data/mnist")
    parser.add_argument("--keras", help="an interpreter with keras and jax")
    options = parser.parse_args()
    epochs, errors, keras_epochs, keras_errors = [], [], [], []
    for seed in range(ROUNDS):
        seconds, experiment = ours(options.data, seed)
        epochs += seconds[1:]  # the first warms up, on both sides
        errors.append(experiment.metrics.test_mse)
        if options.keras:
            done = subprocess.run(
                [options.keras, "-c", KERAS, options.data, str(seed)], capture_output=True, text=True, check=True
            )
            result = json.loads(done.stdout.splitlines()[-1])
            keras_epochs += result["seconds"][1:]
            keras_errors.append(result["mse"])
    print(f"epoch, ours: {statistics.median(epochs):.3f} s (median of {len(epochs)})")
    print("test MSE, ours: " + ", ".join(f"{error:.5f}" for error in errors))
    if keras_epochs:
        print(f"epoch, Keras: {statistics.median(keras_epochs):.3f} s")
        print(f"ratio: {statistics.median(epochs) / statistics.median(keras_epochs):.2f}")
        print("test MSE, Keras: " + ", ".join(f"{error:.5f}" for error in keras_errors))
    with tempfile.TemporaryDirectory() as folder:
        experiment = run_experiment(load_recipe("digits-dense"), Path(folder), source=options.data)
        figures = experiment.metrics
        print(f"MSE through files / before: {figures.coded_mse / figures.test_mse:.4f}")
        print(f"bytes of a file: {figures.bytes_per_image:.1f}, payload {figures.payload_bytes_per_image:.1f}")
        model = load_model(experiment.model)
        recipe = load_recipe("digits-dense")
        pictures = list(load_data(options.data, recipe.data, model.file.picture, seed=0).test.pictures)
        times = []
        for _ in range(ROUNDS):
            start = time.perf_counter()
            files = model.encode_batch(pictures)
            middle = time.perf_counter()
            model.decode_batch(files)
            times.append((middle - start, time.perf_counter() - middle))
        print("encode, decode 10,000 digits: " + ", ".join(f"{a:.2f} + {b:.2f} s" for a, b in times))
        sizes = [np.mean([len(file) for file in model.encode_batch(pictures[:1000], quality=q)]) for q in range(1, 101)]
        print(f"bytes never fall over the 100 qualities: {all(np.diff(sizes) >= 0)}")
        psnrs = [_psnr(model, pictures[:1000], q) for q in range(1, 101)]
        print(f"PSNR never falls: {all(np.diff(psnrs) >= 0)} ({psnrs[0]:.2f} to {psnrs[-1]:.2f} dB)")
    for name, code in (
        ("import isthmus", "import isthmus"),
        ("isthmus --help", "from isthmus.cli.main import run; run()"),
    ):
        seconds = []
        for _ in range(5):
            start = time.perf_counter()
            subprocess.run([sys.executable, "-c", code, "--help"], capture_output=True, check=True)
            seconds.append(time.perf_counter() - start)
        print(f"{name}: {statistics.median(seconds):.3f} s")
    deep = run_deep(options.data)
    print(f"digits-deep: test MSE {deep.metrics.test_mse:.5f} in {deep.train_seconds:.0f} s of training")


def run_deep(data: str) -> object:
    """The second recipe."""
    with tempfile.TemporaryDirectory() as folder:
        return run_experiment(load_recipe("digits-deep"), Path(folder), source=data)


def _psnr(model: object, pictures: list[np.ndarray], quality: int) -> float:
    """PSNR in dB of the mean squared error over pictures that went through files."""
    decoded = np.stack(model.decode_batch(model.encode_batch(pictures, quality=quality)))
    difference = decoded.astype(float) - np.stack(pictures)[..., 0]
    return float(10 * np.log10(255**2 / np.mean(difference**2)))


if __name__ == "__main__":
    main()
