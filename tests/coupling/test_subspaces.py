"""Subspace couplings: standard marginals, uncorrelated parts, each part with its own law."""

import pytest
import torch

from coupling import (
    antithetic,
    channels,
    equicorrelated,
    frequency_band,
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
QUARTER = torch.tensor([[True, False, False]]).expand(4, 3)
LOW = frequency_band(0, 0.3, shape=(4, 3))
VECTORS = torch.randn(3, *SHAPE, generator=torch.Generator().manual_seed(0))

PROJECTIONS = {
    "mask": mask(REGION),
    "channels": channels([1], of=2),
    "band": LOW,
    "span": span(VECTORS),
}
THREE_BANDS = subspace(
    LOW,
    inside=repulsive(4),
    outside=subspace(
        frequency_band(0.3, 0.5, shape=(4, 3)), inside=antithetic(4), outside=identical(4)
    ),
)
NESTED = {
    "mask in mask": subspace(
        mask(REGION),
        inside=subspace(mask(QUARTER), inside=identical(4), outside=repulsive(4)),
        outside=equicorrelated(4, 0.5),
    ),
    "channels in mask": subspace(
        mask(REGION),
        inside=subspace(channels([0], of=2), inside=identical(4), outside=repulsive(4)),
        outside=antithetic(4),
    ),
    "three bands": THREE_BANDS,
    "band in mask": subspace(
        mask(REGION),
        inside=subspace(LOW, inside=repulsive(4), outside=iid(4)),
        outside=antithetic(4),
    ),
    "bands out of a mask": subspace(mask(REGION), inside=identical(4), outside=THREE_BANDS),
    "mask in band in span": subspace(
        span(VECTORS),
        inside=subspace(
            LOW,
            inside=subspace(mask(REGION), inside=repulsive(4), outside=identical(4)),
            outside=iid(4),
        ),
        outside=repulsive(4),
    ),
}
each_projection = pytest.mark.parametrize(
    "projection", PROJECTIONS.values(), ids=PROJECTIONS.keys()
)
each_nested = pytest.mark.parametrize("law", NESTED.values(), ids=NESTED.keys())


@each_projection
def test_law_is_that_of_two_independent_couplings(projection, covariance):
    """Cov(X_i, X_j) = R_in P + R_out (I - P): unit marginals, and parts that are uncorrelated."""
    inside, outside = repulsive(4), antithetic(4)
    blocks = covariance(subspace(projection, inside=inside, outside=outside), SHAPE)
    identity = torch.eye(DIMENSION, dtype=torch.float64)
    p = projection(identity.reshape(-1, *SHAPE)).reshape(DIMENSION, DIMENSION)
    for i in range(4):
        for j in range(4):
            expected = inside.correlation[i, j] * p + outside.correlation[i, j] * (identity - p)
            torch.testing.assert_close(blocks[i, j], expected, rtol=0, atol=1e-12)


@each_nested
def test_nested_subspaces_keep_standard_marginals_and_state_their_correlation(law, covariance):
    blocks = covariance(law, SHAPE)
    identity = torch.eye(DIMENSION, dtype=torch.float64)
    for i in range(4):
        torch.testing.assert_close(blocks[i, i], identity, rtol=0, atol=1e-12)
    trace = blocks.diagonal(dim1=2, dim2=3).mean(dim=2)
    torch.testing.assert_close(law.correlation, trace, rtol=0, atol=1e-12)


@each_nested
def test_the_parts_of_a_nested_subspace_are_uncorrelated(law, covariance):
    """Cov(P X_i, (I - P) X_j) = 0, also where the nested projections do not commute with P."""
    blocks = covariance(law, SHAPE)
    units = torch.eye(DIMENSION, dtype=torch.float64).reshape(-1, *SHAPE)
    p = law.projection(units).reshape(DIMENSION, DIMENSION)
    cross = p @ blocks @ (torch.eye(DIMENSION, dtype=torch.float64) - p)
    assert cross.abs().max() < 1e-12


def test_base_noises_are_shared_exactly_where_the_law_allows_it():
    assert NESTED["mask in mask"].base_size == 4
    assert NESTED["channels in mask"].base_size == 4
    assert NESTED["three bands"].base_size == 4
    assert NESTED["band in mask"].base_size == 4 + 2
    assert NESTED["bands out of a mask"].base_size == 1 + 4


@each_projection
def test_common_random_numbers_are_kept(projection):
    z = torch.randn(3, *SHAPE, dtype=torch.float64)
    both_iid = subspace(projection, inside=iid(3), outside=iid(3)).couple(z)
    torch.testing.assert_close(both_iid, z, rtol=0, atol=1e-12)
    inside = subspace(projection, inside=repulsive(3), outside=iid(3)).couple(z)
    torch.testing.assert_close(projection(inside), projection(repulsive(3).couple(z)))
    torch.testing.assert_close(projection.complement(inside), projection.complement(z))


def test_an_identical_region_is_shared_bit_for_bit_and_the_rest_sums_to_zero():
    region = torch.zeros(16, 16, dtype=torch.bool)
    region[4:12, 4:12] = True
    law = subspace(mask(region), inside=identical(4), outside=repulsive(4))
    x = law.sample((4, 16, 16), seed=0)
    assert all(torch.equal(member[:, region], x[0][:, region]) for member in x)
    assert x[..., ~region].sum(dim=0).abs().max() < 2e-6


def test_trivial_projections_leave_one_coupling():
    z = torch.randn(3, 2, 4, 4)
    for value, expected in ((True, repulsive(3)), (False, identical(3))):
        region = torch.full((4, 4), value)
        law = subspace(mask(region), inside=repulsive(3), outside=identical(3))
        assert torch.equal(law.couple(z), expected.couple(z))
        torch.testing.assert_close(law.correlation, expected.correlation)


def test_unlike_sizes_are_refused():
    with pytest.raises(ValueError) as error:
        subspace(mask(REGION), inside=iid(3), outside=iid(4))
    assert str(error.value) == "inside has K = 3 and outside K = 4; valid are equal sizes"


def test_nested_projections_of_unlike_shapes_are_refused_at_once():
    nested = subspace(mask(torch.ones(8, 8) > 0), inside=iid(3), outside=iid(3))
    with pytest.raises(ValueError, match=r"shapes \(4, 3\) and \(8, 8\) do not fit together"):
        subspace(mask(REGION), inside=nested, outside=iid(3))


def test_a_mask_of_another_shape_is_refused():
    law = subspace(mask(REGION), inside=iid(3), outside=repulsive(3))
    with pytest.raises(ValueError) as error:
        law.sample((4, 16, 16), seed=0)
    assert str(error.value) == (
        "a noise of shape (3, 4, 16, 16) does not end in (4, 3), "
        "the shape this projection is made for"
    )
