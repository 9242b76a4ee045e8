import math

import pytest
import torch

from metrics import alignment

IMAGE = torch.tensor([[1.0, 0.0], [0.6, 0.8], [-1.0, 0.0]])
TEXT = torch.tensor([2.0, 0.0])
COSINES = torch.tensor([1, 0.6, -1]).double()


def test_clip_score_is_hessels():
    expected = 2.5 * COSINES.clamp_min(0)
    torch.testing.assert_close(alignment.clip_score(IMAGE, TEXT), expected, rtol=0, atol=1e-7)


def test_pick_score_takes_the_logarithm_of_the_scale():
    scores = alignment.pick_score(IMAGE, TEXT, math.log(100))
    torch.testing.assert_close(scores, 100 * COSINES, rtol=0, atol=1e-5)


def test_a_gallery_broadcasts_against_its_prompt():
    images, texts = torch.randn(4, 3, 8), torch.randn(4, 8)
    scores = alignment.pick_score(images, texts.unsqueeze(1), 0.0)
    one = alignment.pick_score(images[2, 1], texts[2], 0.0)
    assert scores.shape == (4, 3)
    assert scores[2, 1].item() == pytest.approx(one.item(), abs=1e-12)
