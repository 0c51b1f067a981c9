"""Virtual pictures: within the settings' bounds, the same for the same seed, and only as many as asked."""

from __future__ import annotations

import pytest
import torch

from isthmus.errors import UsageError
from isthmus.learn.data.augmentation import augment, centre
from isthmus.learn.recipes.settings import AugmentationSettings


@pytest.fixture
def pictures() -> torch.Tensor:
    """(64, 3, 20, 24) uint8, every pixel its own."""
    return torch.randint(0, 256, (64, 3, 20, 24), generator=torch.Generator().manual_seed(5)).to(torch.uint8)


def _augmented(pictures, size=(20, 24), seed=0, **settings):
    return augment(pictures, AugmentationSettings(**settings), size, torch.Generator().manual_seed(seed))


def test_without_settings_nothing_changes(pictures):
    """The very same values."""
    assert torch.equal(_augmented(pictures), pictures)


def test_the_seed_decides(pictures):
    """Everything at once: equal for one seed, different for another."""
    everything = {"flip": 0.5, "rotation": 20, "scale": 0.2, "shift": 2, "brightness": 0.3, "share": 0.7}
    first, again, other = (_augmented(pictures, (16, 16), seed, **everything) for seed in (1, 1, 2))
    assert first.shape == (64, 3, 16, 16)
    assert first.dtype == torch.uint8
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_flips_mirror_as_many_as_asked(pictures):
    """Each picture is itself or its mirror image; of 64 with probability 0.5 some of both."""
    flipped = _augmented(pictures, flip=0.5)
    mirrored = [torch.equal(new, old.flip(2)) for new, old in zip(flipped, pictures, strict=True)]
    kept = [torch.equal(new, old) for new, old in zip(flipped, pictures, strict=True)]
    assert all(a != b for a, b in zip(mirrored, kept, strict=True))
    assert 10 < sum(mirrored) < 54
    assert torch.equal(_augmented(pictures, flip=1.0), pictures.flip(3))


def test_crops_are_windows_of_their_picture(pictures):
    """At every place, and not always the same one."""
    crops = _augmented(pictures, (18, 20))
    places = set()
    for crop, picture in zip(crops, pictures, strict=True):
        found = [(y, x) for y in range(3) for x in range(5) if torch.equal(crop, picture[:, y : y + 18, x : x + 20])]
        assert len(found) == 1
        places.update(found)
    assert len(places) > 8
    assert torch.equal(centre(pictures, (18, 20)), pictures[:, :, 1:19, 2:22])


def test_brightness_is_one_factor_for_a_picture():
    """Within the share, for all its values alike."""
    grey = torch.full((200, 1, 4, 4), 100, dtype=torch.uint8)
    changed = _augmented(grey, (4, 4), brightness=0.2)
    assert (changed == changed[:, :, :1, :1]).all()
    assert 80 <= int(changed.min()) < 90
    assert 110 < int(changed.max()) <= 120


def test_a_shift_moves_at_most_as_far_as_asked():
    """One bright pixel in the middle: its centre of mass moves, no further than two pixels."""
    dot = torch.zeros((300, 1, 21, 21), dtype=torch.uint8)
    dot[:, :, 10, 10] = 255
    moved = _augmented(dot, (21, 21), shift=2).float()
    mass = moved.sum(dim=(1, 2, 3))
    ways = torch.arange(21.0)
    down, across = (moved.sum(dim=(1, axis)) @ ways / mass - 10 for axis in (3, 2))
    for way in (down, across):
        assert way.abs().max() < 2.05
        assert way.min() < -1.5
        assert way.max() > 1.5


def test_a_quarter_turn_and_a_scale_are_what_they_say():
    """A bar in the middle: turned by up to 90° it reaches as far as before; grown it covers more, shrunk less."""
    bar = torch.zeros((400, 1, 31, 31), dtype=torch.uint8)
    bar[:, :, 14:17, 5:26] = 200
    turned = _augmented(bar, (31, 31), rotation=90).float()
    sums = turned.sum(dim=(1, 2, 3))
    assert ((sums / bar[0].float().sum() - 1).abs() < 0.1).all()
    upright = turned[:, 0, :, 15].sum(dim=1) > 0.9 * bar[0, 0, 15].float().sum()
    assert upright.any()
    assert not upright.all()
    areas = _augmented(bar, (31, 31), scale=0.3).float().sum(dim=(1, 2, 3)) / bar[0].float().sum()
    assert 0.5 < areas.min() < 0.75
    assert 1.4 < areas.max() < 2.1


def test_a_share_leaves_the_others_as_they_are(pictures):
    """About a quarter of the pictures are changed, the rest are equal to the last bit."""
    changed = _augmented(pictures.repeat(10, 1, 1, 1), rotation=30, brightness=0.5, share=0.25)
    same = (changed == pictures.repeat(10, 1, 1, 1)).flatten(1).all(dim=1).float().mean()
    assert 0.65 < same < 0.85


@pytest.mark.parametrize("setting", [{"flip": 1.1}, {"share": -0.1}, {"rotation": -1}, {"virtual_count": -1}])
def test_settings_beyond_their_bounds_are_refused(setting):
    """By name."""
    with pytest.raises(UsageError, match=next(iter(setting))):
        AugmentationSettings(**setting)
