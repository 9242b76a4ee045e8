"""The contrastive loss against a direct formula, and the descent that it drives."""

import math

import pytest
import torch
from torch.nn.functional import adaptive_avg_pool2d

from coupling import iid, repulsive
from coupling.optimizers.base import descend
from coupling.optimizers.contrastive import (
    Contrastive,
    ReleasedContrastive,
    balanced_gamma,
    contrastive_loss,
)


def direct(clean, reference, *, temperature, gamma, window, epsilon=0.0):
    """The loss by loops over images i, j and places p, as the paper writes it."""
    x, r = (adaptive_avg_pool2d(t, (window, window)) for t in (clean, reference))
    size, places = len(x), [(row, column) for row in range(window) for column in range(window)]

    def cosine(a, b):
        return (a * b).sum() / (a.square().sum().sqrt() * b.square().sum().sqrt())

    total = 0.0
    for i in range(size):
        for row, column in places:
            here = x[i, :, row, column]
            positive = torch.exp(cosine(r[i, :, row, column], here) / (gamma * temperature))
            negatives = sum(
                torch.exp(cosine(here, x[j, :, row, column]) / temperature)
                for j in range(size)
                if j != i
            )
            total = total - torch.log(positive / (positive + negatives + epsilon))
    return total / (size * len(places))


def estimates(size, height, width, *, seed=0):
    generator = torch.Generator().manual_seed(seed)
    shape = (2, size, 4, height, width)
    clean, reference = torch.randn(shape, generator=generator, dtype=torch.float64)
    return clean.requires_grad_(True), reference


@pytest.mark.parametrize("size", [2, 3, 4, 5])
@pytest.mark.parametrize(
    ("height", "width", "window"), [(6, 9, 1), (6, 9, 4), (16, 20, 16), (32, 33, 32)]
)
def test_loss_and_gradient_are_those_of_the_direct_formula(size, height, width, window):
    if window == 32 and size > 2:
        pytest.skip("the loops over 1,024 places take long; smaller windows say it")
    clean, reference = estimates(size, height, width)
    settings = {"temperature": 0.1, "gamma": balanced_gamma(0.1, size), "window": window}
    ours = contrastive_loss(clean, reference, **settings)
    theirs = direct(clean, reference, **settings)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-6)
    (our_gradient,) = torch.autograd.grad(ours, clean)
    (their_gradient,) = torch.autograd.grad(theirs, clean)
    torch.testing.assert_close(our_gradient, their_gradient, rtol=0, atol=1e-6)


def test_epsilon_is_added_to_the_denominator():
    clean, reference = estimates(3, 4, 4)
    settings = {"temperature": 0.5, "gamma": 1.0, "window": 4, "epsilon": 0.3}
    ours, theirs = (f(clean, reference, **settings) for f in (contrastive_loss, direct))
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-9)


def test_leading_dimensions_are_galleries_of_their_own():
    clean, reference = (torch.randn(2, 3, 4, 8, 8, dtype=torch.float64) for _ in range(2))
    settings = {"temperature": 0.1, "gamma": 0.9, "window": 8}
    apart = [contrastive_loss(c, r, **settings) for c, r in zip(clean, reference, strict=True)]
    torch.testing.assert_close(contrastive_loss(clean, reference, **settings), torch.stack(apart))


@pytest.mark.parametrize("window", [0, 7])
def test_a_window_that_does_not_fit_says_so(window):
    clean = torch.randn(2, 4, 6, 9)
    with pytest.raises(ValueError, match=rf"window = {window} must be from 1 .* 6 x 9"):
        contrastive_loss(clean, clean, temperature=0.1, gamma=1.0, window=window)


def test_one_image_contrasts_with_nothing():
    clean = torch.randn(1, 4, 6, 6)
    with pytest.raises(ValueError, match="use at least 2"):
        contrastive_loss(clean, clean, temperature=0.1, gamma=1.0, window=4)
    with pytest.raises(ValueError, match="use at least 2"):
        balanced_gamma(0.1, 1)


@pytest.mark.parametrize("size", [2, 3, 5])
def test_the_balanced_gamma_balances(size):
    """At equal cosines of 1 the attraction weighs as much as all repulsions together."""
    gamma = balanced_gamma(0.1, size)
    assert math.exp(1 / (gamma * 0.1)) == pytest.approx((size - 1) * math.exp(1 / 0.1), rel=1e-9)


class Linear:
    """A first step whose output mixes rows of a gallery by nothing, and counts its calls."""

    def __init__(self):
        self.calls = []

    def output(self, noise, *, checkpointed=False):
        self.calls.append((noise.requires_grad and torch.is_grad_enabled(), checkpointed))
        return 0.3 * noise.flip(-1).tanh()

    def clean(self, noise, output):
        return noise - output


PAPER = Contrastive(
    num_steps=3, learning_rate=0.01, temperature=0.1, gamma=None, window=4,
    through_network=False, checkpointed=False, shifted=False, epsilon=0.0,
)  # fmt: skip
RELEASE = ReleasedContrastive(
    num_steps=3, learning_rate=0.01, temperature=0.1, gamma=1.0, window=4,
    through_network=True, checkpointed=True, shifted=True, epsilon=1e-8,
)  # fmt: skip


def base(galleries, size):
    generator = torch.Generator().manual_seed(0)
    return torch.randn(galleries, size, 4, 8, 8, generator=generator)


@pytest.mark.parametrize(
    ("optimizer", "calls"),
    [(PAPER, [(False, False)] * 3), (RELEASE, [(False, False), *[(True, True)] * 3])],
)
def test_a_step_is_one_network_call_and_the_loss_falls(optimizer, calls):
    """The release's reference is a call before them, without a gradient."""
    first = Linear()
    states = list(optimizer.optimize(base(2, 3), repulsive(3), first))
    assert first.calls == calls
    losses = torch.stack([state.loss for state in states])
    assert (losses.diff(dim=0) < 0).all()


def test_the_paper_stops_the_gradient_at_the_network():
    """One step moves the noise along the gradient through Tweedie's explicit noise alone."""
    noise, first = base(1, 3), Linear()
    state = next(PAPER.refine(noise, first))
    z = noise.clone().requires_grad_(True)
    clean = first.clean(z, first.output(z).detach())
    gamma = balanced_gamma(0.1, 3)
    loss = contrastive_loss(clean, clean.detach(), temperature=0.1, gamma=gamma, window=4)
    (gradient,) = torch.autograd.grad(loss.sum(), z)
    expected = noise - 0.01 * gradient / (gradient.abs() + 1e-8)  # Adam's first step
    torch.testing.assert_close(state.noise, expected)


def test_galleries_of_a_batch_do_not_see_each_other():
    together = base(4, 3)
    whole = list(PAPER.optimize(together, iid(3), Linear()))[-1].noise
    others = together.clone()
    others[1:] = 2 * others[1:]
    changed = list(PAPER.optimize(others, iid(3), Linear()))[-1].noise
    assert torch.equal(whole[0], changed[0])
    alone = list(PAPER.optimize(together[:1], iid(3), Linear()))[-1].noise
    torch.testing.assert_close(whole[:1], alone, rtol=0, atol=1e-5)


def test_descend_is_adam():
    target = torch.tensor([[1.0, -2.0]])
    states = list(
        descend(torch.zeros(1, 2), lambda z: (z - target).square().sum(1), num_steps=200,
                learning_rate=0.1)
    )  # fmt: skip
    torch.testing.assert_close(states[0].noise, 0.1 * target.sign())
    torch.testing.assert_close(states[-1].noise, target, atol=1e-2, rtol=0)
    assert states[0].loss.tolist() == [5.0]
