"""Tests on paired scores: the same prompts and base noises under two methods.

With differences d_i = a_i - b_i, mean m and sample standard deviation s over n pairs:

    interval   m +- t_{0.975, n-1} s / sqrt(n)          (paired t, two-sided, 95 %)
    effect     d_z = m / s                              (Cohen, for paired samples)
    Wilcoxon   signed ranks of d_i, zero differences dropped; exact up to 50 pairs without ties
    Holm       adjusted p_(k) = max_{j <= k} min(1, (N - j + 1) p_(j)), p sorted (Holm, 1979)
    TOST       p = max of the one-sided tests m > -margin and m < margin (Schuirmann, 1987)

Several seeds are a second level below the prompt: d_js = m + u_j + e_js for prompt j and seed s.
They are nested, not crossed, as the noise is drawn anew for each (seed, prompt): seed 1 has nothing
in common between two prompts, so no variance of its own. What is tested are the means d_j over a
prompt's seeds, n of them: galleries of one prompt are not independent. Where every prompt has every
seed, and others are left out, the paired t-test of d_j is the mixed model with a random prompt: the
same estimate and standard error, with n - 1 degrees of freedom. A bootstrap over prompts would only
approximate it.

A deviation from the textbook, where the textbook has none to give: differences without any spread
leave t undefined. If all are zero, p = 1; if all equal one other value, the signed-rank p stands
in for the t-test's.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats


@dataclass(frozen=True)
class PairedTest:
    """Difference a - b over n pairs with its 95 % interval and two-sided p-values, uncorrected."""

    n: int
    difference: float
    ci_low: float
    ci_high: float
    t_p: float
    wilcoxon_p: float
    dz: float | None  # None: a constant non-zero difference, which no spread can scale


@dataclass(frozen=True)
class EquivalenceTest:
    """Two one-sided t-tests: p is small where |mean(a - b)| is below the margin."""

    n: int
    difference: float
    ci_low: float  # 90 % interval: inside (-margin, margin) exactly where p < 0.05
    ci_high: float
    margin: float
    p: float


def paired(a: Sequence[float], b: Sequence[float]) -> PairedTest:
    """Test whether paired samples a and b have the same mean.

    Raises ValueError for fewer than two pairs, unequal lengths or values that are not finite.
    """
    d, spread, half = _differences(a, b, confidence=0.95)
    n, mean = len(d), float(d.mean())
    if spread:
        t_p = float(stats.ttest_1samp(d, 0.0).pvalue)
        wilcoxon_p = float(stats.wilcoxon(d).pvalue)
        return PairedTest(n, mean, mean - half, mean + half, t_p, wilcoxon_p, mean / spread)
    if not d.any():
        return PairedTest(n, 0.0, 0.0, 0.0, t_p=1.0, wilcoxon_p=1.0, dz=0.0)
    p = float(stats.wilcoxon(np.full(n, mean)).pvalue)
    return PairedTest(n, mean, mean, mean, t_p=p, wilcoxon_p=p, dz=None)


def interval(test: PairedTest, confidence: float) -> tuple[float, float]:
    """The interval of its difference at another confidence than 95 %."""
    quantiles = stats.t.ppf((1 + np.array([confidence, 0.95])) / 2, test.n - 1)
    half = (test.ci_high - test.ci_low) / 2 * float(quantiles[0] / quantiles[1])
    return test.difference - half, test.difference + half


def equivalence(a: Sequence[float], b: Sequence[float], *, margin: float) -> EquivalenceTest:
    """Test whether the means of paired samples differ by less than `margin`, in units of a and b.

    The margin must be positive and chosen before looking. Raises ValueError like `paired`.
    """
    if not margin > 0:
        raise ValueError(f"margin is {margin}; it must be positive")
    d, spread, half = _differences(a, b, confidence=0.90)
    n, mean = len(d), float(d.mean())
    if spread:
        above = stats.ttest_1samp(d, -margin, alternative="greater").pvalue
        below = stats.ttest_1samp(d, margin, alternative="less").pvalue
        p = float(max(above, below))
    else:
        p = 0.0 if abs(mean) < margin else 1.0
    return EquivalenceTest(n, mean, mean - half, mean + half, margin, p)


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """Holm's step-down adjustment of one family of p-values, in the given order.

    As statsmodels' `multipletests` has it, which collects all garbage at every call.
    """
    p = np.array(p_values, dtype=float)
    order, factors = np.argsort(p), np.arange(len(p), 0, -1)
    p[order] = np.maximum.accumulate(p[order] * factors).clip(max=1)
    return tuple(p.tolist())


def _differences(
    a: Sequence[float], b: Sequence[float], *, confidence: float
) -> tuple[np.ndarray, float, float]:
    """Differences, their standard deviation, and the half-width of the mean's interval.

    What is within rounding of the values themselves, a difference or a spread, is returned as 0.
    """
    x, y = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    if x.ndim != 1 or x.shape != y.shape or len(x) < 2:
        raise ValueError(f"shapes {x.shape} and {y.shape}; need two lists of one length >= 2")
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise ValueError("paired samples hold NaN or infinite values; every value must be finite")
    d = x - y
    rounding = 64 * np.finfo(float).eps * max(np.abs(x).max(), np.abs(y).max())
    if np.abs(d).max() <= rounding:
        d = np.zeros_like(d)
    spread = float(d.std(ddof=1))
    if spread <= rounding:
        return d, 0.0, 0.0
    half = float(stats.t.ppf((1 + confidence) / 2, len(d) - 1)) * spread / math.sqrt(len(d))
    return d, spread, half
