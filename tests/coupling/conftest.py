"""The exact second moment of a coupling, which is a linear map, without sampling."""

from collections.abc import Callable, Sequence
from math import prod

import pytest
import torch
from torch import Tensor

from coupling import Coupling


def _covariance(coupling: Coupling, shape: Sequence[int]) -> Tensor:
    """Cov(X_i[x], X_j[y]) as (K, K, D, D), float64: L L^T with L read off column by column."""
    dimension = prod(shape)
    units = torch.eye(coupling.base_size * dimension, dtype=torch.float64)
    columns = [coupling.couple(unit.reshape(-1, *shape)).flatten() for unit in units]
    linear = torch.stack(columns, dim=1)
    blocks = (linear @ linear.T).reshape(coupling.size, dimension, coupling.size, dimension)
    return blocks.permute(0, 2, 1, 3)


@pytest.fixture
def covariance() -> Callable[[Coupling, Sequence[int]], Tensor]:
    return _covariance
