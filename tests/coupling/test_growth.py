"""Growing a gallery draws from the exact conditional law and touches nothing that is there."""

import math

import pytest
import torch
from scipy.stats import chi2

from coupling import (
    antithetic,
    base_noise,
    channels,
    equicorrelated,
    frequency_band,
    from_correlation,
    from_matrix,
    grow,
    identical,
    iid,
    mask,
    repulsive,
    span,
    subspace,
)

SHAPE = (2, 4, 3)
DIMENSION = 24
REGION = torch.tensor([[True, True, False]]).expand(4, 3)
LOW = frequency_band(0, 0.3, shape=(4, 3))
CORRELATION = [[1, 0.5, -0.2, 0], [0.5, 1, 0.1, -0.4], [-0.2, 0.1, 1, 0.3], [0, -0.4, 0.3, 1]]
LAWS = {
    "iid": iid(4),
    "identical": identical(4),
    "antithetic": antithetic(4),
    "repulsive": repulsive(4),
    "equicorrelated": equicorrelated(4, rho=-0.2),
    "from_correlation": from_correlation(CORRELATION),
    "singular": from_matrix([[1, 0], [0.6, 0.8], [-0.8, 0.6], [0, -1]]),
    "channels": subspace(channels([0], of=2), inside=repulsive(4), outside=identical(4)),
    "band": subspace(LOW, inside=from_correlation(CORRELATION), outside=iid(4)),
    "span": subspace(
        span(torch.randn(3, *SHAPE, generator=torch.Generator().manual_seed(0))),
        inside=equicorrelated(4, rho=0.3),
        outside=antithetic(4),
    ),
    "channels in mask": subspace(
        mask(REGION),
        inside=subspace(channels([0], of=2), inside=repulsive(4), outside=iid(4)),
        outside=antithetic(4),
    ),
}
each_law = pytest.mark.parametrize("law", LAWS.values(), ids=LAWS.keys())
each_size = pytest.mark.parametrize("size", [1, 2, 3])


def growth_map(law, size, monkeypatch) -> torch.Tensor:
    """(4 D, 4 D): what growth makes of the `size` noises and the 4 - `size` new base noises."""
    columns = []
    for unit in torch.eye(4 * DIMENSION, dtype=torch.float64):
        noises, new = unit.reshape(4, *SHAPE).split([size, 4 - size])
        fresh = iter(new)
        monkeypatch.setattr("coupling.growth.base_noise", lambda *_, **__: next(fresh)[None])  # noqa: B023
        columns.append(grow(law, noises, 4, seed=0).flatten())
    return torch.stack(columns, dim=1)


@each_law
@each_size
def test_the_law_is_that_of_numerical_conditioning(law, size, covariance, monkeypatch):
    """X_new = C21 C11^+ X_old + noise of covariance C22 - C21 C11^+ C12, with C the whole law's."""
    full = covariance(law, SHAPE).permute(0, 2, 1, 3).reshape(4 * DIMENSION, 4 * DIMENSION)
    known = size * DIMENSION
    c11, c21, c22 = full[:known, :known], full[known:, :known], full[known:, known:]
    linear = growth_map(law, size, monkeypatch)
    old, new = linear[known:, :known], linear[known:, known:]
    # A singular C11 leaves the map free where no noise can be: C11 on both sides.
    torch.testing.assert_close(old @ c11, c21, rtol=0, atol=1e-9)
    conditional = c22 - c21 @ torch.linalg.pinv(c11, rtol=1e-9) @ c21.T
    torch.testing.assert_close(new @ new.T, conditional, rtol=0, atol=1e-9)


@each_law
def test_growing_in_steps_gives_the_same_noises_and_touches_none(law):
    two = law.sample((2, 4, 3), seed=3, job="x")[:2]
    at_once = grow(law, two, 4, seed=5, job="x")
    three = grow(law, two, 3, seed=5, job="x")
    assert torch.equal(grow(law, three, 4, seed=5, job="x"), at_once)
    assert torch.equal(at_once[:2].view(torch.int32), two.view(torch.int32))
    assert torch.equal(grow(law, two, 2, seed=5), two)


@pytest.mark.parametrize("name", ["equicorrelated", "from_correlation", "singular", "channels"])
def test_new_members_are_independent_of_whatever_made_the_old_ones(name):
    """The first noises of the whole law hold its last base noises, too; same seed and job."""
    law = LAWS[name]
    grown = grow(law, law.sample((2, 256, 256), seed=1)[:2], 4, seed=1).double().flatten(1)
    n = grown.shape[1]
    tolerance = 5 * math.sqrt(2 / n)
    torch.testing.assert_close(grown @ grown.T / n, law.correlation, rtol=0, atol=tolerance)
    assert (grown.pow(4).mean(dim=1) - 3).abs().max() < 5 * math.sqrt(96 / n)


def test_a_gallery_from_another_law_with_the_same_first_members_grows():
    """The larger law need not have drawn it."""
    three = equicorrelated(3, rho=-0.25).sample((256, 256), seed=0, job="x")
    five = grow(repulsive(5), three, 5, seed=0, job="x")
    assert torch.equal(five[:3], three)
    assert five.sum(dim=0).abs().max() < 1e-5


def test_weights_of_one_and_minus_one_are_exact_to_the_bit():
    x = identical(3).sample(SHAPE, seed=0)
    assert torch.equal(
        grow(identical(5), x, 5, seed=0)[4].view(torch.int32), x[0].view(torch.int32)
    )
    pairs = grow(antithetic(6), antithetic(2).sample(SHAPE, seed=0), 6, seed=0)
    assert torch.equal(pairs[3], -pairs[2]) and torch.equal(pairs[5], -pairs[4])
    new = grow(iid(3), iid(2).sample(SHAPE, seed=0), 3, seed=7, job="x")[2]
    assert torch.equal(new, base_noise(SHAPE, seed=7, job="x", members=[2**32 + 2])[0])


def test_new_members_have_the_dtype_of_the_old_ones():
    half = iid(2).sample(SHAPE, seed=0).half()
    grown = grow(equicorrelated(3, rho=0), half, 3, seed=0)
    assert grown.dtype == torch.float16 and torch.equal(grown[:2], half)


@pytest.mark.parametrize("dimension", [1, 3, 6, 48, 1024, 16384])
def test_noises_are_refused_only_where_the_law_does_not_draw_them(dimension):
    """The squared norm is a chi-square: quantiles of 1e-13 pass, and 1e-120 does not."""
    law = chi2(dimension)
    for square in (law.ppf(1e-13), law.isf(1e-13)):
        noise = torch.full((1, dimension), math.sqrt(square / dimension))
        assert torch.equal(grow(iid(2), noise, 1, seed=0), noise)
    with pytest.raises(ValueError, match="noises 0 and 0 have the inner product"):
        grow(iid(2), torch.full((1, dimension), math.sqrt(law.isf(1e-120) / dimension)), 1, seed=0)


def sampled(law, shape=(4, 64, 64)):
    return law.sample(shape, seed=0)


REFUSED = [
    (
        lambda: grow(repulsive(3), sampled(repulsive(3)), 4, seed=0),
        "the coupling has K = 3 noises and none beyond; valid is K >= 4, which no law with "
        "rho = -0.5 has: rho >= -0.333333 has room",
    ),
    (
        lambda: grow(equicorrelated(3, rho=-0.2), sampled(iid(3)), 4, seed=0),
        "the coupling has K = 3 noises and none beyond; valid is K >= 4",
    ),
    (
        lambda: grow(repulsive(4), sampled(repulsive(3)), 4, seed=0),
        "noises 0 and 1 have the inner product -0.",
    ),
    (
        lambda: grow(iid(4), 2 * sampled(iid(3)), 4, seed=0),
        "noises 0 and 0 have the inner product ",
    ),
    (
        lambda: grow(iid(4), sampled(iid(3)), 2, seed=0),
        "the gallery's new size = 2 is not an integer >= 3",
    ),
    (
        lambda: grow(
            subspace(
                mask(REGION),
                inside=subspace(LOW, inside=repulsive(3), outside=iid(3)),
                outside=iid(3),
            ),
            sampled(iid(2), shape=SHAPE),
            3,
            seed=0,
        ),
        "this coupling nests projections that do not commute",
    ),
]


@pytest.mark.parametrize(("build", "message"), REFUSED, ids=[m for _, m in REFUSED])
def test_what_cannot_grow_is_refused_in_one_line(build, message):
    with pytest.raises(ValueError) as error:
        build()
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)
