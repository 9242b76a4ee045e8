"""DivIn: its law without a gradient, exactly, and its gradient by differences."""

import pytest
import torch

from coupling import DivIn, base_noise, repulsive

ETA = 0.05


class Prompted:
    """A first step whose estimates with and without a prompt differ by a smooth function."""

    def branches(self, noise):
        return torch.zeros_like(noise), noise.sin()

    def clean(self, noise, output):
        return noise + 2 * output


@pytest.mark.parametrize("coupled", [True, False])
def test_without_the_gradient_the_covariance_is_the_stated_one(coupled):
    """A linear map of the base noises, read off column by column."""
    law, method = repulsive(3), DivIn(eta=ETA, tau=0.0, coupled=coupled)
    count = method.base_size(law)
    units = torch.eye(count, dtype=torch.float64).view(count, count, 1, 1, 1)
    (state,) = method.optimize(units, law, Prompted())
    linear = state.noise.flatten(1)  # (base noises, members)
    r = law.correlation
    fresh = r if coupled else torch.eye(3, dtype=torch.float64)
    torch.testing.assert_close(linear.T @ linear, (1 - ETA) ** 2 * r + 2 * ETA * fresh)
    if coupled:
        torch.testing.assert_close(linear.T @ linear, (1 + ETA**2) * r)


def test_the_step_is_down_the_gradient_of_differences():
    law = repulsive(3)
    base = base_noise((2, 3, 3), seed=0, members=range(6)).double().unsqueeze(0)
    (still,) = DivIn(eta=ETA, tau=0.0, coupled=True).optimize(base, law, Prompted())
    (state,) = DivIn(eta=ETA, tau=2.0, coupled=True).optimize(base, law, Prompted())
    x = law.couple(base[0, :3])
    slopes = torch.empty_like(x)
    for place in range(x.numel()):
        step = torch.zeros(x.numel(), dtype=torch.float64)
        step[place] = 1e-6
        up, down = (2 * (x + s * step.view_as(x)).sin().flatten(1).norm(dim=1) for s in (1, -1))
        slopes.view(-1)[place] = (up - down).sum() / 2e-6
    torch.testing.assert_close(
        (still.noise - state.noise)[0], ETA * 2 * slopes, atol=1e-7, rtol=1e-6
    )
    torch.testing.assert_close(state.loss[0], 2 * x.sin().flatten(1).norm(dim=1).mean())
