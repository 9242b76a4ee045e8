"""The published networks: their sizes, and that model and pipeline agree without text encoders."""

import pytest
import torch

from experiments.bench.fullsize import FULL_SIZE

# Of the safetensors that are published: the denoiser, and the VAE.
PARAMETERS = {
    "sd15": (859_520_964, 83_653_863),
    "sdxl": (2_567_463_684, 83_653_863),
    "sd3": (2_028_328_000, 83_819_683),
}


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameter_counts_are_the_published_ones(name):
    with torch.device("meta"):
        networks = FULL_SIZE[name].networks()
    counts = tuple(sum(p.numel() for p in network.parameters()) for network in networks)
    assert counts == PARAMETERS[name]
