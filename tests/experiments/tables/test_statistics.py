"""Paired tests against direct formulas, Holm against a worked example, and the edge cases."""

import itertools
import math

import numpy as np
import pytest
from scipy import integrate

from experiments.tables.statistics import equivalence, holm, paired


@pytest.fixture
def samples() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    b = rng.normal(2.0, 1.0, 12)
    return b + rng.normal(0.3, 0.5, 12), b


def student_tail(t: float, df: int) -> float:
    """P(T > t) by integrating the density of Student's t."""
    norm = math.gamma((df + 1) / 2) / (math.sqrt(df * math.pi) * math.gamma(df / 2))
    return integrate.quad(lambda x: norm * (1 + x * x / df) ** (-(df + 1) / 2), t, math.inf)[0]


def test_paired_t_by_its_formula(samples):
    a, b = samples
    d = [x - y for x, y in zip(a, b, strict=True)]
    n, mean = len(d), sum(d) / len(d)
    s = math.sqrt(sum((x - mean) ** 2 for x in d) / (n - 1))
    test = paired(a, b)
    assert test.n == n
    assert test.difference == pytest.approx(mean)
    assert test.dz == pytest.approx(mean / s)
    assert test.t_p == pytest.approx(2 * student_tail(abs(mean) / s * math.sqrt(n), n - 1))
    half = (test.ci_high - test.ci_low) / 2
    assert (test.ci_low + test.ci_high) / 2 == pytest.approx(mean)
    assert student_tail(half / s * math.sqrt(n), n - 1) == pytest.approx(0.025)


def test_wilcoxon_by_enumerating_all_signs(samples):
    a, b = samples
    d = a - b
    ranks = np.abs(d).argsort().argsort() + 1
    signs = np.array(list(itertools.product([0, 1], repeat=len(d))))
    null = signs @ ranks
    observed = ranks[d > 0].sum()
    p = 2 * min((null >= observed).mean(), (null <= observed).mean())
    assert paired(a, b).wilcoxon_p == pytest.approx(min(1, p))


def test_swapping_the_samples_swaps_the_sign_alone(samples):
    a, b = samples
    forth, back = paired(a, b), paired(b, a)
    assert (back.difference, back.dz) == pytest.approx((-forth.difference, -forth.dz))
    assert (back.ci_low, back.ci_high) == pytest.approx((-forth.ci_high, -forth.ci_low))
    assert (back.t_p, back.wilcoxon_p) == pytest.approx((forth.t_p, forth.wilcoxon_p))


@pytest.mark.parametrize("rounding", [0.0, 1e-16])
def test_a_method_against_itself_differs_in_nothing(samples, rounding):
    _, b = samples
    test = paired(b * (1 + rounding), b)
    assert (test.difference, test.dz, test.t_p, test.wilcoxon_p) == (0, 0, 1, 1)


def test_a_constant_shift_has_the_signed_rank_p_and_no_effect_size():
    b = np.arange(8.0)
    test = paired(b + 0.5, b)
    assert test.dz is None
    assert test.t_p == test.wilcoxon_p < 0.05
    assert test.difference == test.ci_low == test.ci_high == 0.5


def test_one_difference_among_zeros_is_no_evidence():
    b = np.ones(30)
    test = paired(np.where(np.arange(30) == 4, 2.0, b), b)
    assert test.wilcoxon_p > 0.3
    assert test.t_p > 0.3


def test_holm_by_hand():
    # sorted .005 .01 .03 .04 times 4 3 2 1 = .02 .03 .06 .04, then the running maximum
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx((0.03, 0.06, 0.06, 0.02))
    assert holm([0.4, 0.9]) == pytest.approx((0.8, 0.9))
    assert holm([]) == ()


def test_equivalence_agrees_with_its_90_percent_interval(samples):
    a, b = samples
    low, high = equivalence(a, b, margin=1).ci_low, equivalence(a, b, margin=1).ci_high
    edge = max(abs(low), abs(high))
    assert equivalence(a, b, margin=edge).p == pytest.approx(0.05)
    assert equivalence(a, b, margin=1.01 * edge).p < 0.05 < equivalence(a, b, margin=0.99 * edge).p


def test_equivalence_of_a_method_with_itself(samples):
    _, b = samples
    assert equivalence(b, b, margin=1e-6).p == 0
    with pytest.raises(ValueError, match="positive"):
        equivalence(b, b, margin=0)


@pytest.mark.parametrize(
    ("a", "b"), [([1.0], [2.0]), ([1.0, 2.0], [1.0]), ([1.0, math.nan], [1.0, 2.0])]
)
def test_samples_that_cannot_be_paired_are_refused(a, b):
    with pytest.raises(ValueError):
        paired(a, b)
