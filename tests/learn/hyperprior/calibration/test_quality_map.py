"""The map of qualities that is fitted to training photographs."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from isthmus.codec.hyperprior.quality_map import ASKED, QualityMap
from isthmus.codec.model import load_model
from isthmus.errors import TrainingError
from isthmus.learn.hyperprior.calibration.quality_map import fit_quality_map, table_of
from tests.conftest import GOLDEN


def test_a_table_gives_back_the_rule_that_its_data_follow():
    """Pictures that score ten points more need five qualities less."""
    random = np.random.default_rng(0)
    samples = random.uniform(0, 80, 200)
    needed = np.array(ASKED) - 0.5 * (samples[:, None] - 40) + random.normal(0, 1, (200, len(ASKED)))
    found = QualityMap(table_of(samples, np.clip(needed, 1, 100)))
    for asked, score in ((40, 40), (50, 60), (70, 20)):
        assert found.quality(asked, score) == pytest.approx(asked - 0.5 * (score - 40), abs=1)


@pytest.mark.parametrize("level", [1, 50, 100])
def test_a_table_rises_whatever_its_data_are(level):
    """All pictures need one quality, whatever is asked for: even the lowest, or the highest."""
    QualityMap(table_of(np.linspace(-50, 100, 30), np.full((30, len(ASKED)), float(level))))


def test_a_map_is_fitted_to_what_a_model_makes_of_pictures():
    """An untrained model, two pictures."""
    pictures = [np.random.default_rng(0).integers(90, 160, (70, 80, 3), np.uint8) for _ in range(2)]
    QualityMap(fit_quality_map(load_model(GOLDEN / "golden-hyperprior.isthmus", threads=1), pictures))
    with pytest.raises(TrainingError, match="no hyperprior"):
        fit_quality_map(load_model(GOLDEN / "golden.isthmus"), pictures)
