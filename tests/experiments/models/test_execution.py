"""However the networks are run, the latents and images are those of the eager ones."""

import pytest
import torch

from coupling import repulsive
from experiments.cells.build import model_of
from experiments.compose import build, compose
from experiments.models.condition import repeat_rows
from experiments.models.execution import EAGER, Auto, Execution

PROMPTS = ["a bedroom with a red bed", "a bedroom at night"]


def run(model) -> tuple[torch.Tensor, torch.Tensor]:
    with torch.no_grad():
        noise = torch.cat([repulsive(3).sample(model.noise_shape, seed=k) for k in range(2)])
        latents = model.sample(noise, repeat_rows(model.encode_prompts(PROMPTS), 3))
        return latents, model.decode(latents)


def model():
    return model_of(compose(["model=tiny", "model.num_steps=3"])).load()


@pytest.mark.parametrize(
    "execution",
    [
        Execution(channels_last=True, compiled=False),
        pytest.param(Execution(channels_last=True, compiled=True), marks=pytest.mark.slow),
    ],
    ids=str,
)
def test_the_same_pictures(execution):
    latents, images = run(model())
    other = model().executed(execution)
    assert other.execution == execution
    again, pictures = run(other)
    torch.testing.assert_close(again, latents, rtol=0, atol=1e-4)
    torch.testing.assert_close(pictures, images, rtol=0, atol=1 / 255)


def test_the_default_is_left_to_timing_and_eager_until_then():
    assert isinstance(build("execution", compose([])), Auto)
    assert model().execution == EAGER == build("execution", compose(["execution=eager"]))
    assert str(EAGER) == "eager"
    assert str(build("execution", compose(["execution=compiled"]))) == "channels_last, compiled"
