"""FLOPs against a count by hand; a peak that a product cannot beat."""

import torch
from torch import nn
from torch.nn.functional import scaled_dot_product_attention

from experiments.bench.probes import count_flops


def test_flops_of_a_small_network_by_hand():
    net = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.SiLU(), nn.Flatten(), nn.Linear(288, 5))
    convolution = 2 * (2 * 6 * 6) * 8 * (3 * 3 * 3)  # two images of 6 x 6
    linear = 2 * 2 * 288 * 5
    assert count_flops(lambda: net(torch.zeros(2, 3, 6, 6))) == convolution + linear


def test_attention_is_its_two_products():
    q, k, v = torch.zeros(3, 1, 4, 10, 16).unbind()  # 4 heads, 10 tokens
    products = 2 * (2 * 4 * 10 * 10 * 16)
    assert count_flops(lambda: scaled_dot_product_attention(q, k, v)) == products
