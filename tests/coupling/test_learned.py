"""Learning a coupling where the answer is known, and the laws that hold at every step of it."""

from functools import partial

import pytest
import torch
from torch import Tensor

from coupling import channels, iid, repulsive, subspace
from coupling.learned import (
    LearningState,
    full_gradient,
    learn,
    near_repulsive,
    random_coupling,
    skip_gradient,
)

GALLERIES, SHAPE = 128, (2, 4, 4)


def batch(step: int, *, size: int, generate=lambda noise: noise, galleries: int = GALLERIES):
    generator = torch.Generator().manual_seed(step)
    return torch.randn(galleries, size, *SHAPE, generator=generator), generate


def separation(images: Tensor) -> Tensor:
    """Twice the variance over members: the mean squared distance of pairs."""
    return 2 * images.var(dim=1).flatten(1).mean(1)


def split(images: Tensor) -> Tensor:
    """Equation (4) of the paper for brightnesses that are linear in the noise."""
    b = images.flatten(2).mean(-1)
    b = b * images[0, 0].numel() ** 0.5
    gap = (b[:, 0] + b[:, 1] - b[:, 2] - b[:, 3]).abs() / 2
    return gap + 0.25 * ((b[:, 0] - b[:, 1]).abs() + (b[:, 2] - b[:, 3]).abs()) / 2**0.5


def run(start, reward, *, steps: int, rate: float = 0.05, **rest) -> list[LearningState]:
    settings = {"batch": partial(batch, size=start.base_size), "reward": reward} | rest
    state = LearningState.start(start)
    return list(learn(state, num_steps=steps, learning_rate=rate, **settings))


@pytest.mark.parametrize(
    "start", [iid(3), random_coupling(3, 3, seed=0), near_repulsive(3, noise=0.5, seed=0)]
)
def test_separation_is_learned_to_be_the_repulsive_coupling(start):
    """Proposition A.2: of linear features, repulsive separates most; at K = 3 it alone does."""
    learned = run(start, separation, steps=150)[-1].correlation
    torch.testing.assert_close(learned, repulsive(3).correlation, rtol=0, atol=0.05)


def test_the_brightness_split_of_a_linear_generator_is_learned():
    """J is E|a . X| with lambda (E|X_1 - X_2| + E|X_3 - X_4|)/sqrt(2), all normal: with R_12 =
    R_34 = r and a mean cross term -c it is proportional to sqrt(1 + r + 2c)/2 + lambda sqrt(1 - r)
    and largest at c = (1 + r)/2, (1 - r)/(1 + r) = 2 lambda^2. Single cross terms are free."""
    many = partial(batch, size=4, galleries=1024)
    start = random_coupling(4, 4, seed=0)
    learned = run(start, split, steps=100, rate=0.1, batch=many)[-1].correlation
    r = (1 - 2 * 0.25**2) / (1 + 2 * 0.25**2)
    assert learned[0, 1].item() == pytest.approx(r, abs=0.03)
    assert learned[2, 3].item() == pytest.approx(r, abs=0.03)
    assert learned[:2, 2:].mean().item() == pytest.approx(-(1 + r) / 2, abs=0.03)


def test_rows_have_norm_one_after_every_step():
    for state in run(random_coupling(4, 3, seed=1), separation, steps=30, rate=1.0):
        assert (state.matrix.norm(dim=1) - 1).abs().max() < 1e-12


def test_a_state_continues_as_if_nothing_had_happened():
    whole = run(iid(3), separation, steps=12)
    continued = list(
        learn(
            whole[4], batch=partial(batch, size=3), reward=separation, num_steps=12,
            learning_rate=0.05,
        )
    )  # fmt: skip
    assert [state.step for state in continued] == list(range(6, 13))
    assert torch.equal(continued[-1].matrix, whole[-1].matrix)
    assert continued[-1].reward == whole[-1].reward


def test_a_step_is_adams_on_the_gradient_tangent_to_the_unit_rows():
    start = random_coupling(3, 3, seed=2)
    ours = run(start, separation, steps=5)
    matrix = torch.nn.Parameter(start.matrix.clone())
    adam = torch.optim.Adam([matrix], maximize=True)
    for step in range(5):
        adam.param_groups[0]["lr"] = 0.05 * (1 - step / 5)
        base, _ = batch(step, size=3)
        adam.zero_grad()
        separation(torch.einsum("km,gmchw->gkchw", matrix.float(), base)).mean().backward()
        with torch.no_grad():
            matrix.grad -= (matrix.grad * matrix).sum(1, keepdim=True) * matrix
            adam.step()
            matrix /= matrix.norm(dim=1, keepdim=True)
        torch.testing.assert_close(ours[step].matrix, matrix.data, rtol=0, atol=1e-6)


def sampler(x: Tensor) -> Tensor:
    return torch.tanh(3 * x) + 1


def test_skip_gradient_has_the_samplers_value_and_the_decoders_gradient():
    noise = torch.randn(5, *SHAPE, requires_grad=True)
    images = skip_gradient(sampler, torch.square)(noise)
    torch.testing.assert_close(images, sampler(noise).square())
    (gradient,) = torch.autograd.grad(images.sum(), noise)
    torch.testing.assert_close(gradient, 2 * sampler(noise))


def test_full_gradient_is_the_chain_rule():
    noise = torch.randn(5, *SHAPE, requires_grad=True)
    (gradient,) = torch.autograd.grad(full_gradient(sampler, torch.square)(noise).sum(), noise)
    slope = 3 * (1 - torch.tanh(3 * noise).square())
    torch.testing.assert_close(gradient, 2 * sampler(noise) * slope)


def test_gradients_survive_a_decoder_in_half_precision():
    """A mean over many pixels has gradients that half precision holds only when scaled."""

    def decode(noise: Tensor, dtype: torch.dtype) -> Tensor:
        return noise.repeat_interleave(2**13, dim=-1).to(dtype).float()

    norms = {
        dtype: run(
            iid(3),
            separation,
            steps=1,
            batch=partial(batch, size=3, generate=partial(decode, dtype=dtype), galleries=1),
        )[0].gradient_norm
        for dtype in (torch.float32, torch.float16)
    }
    assert norms[torch.float16] == pytest.approx(norms[torch.float32], rel=0.01)


def test_on_a_subspace_only_what_lies_in_it_is_learned():
    """A reward of the other channel has no gradient; one of this channel is learned as ever."""
    within = partial(subspace, channels([0], of=2), outside=iid(3))

    def of_channel(index: int):
        return lambda images: separation(images[:, :, index])

    settings = {"within": lambda live: within(inside=live)}
    unmoved = run(iid(3), of_channel(1), steps=3, **settings)[-1]
    assert unmoved.gradient_norm == 0 and torch.equal(unmoved.matrix, iid(3).matrix)
    moved = run(iid(3), of_channel(0), steps=150, **settings)[-1]
    torch.testing.assert_close(moved.correlation, repulsive(3).correlation, rtol=0, atol=0.05)


def test_starts():
    undisturbed = near_repulsive(3, noise=0, seed=5).matrix
    torch.testing.assert_close(undisturbed, repulsive(3).matrix, rtol=0, atol=1e-12)
    first, again = (random_coupling(4, 2, seed=3).matrix for _ in range(2))
    assert torch.equal(first, again) and first.shape == (4, 2)
    assert not torch.equal(first, random_coupling(4, 2, seed=4).matrix)
    with pytest.raises(ValueError, match=r"noise = -1 .* valid is >= 0"):
        near_repulsive(3, noise=-1, seed=0)


def test_a_gradient_that_is_not_finite_stops_the_learning():
    with pytest.raises(FloatingPointError, match="step 0"):
        run(iid(2), lambda images: separation(images) / 0, steps=1)
