"""What training makes small."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from isthmus.errors import UsageError
from isthmus.learn.hyperprior.training.loss import losses
from isthmus.learn.hyperprior.training.settings import TUNES, Training

PLACES = torch.tensor([0.1, 0.9])


def _pictures() -> torch.Tensor:
    return torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0)) - 0.5


@pytest.mark.parametrize("tune", TUNES)
def test_more_bits_and_more_noise_cost_more(tune):
    """At a low quality bits count for more, at a high one what is seen."""
    pixels = _pictures()
    noise = 0.05 * torch.randn(pixels.shape, generator=torch.Generator().manual_seed(1))
    bits = torch.tensor([0.3, 3.0])
    same = losses(tune, pixels, pixels, bits, PLACES)
    more = losses(tune, pixels, pixels + noise, bits, PLACES)
    assert (more > same).all()
    assert (losses(tune, pixels, pixels, 2 * bits, PLACES) > same).any()
    assert more[1] / same[1] > more[0] / same[0]


def test_a_tone_that_is_off_is_seen_where_there_is_no_structure():
    """SSIMULACRA2 alone would hardly mind."""
    flat = torch.full((2, 3, 64, 64), 0.1)
    bits = torch.full((2,), 0.01)
    off = [float(losses("eyes", flat, flat + shift, bits, PLACES)[1]) for shift in (0.0, 2 / 255, 4 / 255)]
    assert off[0] < off[1] / 2 < off[2] / 4


def test_pictures_of_few_bits_count_as_much_as_those_of_many():
    """A tenth fewer bits are worth about the same in both."""
    pixels = _pictures()

    def gain(bits: float) -> float:
        here = torch.full((1,), bits, requires_grad=True)
        losses("eyes", pixels[:1], pixels[:1], here, PLACES[1:]).sum().backward()
        return bits * float(here.grad)

    assert gain(4.0) < 3 * gain(1.0)  # four times as much if all samples weighed the same


def test_a_tune_that_does_not_exist_is_refused():
    """With those that do."""
    with pytest.raises(UsageError, match="psnr, eyes, not 'ears'"):
        Training(tune="ears")
