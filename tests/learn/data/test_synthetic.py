"""Windows that photographs seldom hold."""

import numpy as np

from isthmus.learn.data.crops import Crops
from isthmus.learn.data.synthetic import colour_jitter, flat_window, grey_window, synthetic_graphic


def saturation(pixels):
    """Mean distance between the largest and the smallest channel."""
    return float((pixels.max(2).astype(int) - pixels.min(2)).mean())


def test_vivid_windows_have_stronger_colours():
    """Of a dull one, in the mean of many."""
    window = np.random.default_rng(0).integers(100, 140, (32, 48, 3)).astype(np.uint8)
    made = [colour_jitter(window, np.random.default_rng(seed)) for seed in range(20)]
    assert all(one.shape == window.shape and one.dtype == np.uint8 for one in made)
    assert np.mean([saturation(one) for one in made]) > 2 * saturation(window)


def test_drawings_have_all_corners_of_the_colour_cube():
    """And few colours each."""
    made = [synthetic_graphic(64, np.random.default_rng(seed)) for seed in range(60)]
    assert all(one.shape == (64, 64, 3) and one.dtype == np.uint8 for one in made)
    seen = {tuple(pixel) for one in made for pixel in one.reshape(-1, 3).tolist()}
    assert {(red, green, blue) for red in (0, 255) for green in (0, 255) for blue in (0, 255)} <= seen
    commonest = [np.unique(one.reshape(-1, 3), axis=0, return_counts=True)[1].max() / 64**2 for one in made]
    assert np.median(commonest) > 0.2


def test_flat_windows_have_one_colour_or_two():
    """And grey ones none."""
    made = [flat_window(32, np.random.default_rng(seed)) for seed in range(40)]
    assert {len(np.unique(one.reshape(-1, 3), axis=0)) for one in made} == {1, 2}
    window = np.random.default_rng(0).integers(0, 256, (32, 48, 3)).astype(np.uint8)
    assert saturation(grey_window(window)) == 0


def test_shares_of_a_batch(tmp_path):
    """None are unusual unless asked for; the same seed draws the same."""
    for number in range(3):
        np.save(tmp_path / f"{number}.npy", np.full((40, 40, 3), 128, np.uint8))
    crops = Crops(tmp_path)

    def batch(**shares):
        return crops.draw(60, 32, np.random.default_rng(1), **shares)

    assert (batch() == 128).all()
    changed = (batch(jitter_share=0.3, graphic_share=0.2) != 128).any((1, 2, 3)).mean()
    assert 0.3 < changed < 0.7
    assert np.array_equal(batch(graphic_share=0.5), batch(graphic_share=0.5))
    assert 0.3 < (batch(flat_share=0.5) != 128).any((1, 2, 3)).mean() < 0.7
