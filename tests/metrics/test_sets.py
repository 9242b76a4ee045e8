"""Set scores against other people's implementations and closed forms, on fixed arrays."""

from itertools import combinations

import numpy as np
import pytest
import torch
from prdc import compute_prdc
from torch_fidelity.metric_fid import fid_statistics_to_metric
from torch_fidelity.metric_kid import kernel_mmd
from vendi_score import vendi as their_vendi

from metrics import diversity, sets

K = 3


@pytest.fixture(scope="module")
def real() -> torch.Tensor:
    return torch.randn(80, 6, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def fake() -> torch.Tensor:
    return torch.randn(60, 6, generator=torch.Generator().manual_seed(1)) * 0.7 + 0.3


def test_frechet_is_torch_fidelitys(real, fake):
    statistics = [
        {"mu": x.double().mean(0).numpy(), "sigma": np.cov(x.double().numpy(), rowvar=False)}
        for x in (real, fake)
    ]
    theirs = fid_statistics_to_metric(*statistics, verbose=False)
    ours = sets.frechet(sets.Gaussian.of(real), sets.Gaussian.of(fake))
    assert ours == pytest.approx(next(iter(theirs.values())), rel=1e-9)


def test_frechet_of_a_set_with_itself_is_zero_though_its_covariance_is_singular(real):
    few = sets.Gaussian.of(real[:4])
    assert sets.frechet(few, few) == pytest.approx(0, abs=1e-7)
    assert sets.frechet(few, sets.Gaussian(few.mean + 2, few.deviations)) == pytest.approx(6 * 4)


def test_kernel_distance_is_torch_fidelitys(real, fake):
    x = real[: len(fake)]
    settings = {"kid_kernel_poly_degree": 3, "kid_kernel_poly_gamma": None}
    theirs = kernel_mmd(
        fake.double().numpy(), x.double().numpy(), **settings, kid_kernel_poly_coef0=1
    )
    assert sets.kernel_distance(fake, x, sets.alike(x)) == pytest.approx(theirs, rel=1e-9)


def test_kernel_distance_is_unbiased(real):
    """Its mean over all ways to split a set in two, of unlike sizes, is zero."""
    x = real[:6]
    found = [
        sets.kernel_distance(x[list(part)], rest, sets.alike(rest))
        for part in combinations(range(6), 2)
        for rest in [x[[i for i in range(6) if i not in part]]]
    ]
    assert np.mean(found) == pytest.approx(0, abs=1e-9)


def test_precision_recall_density_coverage_are_prdcs(real, fake):
    theirs = compute_prdc(real.double().numpy(), fake.double().numpy(), nearest_k=K)
    radii = sets.radii(real, K)
    ours = {
        "precision": sets.precision(fake, real, radii),
        "recall": sets.recall(fake, real, k=K),
        "density": sets.density(fake, real, radii, k=K),
        "coverage": sets.coverage(fake, real, radii),
    }
    assert ours == pytest.approx(theirs, abs=1e-12)
    assert 0 < ours["recall"] < 1 and 0 < ours["coverage"] < 1


@pytest.mark.parametrize("count", [5, 60])
def test_vendi_of_a_set_is_vendi_scores(fake, count):
    x = torch.nn.functional.normalize(fake[:count].double(), dim=-1).numpy()
    assert float(diversity.vendi(fake[:count])) == pytest.approx(
        their_vendi.score_dual(x, normalize=False)
    )


def test_within_share_is_its_definition():
    x = torch.randn(4, 2, 3, 5, generator=torch.Generator().manual_seed(2)).double()
    unit = torch.nn.functional.normalize(x, dim=-1).flatten(0, 2)
    far = 1 - unit @ unit.T
    prompt, gallery = torch.arange(24) // 6, torch.arange(24) // 3
    same = (gallery[:, None] == gallery) & ~torch.eye(24, dtype=torch.bool)
    expected = far[same].mean() / far[prompt[:, None] != prompt].mean()
    assert sets.within_share(x) == pytest.approx(float(expected))


def test_halves_give_a_mean_its_textbook_error():
    """Over all halves exactly: s / sqrt(n), for an even and an odd number of prompts."""
    for n in (6, 7):
        x = np.random.default_rng(n).normal(size=n)
        means = [x[list(part)].mean() for part in combinations(range(n), n // 2)]
        assert sets.spread(means, n) == pytest.approx(x.std(ddof=1) / np.sqrt(n), rel=1e-12)


def test_halves_of_the_same_number_are_the_same_and_have_no_prompt_twice():
    first, again = sets.halves(9, count=5), sets.halves(9, count=5)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert all(len(set(part.tolist())) == len(part) == 4 for part in first)
    assert len({tuple(part.tolist()) for part in first}) == 5


def test_an_interval_by_random_halves_is_the_t_interval_of_a_mean():
    x = np.random.default_rng(0).normal(size=40)
    means = [x[part.numpy()].mean() for part in sets.halves(40, count=4000)]
    assert sets.spread(means, 40) == pytest.approx(x.std(ddof=1) / np.sqrt(40), rel=0.03)


def test_the_variance_of_the_mean_is_that_of_an_image_over_k_where_images_are_independent():
    x = torch.randn(50, 40, 5, 6, generator=torch.Generator().manual_seed(0)) * 2
    assert sets.mean_variance(x) == pytest.approx(4 / 5, rel=0.02)
    assert sets.mean_variance(x - x.mean(2, keepdim=True)) == pytest.approx(0, abs=1e-9)
    assert sets.mean_variance(x + torch.randn(50, 1, 1, 6)) == pytest.approx(4 / 5, rel=0.02)
    two = torch.tensor([[[[1.0]], [[4.0]]]])
    assert sets.mean_variance(two) == 4.5 and np.isnan(sets.mean_variance(two[:, :1]))
