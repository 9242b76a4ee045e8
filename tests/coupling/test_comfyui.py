"""The nodes keep to ComfyUI's interface; a stub of its executor and sampler asks them."""

import pytest
import torch

import coupling
from coupling.comfyui import NODE_CLASS_MAPPINGS, NODE_DISPLAY_NAME_MAPPINGS

SHAPE = (4, 8, 8)


def execute(name: str, **inputs):
    """A node as ComfyUI runs it: by its own description, with defaults where nothing is set."""
    node = NODE_CLASS_MAPPINGS[name]
    declared = node.INPUT_TYPES()["required"]
    values = {}
    for key, (kind, *options) in declared.items():
        default = kind[0] if isinstance(kind, list) else options[0]["default"]
        values[key] = inputs.pop(key, default)
        if isinstance(kind, list):
            assert values[key] in kind
        else:
            assert options[0]["min"] <= values[key] <= options[0]["max"]
    assert not inputs
    results = getattr(node(), node.FUNCTION)(**values)
    return dict(zip(node.RETURN_TYPES, results, strict=True))


def latent(count, shape=SHAPE, **entries):
    return {"samples": torch.zeros(count, *shape), **entries}


def test_every_node_is_described_for_the_menu():
    assert NODE_CLASS_MAPPINGS.keys() == NODE_DISPLAY_NAME_MAPPINGS.keys()
    for name, node in NODE_CLASS_MAPPINGS.items():
        assert execute(name)["NOISE"].seed == 0
        assert node.CATEGORY


@pytest.mark.parametrize("shape", [SHAPE, (16, 3, 8, 8)], ids=["image", "video"])
def test_a_batch_starts_from_a_gallery(shape):
    noise = execute("CoupleToControlNoise", noise_seed=2**64 - 1, gallery_size=3)["NOISE"]
    x = noise.generate_noise(latent(3, shape))
    assert torch.equal(x, coupling.repulsive(3).sample(shape, seed=2**64 - 1, job="0"))
    assert x.sum(dim=0).abs().max() < 1e-5


def test_a_larger_batch_is_several_independent_galleries():
    noise = execute("CoupleToControlNoise", coupling="antithetic", gallery_size=2)["NOISE"]
    x = noise.generate_noise(latent(5))
    assert torch.equal(x[1], -x[0]) and torch.equal(x[3], -x[2])
    correlation = torch.corrcoef(x[[0, 2, 4]].flatten(1))
    assert (correlation - torch.eye(3)).abs().max() < 0.3


def test_an_image_of_a_batch_is_made_again_alone():
    noise = execute("CoupleToControlEquicorrelatedNoise", rho=-0.2, gallery_size=4)["NOISE"]
    whole = noise.generate_noise(latent(8))
    alone = noise.generate_noise(latent(2, batch_index=[6, 1]))
    assert torch.equal(alone, whole[[6, 1]])


def test_a_batch_index_may_be_a_tensor_and_must_name_every_image():
    noise = execute("CoupleToControlNoise", gallery_size=2)["NOISE"]
    whole = noise.generate_noise(latent(4))
    alone = noise.generate_noise(latent(2, batch_index=torch.tensor([3, 0])))
    assert torch.equal(alone, whole[[3, 0]])
    for wrong in ([], [1], [0, -1], [0, 1.0], torch.tensor(1)):
        with pytest.raises(ValueError, match="batch_index"):
            noise.generate_noise(latent(2, batch_index=wrong))


def test_an_empty_batch_has_empty_noise():
    noise = execute("CoupleToControlNoise")["NOISE"]
    assert noise.generate_noise(latent(0)).shape == (0, *SHAPE)
    assert noise.generate_noise(latent(0, batch_index=[])).shape == (0, *SHAPE)


class Nested:
    """ComfyUI's nested latents: several tensors that it unbinds."""

    is_nested = True

    def __init__(self, tensors):
        self.tensors = list(tensors)

    def unbind(self):
        return self.tensors


def test_nested_latents_get_nested_noises_of_their_own():
    noise = execute("CoupleToControlNoise", gallery_size=2)["NOISE"]
    samples = Nested([torch.zeros(2, *SHAPE), torch.zeros(2, *SHAPE), torch.zeros(2, 8, 16)])
    parts = noise.generate_noise({"samples": samples}).unbind()
    assert [part.shape for part in parts] == [tensor.shape for tensor in samples.tensors]
    assert torch.equal(parts[0], noise.generate_noise(latent(2)))
    assert (parts[0] - parts[1]).std() > 1  # one noise for both would be no gallery's law
    assert all(part.sum(dim=0).abs().max() < 1e-5 for part in parts)


def test_the_noise_is_on_the_cpu_in_the_dtype_of_the_latents():
    noise = execute("CoupleToControlNoise")["NOISE"]
    half = {"samples": torch.zeros(4, *SHAPE, dtype=torch.float16)}
    x = noise.generate_noise(half)
    assert x.dtype == torch.float16 and x.device.type == "cpu"
    assert torch.equal(x, noise.generate_noise(latent(4)).half())


def test_what_no_law_allows_is_refused_before_sampling():
    with pytest.raises(ValueError, match=r"rho = -0\.5 is outside"):
        execute("CoupleToControlEquicorrelatedNoise", rho=-0.5, gallery_size=4)
