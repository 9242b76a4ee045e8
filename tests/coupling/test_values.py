"""Couplings are values: equal laws of the same base noises are equal, and say what they are."""

import pytest
import torch

import coupling
from coupling import channels, frequency_band, mask, span

LEFT = torch.arange(8).expand(8, 8) < 4


def background(region=LEFT, size=3):
    inside, outside = coupling.identical(size), coupling.repulsive(size)
    return coupling.subspace(mask(region), inside=inside, outside=outside)


def test_equal_laws_are_equal_and_have_one_hash():
    alike = [
        (coupling.repulsive(4), coupling.equicorrelated(4, rho=-1 / 3)),
        (coupling.iid(3), coupling.from_matrix(torch.eye(3))),
        (coupling.identical(1), coupling.iid(1)),
        (background(), background(LEFT.clone())),
    ]
    for one, other in alike:
        assert one == other and hash(one) == hash(other)
    laws = [coupling.iid(2), coupling.antithetic(2), coupling.identical(2), coupling.iid(3)]
    laws += [background(), background(~LEFT), background(size=4)]
    assert len(set(laws)) == len(laws)


@pytest.mark.parametrize(
    ("law", "told"),
    [
        (coupling.iid(4), "iid(K=4, rho=0)"),
        (coupling.identical(1), "identical(K=1)"),
        (coupling.antithetic(4), "antithetic(K=4)"),
        (coupling.equicorrelated(3, rho=0.25), "equicorrelated(K=3, rho=0.25)"),
        (coupling.from_correlation([[1, 0.5], [0.5, 1]]), "from_correlation(K=2, rho=0.5)"),
        (
            coupling.subspace(
                channels([2, 0], of=4).complement,
                inside=coupling.iid(2),
                outside=coupling.repulsive(2),
            ),
            "SubspaceCoupling(projection=channels([0, 2], of=4).complement, "
            "inside=iid(K=2, rho=0), outside=repulsive(K=2, rho=-1))",
        ),
    ],
)
def test_it_says_its_name_size_and_correlation(law, told):
    assert repr(law) == told


def test_projections_are_equal_where_they_are_made_of_the_same():
    made = [
        lambda: mask(LEFT),
        lambda: mask(~LEFT),
        lambda: mask(LEFT).complement,
        lambda: channels([0], of=4),
        lambda: frequency_band(0, 0.1, shape=(8, 8)),
        lambda: frequency_band(0, 0.1 + 1e-9, shape=(8, 8)),
        lambda: span(torch.ones(1, 8, 8)),
        lambda: span(torch.eye(8)[:1].reshape(1, 8, 1).expand(1, 8, 8)),
    ]
    assert len({make() for make in made}) == len({repr(make()) for make in made}) == len(made)
    for make in made:
        assert make() == make()
