"""What a test could have seen, against closed forms and simulation."""

import numpy as np
import pytest
from scipy import stats

from experiments.tables.power import reach
from experiments.tables.statistics import equivalence, paired


@pytest.fixture(scope="module")
def rows() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    b = 2 + 0.3 * rng.normal(size=60)
    return b + 0.01 + 0.1 * rng.normal(size=60), b


def power(effect: float, n: int) -> float:
    """Of a two-sided test at 5 % of an effect in standard deviations (noncentral t)."""
    limit, shift = stats.t.ppf(0.975, n - 1), effect * np.sqrt(n)
    return float(stats.nct.sf(limit, n - 1, shift) + stats.nct.cdf(-limit, n - 1, shift))


def test_the_smallest_effect_is_seen_four_times_in_five(rows):
    a, b = rows
    found, spread = reach(paired(a, b), b.mean()), np.std(a - b, ddof=1)
    assert power(found.smallest / 100 * b.mean() / spread, 60) == pytest.approx(0.8, abs=1e-6)
    goal = 0.01 * b.mean() / spread
    assert power(goal, found.needed) >= 0.8 > power(goal, found.needed - 1)


def test_rows_are_equal_just_within_the_margin(rows):
    a, b = rows
    margin = reach(paired(a, b), b.mean()).equal_within / 100 * b.mean()
    assert equivalence(a, b, margin=margin).p == pytest.approx(0.05, abs=1e-9)


def test_what_has_no_spread_has_no_reach():
    same = np.ones(10)
    assert reach(paired(same, same), 1.0) is None
    assert reach(paired(np.arange(10.0), same), 0.0) is None
