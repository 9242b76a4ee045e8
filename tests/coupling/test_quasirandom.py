"""Quasirandom galleries: exact marginals, one member a stratum, and what they leave alone."""

import math
from itertools import product

import pytest
import torch

import coupling
from coupling.nets import scrambled

SHAPE = (4, 8, 8)
K, F = 8, 4
LAW = coupling.quasirandom(K, shape=SHAPE[1:], frequencies=F)


@pytest.fixture(scope="module")
def galleries() -> tuple[torch.Tensor, torch.Tensor]:
    """(N, K, d) coefficients, and (N, K, D) noises, of many galleries."""
    base = torch.randn(4000, K + 1, *SHAPE, generator=torch.Generator().manual_seed(0))
    noises = torch.stack([LAW.couple(gallery) for gallery in base])
    coefficients = torch.einsum("nkchw,fhw->nkcf", noises.double(), LAW.basis)
    return coefficients.flatten(2), noises.double().flatten(2)


def test_the_basis_is_orthonormal_and_the_lowest_of_the_dct():
    flat = LAW.basis.flatten(1)
    torch.testing.assert_close(flat @ flat.T, torch.eye(F).double(), rtol=0, atol=1e-12)
    assert torch.allclose(LAW.basis[0], torch.full(SHAPE[1:], 1 / 8).double())
    changes = [(wave.diff(dim=0).abs().max() > 1e-9, wave.diff(dim=1).abs().max() > 1e-9)
               for wave in LAW.basis]  # fmt: skip
    assert changes == [(False, False), (False, True), (True, False), (True, True)]


def test_scrambling_gives_every_stratum_to_every_point_equally_often():
    """Over all flips of K = 4, in each of eight coordinates; each is an order of the strata."""
    choices = torch.tensor(list(product((0, 1), repeat=3)))
    strata = torch.stack([scrambled(flips[:, None].expand(3, 8)) for flips in choices])
    assert torch.equal(strata.sort(1).values, torch.arange(4)[:, None].expand(8, 4, 8))
    assert torch.equal(strata.sort(0).values, torch.arange(8)[:, None, None].expand(8, 4, 8) // 2)


def test_each_coordinate_of_a_gallery_has_one_member_in_each_stratum(galleries):
    strata = (torch.special.ndtr(galleries[0]) * K).long()
    assert torch.equal(strata.sort(1).values, torch.arange(K)[:, None].expand(4000, K, F * 4))


def test_marginals_are_standard_normal(galleries):
    """Each coefficient by its distribution, all of a member by their second and fourth moments."""
    coefficients, noises = galleries
    n = len(coefficients)
    ordered = torch.special.ndtr(coefficients).sort(0).values
    steps = (torch.arange(n) + 0.5) / n
    assert (ordered - steps[:, None, None]).abs().max() < 2.4 / math.sqrt(n)  # Kolmogorov
    for member in (0, K - 1):
        x = noises[:, member]
        covariance = x.T @ x / n
        assert (covariance - torch.eye(x.shape[1])).abs().max() < 6 * math.sqrt(2 / n)
        assert (x.pow(4).mean(0) - 3).abs().max() < 6 * math.sqrt(96 / n)


def test_members_are_correlated_as_is_stated_and_alike(galleries):
    coefficients, noises = galleries
    low = torch.einsum("nid,njd->ij", coefficients, coefficients) / coefficients[:, 0].numel()
    torch.testing.assert_close(low, LAW.evenly, rtol=0, atol=5 / math.sqrt(4000 * F * 4))
    all_of_it = torch.einsum("nid,njd->ij", noises, noises) / noises[:, 0].numel()
    torch.testing.assert_close(all_of_it, LAW.correlation, rtol=0, atol=5e-3)
    stated = torch.stack([coupling.projection.product_fraction(path) * r for path, r in LAW.parts])
    torch.testing.assert_close(stated.sum(0), LAW.correlation)
    pair = coupling.quasirandom(2, shape=(8, 8), frequencies=4).evenly[0, 1]
    assert pair == pytest.approx(-2 / math.pi)  # two halves: minus the square of E|x|


def test_the_high_frequencies_are_the_base_noises_own():
    base = torch.randn(K + 1, *SHAPE)
    high = coupling.span(LAW.basis).complement
    torch.testing.assert_close(high(LAW.couple(base)), high(base[:K]), rtol=0, atol=1e-5)
    x = LAW.sample(SHAPE, seed=7, job="a")
    assert torch.equal(x, LAW.sample(SHAPE, seed=7, job="a")) and x.dtype == torch.float32
    assert not torch.equal(x, LAW.sample(SHAPE, seed=7, job="b"))


def test_it_is_refused_where_its_law_does_not_hold():
    for size, line in ((6, "no power of 2"), (1, "K = 1")):
        with pytest.raises(ValueError, match=line):
            coupling.quasirandom(size, shape=(8, 8), frequencies=4)
    with pytest.raises(ValueError, match="has not as many"):
        coupling.quasirandom(4, shape=(2, 2), frequencies=5)
    with pytest.raises(ValueError, match="does not end in"):
        LAW.sample((4, 16, 16), seed=0)
    with pytest.raises(ValueError, match="too small"):
        coupling.quasirandom(32, shape=(2, 2), frequencies=1).sample((1, 2, 2), seed=0)
    inside = coupling.subspace(coupling.channels([0], of=4), inside=LAW, outside=coupling.iid(K))
    for law in (LAW, inside):
        with pytest.raises(ValueError, match="not jointly Gaussian"):
            coupling.grow(law, law.sample(SHAPE, seed=7)[:4], K, seed=7)
