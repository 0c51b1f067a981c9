"""The light wing stays light, and the public names stay what they are."""

from __future__ import annotations

import importlib
import pkgutil
import subprocess
import sys

import pytest

import isthmus

LIGHT_ROOMS = (
    "errors",
    "values",
    "imaging",
    "entropy",
    "container",
    "transforms",
    "zoo",
    "sources",
    "codec",
    "packs",
    "description",
    "metrics",
    "evaluate",
    "scale",
    "chunks",
    "desktop",
    "studio",
    "cli",
)


def _modules() -> list[str]:
    names = []
    for room in LIGHT_ROOMS:
        module = importlib.import_module(f"isthmus.{room}")
        names.append(module.__name__)
        names += [found.name for found in pkgutil.walk_packages(getattr(module, "__path__", []), f"{module.__name__}.")]
    return names


@pytest.mark.parametrize("name", ["isthmus", *_modules()])
def test_a_light_module_loads_no_training_package(name):
    """In a fresh interpreter: no torch, no onnx, no matplotlib, no scikit-learn."""
    code = (
        f"import sys, {name}; "
        "heavy = {'torch', 'onnx', 'matplotlib', 'sklearn', 'lightning_fabric'} & set(sys.modules)"
        "; sys.exit(', '.join(heavy) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_importing_isthmus_loads_no_numpy():
    """`import isthmus` and `isthmus --help` stay fast: arrays are loaded when they are needed."""
    code = "import sys, isthmus, isthmus.cli.main; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_public_names_are_there():
    """Every name in __all__ can be had, and the errors have one base."""
    for name in isthmus.__all__:
        assert getattr(isthmus, name) is not None
    errors = [getattr(isthmus, name) for name in isthmus.__all__ if name.endswith("Error")]
    assert all(issubclass(error, isthmus.IsthmusError) for error in errors)


def test_a_small_picture_costs_at_most_32_bytes_beyond_its_payload(golden_model, pictures):
    """Header, checksums and framing of a picture without extras."""
    from isthmus.container.image_file import read_image

    for file in golden_model.encode_batch(list(pictures)):
        assert len(file) - len(read_image(file).tiles[0]) <= 32
