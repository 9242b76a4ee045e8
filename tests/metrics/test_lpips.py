"""With a random AlexNet: what is tested holds for any weights, and nothing is fetched."""

import pytest
import torch
from safetensors.torch import save_file
from torchvision.models import alexnet

from metrics import weights
from metrics.features import LPIPSFeatures
from metrics.weights.backbones import ALEXNET
from metrics.weights.file import FileVariant


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    cache = tmp_path_factory.mktemp("cache")
    (cache / "random_alex").mkdir()
    path = cache / "random_alex" / "alexnet.safetensors"
    torch.manual_seed(0)
    features = alexnet(weights=None, num_classes=2).features.state_dict()
    backbone = {f"{n}.{p}": 3 * features[f"{n}.{p}"] for n in ALEXNET for p in ("weight", "bias")}
    save_file(backbone, path)
    variant = FileVariant(
        name="random_alex", size=1, licence="", citation="", file=path.name,
        sha256=weights.sha256(path), sources=(),
    )  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COUPLE_TO_CONTROL_CACHE", str(cache))
        patch.setitem(weights.VARIANTS, "random_alex", variant)
        yield LPIPSFeatures(source="random_alex", net="alex")


@pytest.fixture(scope="module")
def galleries():
    return torch.rand(2, 3, 3, 64, 48, generator=torch.Generator().manual_seed(0))


def test_distances_equal_the_packages(network, galleries):
    first, second = galleries[:, [0, 0, 1]].flatten(0, 1), galleries[:, [1, 2, 2]].flatten(0, 1)
    with torch.no_grad():
        expected = network.model(first, second, normalize=True).view(2, 3)
        torch.testing.assert_close(network.pairs(galleries), expected, rtol=1e-5, atol=1e-7)
        network.model.spatial = True
        expected = network.model(first, second, normalize=True).view(2, 3, 64, 48)
        network.model.spatial = False
        torch.testing.assert_close(network.maps(galleries), expected, rtol=1e-4, atol=1e-6)


def test_bytes_are_the_same_images(network, galleries):
    as_bytes = galleries.mul(255).round().to(torch.uint8)
    torch.testing.assert_close(network.pairs(as_bytes), network.pairs(as_bytes / 255))


def test_a_distance_does_not_depend_on_the_chunk(network, galleries):
    values = []
    for network.batch_size in (1, 3, 64):
        values.append(network.in_chunks(network.pairs, galleries, each=3))
    torch.testing.assert_close(values[0], values[1], rtol=1e-5, atol=1e-7)
    torch.testing.assert_close(values[0], values[2], rtol=1e-5, atol=1e-7)


def test_it_is_a_reward_whose_gradient_is_finite_where_activations_vanish(network):
    images = torch.rand(1, 2, 3, 64, 64)
    images[..., :40, :40] = 0.5
    images.requires_grad_()
    network.pairs(images).sum().backward()
    assert images.grad.isfinite().all()
    assert images.grad.abs().max() > 0
