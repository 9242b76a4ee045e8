"""Laws of the matrix couplings: marginals, correlations, bounds, identities, refusals."""

import math

import pytest
import torch

import coupling

CORRELATION = [[1, 0.5, -0.2, 0], [0.5, 1, 0.1, -0.4], [-0.2, 0.1, 1, 0.3], [0, -0.4, 0.3, 1]]
NAMED = {
    "iid": coupling.iid(4),
    "identical": coupling.identical(4),
    "antithetic": coupling.antithetic(4),
    "repulsive": coupling.repulsive(4),
    "equicorrelated": coupling.equicorrelated(4, rho=0.4),
    "from_correlation": coupling.from_correlation(CORRELATION),
    "from_matrix": coupling.from_matrix([[1, 0], [0.6, 0.8], [-0.8, 0.6], [0, -1]]),
    "subspace": coupling.subspace(
        coupling.channels([0], of=4), inside=coupling.repulsive(4), outside=coupling.iid(4)
    ),
}
each_named = pytest.mark.parametrize("law", NAMED.values(), ids=NAMED.keys())


def random_matrix(size: int, base_size: int, *, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    rows = torch.randn(size, base_size, generator=generator, dtype=torch.float64)
    return rows / rows.norm(dim=1, keepdim=True)


def off_diagonal(matrix: torch.Tensor) -> torch.Tensor:
    return matrix[~torch.eye(len(matrix), dtype=torch.bool)]


@each_named
def test_marginals_are_standard_normal(law):
    x = law.sample((4, 256, 256), seed=0).double().flatten(1)
    n = x.shape[1]
    assert x.mean(dim=1).abs().max() < 5 / math.sqrt(n)
    assert (x.var(dim=1) - 1).abs().max() < 5 * math.sqrt(2 / n)
    assert (x.pow(4).mean(dim=1) - 3).abs().max() < 5 * math.sqrt(96 / n)


@each_named
def test_sampled_correlation_is_the_stated_one(law):
    x = law.sample((4, 256, 256), seed=1).double().flatten(1)
    n = x.shape[1]
    assert torch.allclose(x @ x.T / n, law.correlation, rtol=0, atol=5 * math.sqrt(2 / n))


@each_named
def test_covariance_is_exactly_the_stated_one(law, covariance):
    blocks = covariance(law, (4, 1, 2))
    trace = blocks.diagonal(dim1=2, dim2=3).mean(dim=2)
    torch.testing.assert_close(trace, law.correlation, rtol=0, atol=1e-12)
    identity = torch.eye(8, dtype=torch.float64)
    for i in range(law.size):
        torch.testing.assert_close(blocks[i, i], identity, rtol=0, atol=1e-12)


@each_named
def test_correlation_is_float64_with_unit_diagonal_and_sizes_agree(law):
    assert law.correlation.dtype == torch.float64
    assert law.correlation.shape == (law.size, law.size)
    torch.testing.assert_close(law.correlation.diagonal(), torch.ones(4).double())
    assert law.couple(torch.randn(law.base_size, 4, 2, 2)).shape == (4, 4, 2, 2)


@each_named
def test_couple_is_differentiable(law):
    base = torch.randn(law.base_size, 4, 2, 1, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(law.couple, base)


@each_named
def test_couple_takes_the_leading_base_noises_and_no_fewer(law):
    pool = torch.randn(6, 4, 2, 2)
    assert torch.equal(law.couple(pool), law.couple(pool[: law.base_size]))
    with pytest.raises(ValueError) as error:
        law.couple(pool[: law.base_size - 1])
    assert str(error.value) == (
        f"base holds {law.base_size - 1} noises; valid is >= {law.base_size}, "
        "which this coupling of K = 4 is made from"
    )


def test_weights_of_one_and_minus_one_are_exact_to_the_bit():
    z = torch.randn(4, 3, 8, 8)
    z[0, 0, 0, :2] = torch.tensor([0.0, -0.0])
    bits = z.view(torch.int32)
    assert torch.equal(coupling.iid(4).couple(z).view(torch.int32), bits)
    same = coupling.identical(3).couple(z).view(torch.int32)
    assert torch.equal(same, bits[:1].expand(3, -1, -1, -1))
    pairs = coupling.antithetic(4).couple(z).view(torch.int32)
    negated = (-z).view(torch.int32)
    assert torch.equal(pairs, torch.stack([bits[0], negated[0], bits[1], negated[1]]))


def test_coupling_in_blocks_changes_nothing():
    """More coordinates than one block, against the same sum over a few of them."""
    law = coupling.from_matrix(random_matrix(3, 3, seed=0))
    z = torch.randn(3, 300_000)
    assert torch.equal(law.couple(z)[:, -1000:], law.couple(z[:, -1000:]))


def test_repulsive_is_algorithm_1():
    z = torch.randn(5, 4, 8, 8, dtype=torch.float64)
    expected = math.sqrt(5 / 4) * (z - z.mean(dim=0))
    torch.testing.assert_close(coupling.repulsive(5).couple(z), expected, rtol=0, atol=1e-14)


@pytest.mark.parametrize("size", [2, 3, 7])
def test_repulsive_sums_to_zero_in_float32_at_a_million_coordinates(size):
    x = coupling.repulsive(size).sample((10**6,), seed=2)
    assert x.dtype == torch.float32
    assert x.double().sum(dim=0).abs().max() < 4e-6
    inner = (x[0].double() @ x[1].double()).item() / 10**6
    assert abs(inner + 1 / (size - 1)) < 5e-3
    assert (x.double().var(dim=1) - 1).abs().max() < 1e-2


def test_antithetic_is_repulsive_at_two():
    pair, two = coupling.antithetic(2), coupling.repulsive(2)
    torch.testing.assert_close(pair.correlation, two.correlation, rtol=0, atol=1e-15)
    x = two.sample((4, 32, 32), seed=0)
    assert torch.equal(x[1], -x[0])


def test_equicorrelated_meets_iid_identical_and_repulsive():
    for size in (2, 3, 5, 50):
        identity = torch.eye(size, dtype=torch.float64)
        assert torch.equal(coupling.equicorrelated(size, 0).matrix, identity)
        ones = torch.ones(size, size, dtype=torch.float64)
        torch.testing.assert_close(coupling.equicorrelated(size, 1).correlation, ones)
        lowest = coupling.equicorrelated(size, -1 / (size - 1) - 1e-12)
        assert torch.equal(lowest.matrix, coupling.repulsive(size).matrix)
        assert lowest.matrix.sum(dim=1).abs().max() < 1e-14


@pytest.mark.parametrize("rho", [-0.5, -0.25, 0, 0.3, 1])
def test_equicorrelated_is_the_symmetric_square_root(rho):
    law = coupling.equicorrelated(3, rho)
    same = coupling.from_correlation(law.correlation)
    torch.testing.assert_close(law.matrix, same.matrix, rtol=0, atol=1e-7)


@pytest.mark.parametrize("base_size", [1, 2, 4, 6])
def test_a_matrix_and_its_correlation_have_one_law(base_size):
    """Theorem 3.3: Gaussian laws with equal covariances are equal."""
    by_matrix = coupling.from_matrix(random_matrix(4, base_size, seed=base_size))
    by_correlation = coupling.from_correlation(by_matrix.correlation)
    torch.testing.assert_close(
        by_matrix.correlation, by_correlation.correlation, rtol=0, atol=1e-12
    )
    # A statistic beyond the second moment: the law of the gallery's maximum.
    maxima = [
        law.sample((200_000,), seed=seed).amax(dim=0).sort().values
        for seed, law in enumerate((by_matrix, by_correlation))
    ]
    quantiles = torch.linspace(0.05, 0.95, 19)
    first, second = (m[(quantiles * len(m)).long()] for m in maxima)
    torch.testing.assert_close(first, second, rtol=0, atol=0.02)


def test_no_coupling_beats_the_minimax_bound_and_repulsive_attains_it():
    """Proposition 3.1."""
    for size in (2, 3, 5):
        bound = -1 / (size - 1)
        for seed in range(100):
            law = coupling.from_matrix(random_matrix(size, 1 + seed % (2 * size), seed=seed))
            assert off_diagonal(law.correlation).max() >= bound - 1e-12
        attained = off_diagonal(coupling.repulsive(size).correlation)
        torch.testing.assert_close(attained, torch.full_like(attained, bound))


def test_permuting_rows_permutes_members():
    matrix = random_matrix(4, 3, seed=1)
    z = torch.randn(3, 2, 8, 8)
    order = [2, 0, 3, 1]
    permuted = coupling.from_matrix(matrix[order])
    assert torch.equal(permuted.couple(z), coupling.from_matrix(matrix).couple(z)[order])


def test_exchangeable_couplings_commute_with_permutations_of_the_base():
    z = torch.randn(4, 2, 8, 8, dtype=torch.float64)
    order = [2, 0, 3, 1]
    for law in (coupling.iid(4), coupling.repulsive(4), coupling.equicorrelated(4, 0.3)):
        torch.testing.assert_close(law.couple(z[order]), law.couple(z)[order])


def test_small_errors_of_the_input_do_not_reach_the_marginals():
    by_matrix = coupling.from_matrix([[1, 0], [0.707107, 0.707107]])
    by_correlation = coupling.from_correlation(
        [[1, -0.333334, -0.333333], [-0.333334, 1.0000005, -0.5], [-0.333333, -0.5, 1]]
    )
    for law in (by_matrix, by_correlation):
        norms = law.matrix.norm(dim=1)
        torch.testing.assert_close(norms, torch.ones_like(norms), rtol=0, atol=1e-15)


def test_a_matrix_taken_from_a_coupling_gives_the_same_coupling():
    law = coupling.from_correlation(CORRELATION)
    assert torch.equal(coupling.from_matrix(law.matrix).matrix, law.matrix)


def test_the_callers_matrix_is_copied():
    matrix = torch.eye(2, dtype=torch.float64)
    law = coupling.from_matrix(matrix)
    matrix[0, 1] = 5
    assert torch.equal(law.matrix, torch.eye(2, dtype=torch.float64))


def test_a_gallery_of_one_exists_where_nothing_needs_a_second():
    for law in (coupling.iid(1), coupling.identical(1), coupling.from_correlation([[1]])):
        assert law.correlation.tolist() == [[1]]


REFUSED = [
    (lambda: coupling.equicorrelated(3, rho=-0.9), "rho = -0.9 is outside [-0.5, 1], the valid"),
    (lambda: coupling.equicorrelated(4, rho=1.1), "rho = 1.1 is outside [-0.333333, 1], the valid"),
    (lambda: coupling.equicorrelated(3, rho=math.nan), "rho = nan is outside [-0.5, 1], the valid"),
    (lambda: coupling.equicorrelated(1, rho=0), "K = 1 is not an integer >= 2"),
    (lambda: coupling.repulsive(1), "K = 1 is not an integer >= 2"),
    (lambda: coupling.repulsive(3.0), "K = 3.0 is not an integer >= 2"),
    (lambda: coupling.repulsive("3"), "K = '3' is not an integer >= 2"),
    (lambda: coupling.antithetic(0), "K = 0 is not an integer >= 2"),
    (lambda: coupling.antithetic(5), "K = 5 is odd; antithetic noises come in pairs: valid is an"),
    (lambda: coupling.iid(0), "K = 0 is not an integer >= 1"),
    (lambda: coupling.identical(-1), "K = -1 is not an integer >= 1"),
    (lambda: coupling.from_matrix([[1, 0], [0.6, 0.7]]), "row 1 of the matrix has norm 0.9219544;"),
    (lambda: coupling.from_matrix([[math.nan, 0]]), "row 0 of the matrix has norm nan; valid is 1"),
    (
        lambda: coupling.from_matrix([1, 0]),
        "matrix has the shape (2,); valid is a matrix with K >=",
    ),
    (lambda: coupling.from_matrix([[1, 0], [1]]), "matrix is no matrix; valid is a 2-d tensor, or"),
    (lambda: coupling.from_matrix([]), "matrix has the shape (0,); valid is a matrix with K >= 1"),
    (lambda: coupling.from_correlation([[1, 0.5]]), "correlation is 1 x 2; valid is K x K"),
    (
        lambda: coupling.from_correlation([[1, 0.5], [0.4, 1]]),
        "correlation differs from its transpose by 0.1; valid is symmetric within 1e-06",
    ),
    (
        lambda: coupling.from_correlation([[1, 0.5], [0.5, 2]]),
        "correlation[1][1] = 2; valid on the diagonal is 1 within 1e-06",
    ),
    (
        lambda: coupling.from_correlation([[1, -0.9, -0.9], [-0.9, 1, -0.9], [-0.9, -0.9, 1]]),
        "correlation has the eigenvalue -0.8; valid is >= 0 within 1e-06",
    ),
    (
        lambda: coupling.from_correlation([[1, math.nan], [math.nan, 1]]),
        "correlation differs from its transpose by nan; valid is symmetric",
    ),
]


@pytest.mark.parametrize(("build", "message"), REFUSED, ids=[m for _, m in REFUSED])
def test_invalid_input_is_refused_in_one_line_with_value_and_range(build, message):
    with pytest.raises(ValueError) as error:
        build()
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)
