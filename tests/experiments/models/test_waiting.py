"""What a GPU waits for: nothing of a sampler's step, of any family, steered or not.

A step of a model without weights, on the meta device, has nothing that could be read: whatever asks
a tensor for its value, or for the places where it is true, raises. What is copied from the host is
counted.
"""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from coupling import DAVE, Guidance, Particle, Spell
from coupling.steering import Course, Steered
from experiments.models.condition import repeat_rows

ALL = (0.0, 1.0)
STEERED = {
    "plain": None,
    "guidance": Guidance(2.0, (0.25, 0.75), None),
    "spell": Spell(radius=None, quantile=0.75, factor=2.0, strength=1.6, window=ALL),
    "particle": Particle(scale=30.0, least=0.0),
    "dave": DAVE(weight=0.5, blocks=["mid_block"], window=ALL),
}
SIZE = 3


class Copies(TorchDispatchMode):
    """Counts the tensors that an operation takes from one device to another."""

    def __init__(self):
        super().__init__()
        self.found: list[str] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        given = {a.device for a in args if isinstance(a, torch.Tensor) and a.dim()}
        if isinstance(out, torch.Tensor) and given and {out.device} != given:
            self.found.append(str(func))
        return out


@pytest.fixture(scope="module", params=["sd", "sdxl", "sd3_without_t5"])
def model(families, request):
    return families(request.param).model(guidance=6.0, device="meta")


@pytest.mark.parametrize("name", STEERED)
def test_no_step_waits_for_the_device_or_for_the_host(model, name):
    steering = STEERED[name]
    if name == "dave" and not hasattr(model, "unet"):
        pytest.skip("its blocks are a UNet's")
    prompts = ["a red bed", "two lamps"]
    rows = repeat_rows(model.encode_prompts(prompts), SIZE)
    x = torch.zeros(2 * SIZE, *model.noise_shape, device="meta", dtype=model.dtype)
    course = Course(model.process.levels, model.guidance, 0, prompts, range(SIZE))
    steered = steering and Steered(steering, course)
    assert model.rows_per_image(model.guidance) == 2  # the empty prompt, once and for all
    with torch.inference_mode(), Copies() as copies:
        for step in range(model.process.num_steps):
            x = model.advance(x, step, rows, steered)
    assert copies.found == [] and x.device.type == "meta"
