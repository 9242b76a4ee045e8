"""The statements hold, and a check that should fail does."""

import math
from pathlib import Path

import pandas as pd
import pytest
import torch

from experiments.theory import factors, feasible, first_order, named, separation, single
from experiments.theory.evidence import Violation, require

SCORES = Path(__file__).parents[3] / "results" / "table1" / "tiny-scores.csv"


def test_statements_that_need_no_model_hold(tmp_path, monkeypatch):
    monkeypatch.setattr(feasible, "DRAWS", 60)
    monkeypatch.setattr(separation, "DRAWS", 60)
    checks = (
        named.check,
        feasible.check,
        separation.check,
        factors.check,
        first_order.check_linear,
    )
    findings = [check(tmp_path) for check in checks]
    findings.append(single.check(tmp_path, scores=SCORES))
    assert all(found.figure.stat().st_size > 0 for found in findings)


def test_a_violated_statement_is_named():
    with pytest.raises(Violation, match=r"Proposition 3\.1 is violated: rho = -2"):
        require(False, "Proposition 3.1", "rho = -2")


def test_moved_single_image_scores_are_found(tmp_path):
    scores = pd.read_csv(SCORES)
    scores.loc[scores["row"] == "coupled", "clip"] += 0.25 * scores["clip"].std()
    scores.to_csv(tmp_path / "moved.csv", index=False)
    with pytest.raises(Violation, match="CLIPScore is not equivalent"):
        single.check(tmp_path, scores=tmp_path / "moved.csv")


def test_a_coupling_that_separates_more_would_be_found(tmp_path, monkeypatch):
    monkeypatch.setattr(separation, "repulsive", lambda size: separation.iid(size))
    with pytest.raises(Violation, match=r"Proposition A\.2"):
        separation.check(tmp_path)


def test_cholesky_with_zero_pivots():
    r = torch.tensor([[1, -1, 0], [-1, 1, 0], [0, 0, 1]], dtype=torch.float64)
    matrix = factors.cholesky(r)
    assert torch.equal(matrix @ matrix.T, r) and not matrix[:, 1].any()


def test_price_slope_is_unbiased():
    """f(x, y) = <x, y> + |x|^2 + |y|^2 has tr d2f/dx dy = D, whatever its row means are."""
    dimension, estimates = 3, []
    for seed in range(400):
        x = torch.randn(6, dimension, generator=torch.Generator().manual_seed(seed)).double()
        norms = x.square().sum(1)
        estimates.append(first_order.price_slope(x @ x.T + norms[:, None] + norms[None], x))
    estimates = torch.stack(estimates)
    error = estimates.std().item() / math.sqrt(len(estimates))
    assert abs(estimates.mean().item() - dimension) < 4 * error < 1
