"""Projections are linear, idempotent and self-adjoint, and keep what they say."""

import math

import pytest
import torch

from coupling import channels, frequency_band, mask, span
from coupling.projection import commute, joint_shape, product_fraction

SHAPE = (4, 10, 7)  # one even and one odd side, for the sake of the Fourier transform
DIMENSION = math.prod(SHAPE)
REGION = torch.zeros(SHAPE[1:], dtype=torch.bool)
REGION[2:7, 1:5] = True


def vectors(count: int, *, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, *SHAPE, dtype=torch.float64, generator=generator)


PROJECTIONS = {
    "mask": mask(REGION),
    "empty mask": mask(torch.zeros_like(REGION)),
    "full mask": mask(torch.ones_like(REGION)),
    "channels": channels([0, 2], of=4),
    "low band": frequency_band(0, 0.2, shape=SHAPE[1:]),
    "middle band": frequency_band(0.2, 0.4, shape=SHAPE[1:]),
    "high band": frequency_band(0.4, 1, shape=SHAPE[1:]),
    "span": span(vectors(5)),
    "complement": span(vectors(5)).complement,
}
each_projection = pytest.mark.parametrize(
    "projection", PROJECTIONS.values(), ids=PROJECTIONS.keys()
)


@each_projection
def test_idempotent_and_self_adjoint(projection):
    x, y = vectors(2, seed=1)
    torch.testing.assert_close(projection(projection(x)), projection(x))
    left, right = (projection(x) * y).sum(), (x * projection(y)).sum()
    torch.testing.assert_close(left, right, rtol=0, atol=1e-12)
    assert projection(x).dtype == x.dtype


@each_projection
def test_diagonal_and_fraction_are_those_of_the_matrix(projection):
    units = torch.eye(DIMENSION, dtype=torch.float64).reshape(-1, *SHAPE)
    matrix = projection(units).reshape(DIMENSION, DIMENSION)
    diagonal = projection.diagonal.expand(SHAPE).flatten()
    torch.testing.assert_close(diagonal, matrix.diagonal(), rtol=0, atol=1e-12)
    assert projection.fraction == pytest.approx(matrix.trace().item() / DIMENSION, abs=1e-12)
    off_diagonal = matrix - matrix.diagonal().diag()
    assert projection.is_local == (off_diagonal.abs().max().item() < 1e-12)


@each_projection
def test_complement_keeps_the_rest(projection):
    x = vectors(1)
    torch.testing.assert_close(projection(x) + projection.complement(x), x)
    assert projection(projection.complement(x)).abs().max() < 1e-12
    assert projection.complement.fraction == pytest.approx(1 - projection.fraction)


@each_projection
def test_acts_on_the_trailing_axes_alone(projection):
    x = vectors(6).reshape(3, 2, *SHAPE)
    torch.testing.assert_close(projection(x)[2, 1], projection(x[2, 1]))


@each_projection
def test_is_differentiable(projection):
    x, y = vectors(2)
    x.requires_grad_()
    (gradient,) = torch.autograd.grad((projection(x) * y).sum(), x)
    torch.testing.assert_close(gradient, projection(y))


def test_each_keeps_what_it_names():
    x = vectors(1)[0]
    assert torch.equal(mask(REGION)(x), x * REGION)
    assert torch.equal(channels([1], of=4)(x)[1], x[1])
    assert channels([1], of=4)(x)[[0, 2, 3]].count_nonzero() == 0
    basis = vectors(3)
    combination = (torch.tensor([2.0, -1, 3]).reshape(3, 1, 1, 1) * basis).sum(dim=0)
    torch.testing.assert_close(span(basis)(combination), combination)


def test_a_band_keeps_its_waves_and_removes_the_others():
    column = torch.arange(16, dtype=torch.float64)
    slow, fast = (torch.cos(2 * math.pi * f * column).expand(8, 16) for f in (1 / 8, 3 / 8))
    low = frequency_band(0, 0.25, shape=(8, 16))
    torch.testing.assert_close(low(slow + 1 + fast), slow + 1)


def test_adjacent_bands_share_no_frequency_and_miss_none():
    x = vectors(1)
    bands = [PROJECTIONS[name] for name in ("low band", "middle band", "high band")]
    torch.testing.assert_close(sum(band(x) for band in bands), x)
    assert sum(band.fraction for band in bands) == pytest.approx(1)
    assert bands[0](bands[1](x)).abs().max() < 1e-12


def test_an_edge_of_a_band_belongs_to_the_band_above():
    wave = torch.cos(2 * math.pi * torch.arange(16, dtype=torch.float64) / 4).expand(16, 16)
    assert frequency_band(0, 0.25, shape=(16, 16))(wave).abs().max() < 1e-12
    torch.testing.assert_close(frequency_band(0.25, 0.3, shape=(16, 16))(wave), wave)


def test_commuting_projections_are_told_apart_from_others():
    low, middle = PROJECTIONS["low band"], PROJECTIONS["middle band"]
    some, half = channels([1], of=4), mask(REGION)
    assert commute(half, some) and commute(low, some) and commute(low, middle)
    assert commute(half, half.complement)
    assert not commute(half, low)
    assert not commute(half, span(vectors(2)))


PATHS = [
    [],
    ["mask"],
    ["mask", "channels"],
    ["mask", "mask"],
    ["mask", "low band"],
    ["low band", "mask"],
    ["span", "channels"],
    ["low band", "middle band"],
    ["low band", "span"],
    ["low band", "mask", "span"],
    ["mask", "channels", "low band", "complement"],
    ["low band", "channels", "span", "mask"],
]


@pytest.mark.parametrize("names", PATHS, ids=[" ".join(names) or "none" for names in PATHS])
def test_product_fraction_is_the_trace_of_the_product(names):
    path = [PROJECTIONS[name] for name in names]
    x = torch.eye(DIMENSION, dtype=torch.float64).reshape(-1, *SHAPE)
    for projection in path:
        x = projection(x)
    assert product_fraction(path) == pytest.approx(x.square().sum().item() / DIMENSION, abs=1e-12)


def test_joint_shape_fills_in_what_is_free():
    assert joint_shape([mask(REGION), channels([0], of=4)]) == SHAPE
    assert joint_shape([channels([0], of=4)]) == (4, 1, 1)


REFUSED = [
    (lambda: mask(torch.ones(4, 4)), "the mask is torch.float32 of shape (4, 4); valid is torch.b"),
    (lambda: mask(torch.ones(1, 4, 4) > 0), "the mask is torch.bool of shape (1, 4, 4); valid is"),
    (lambda: channels([4], of=4), "channel = 4 is outside [0, 3], the valid range"),
    (lambda: channels([-1], of=4), "channel = -1 is outside [0, 3], the valid range"),
    (lambda: channels([0.5], of=4), "channel = 0.5 is not an integer"),
    (lambda: frequency_band(0.3, 0.2, shape=(4, 4)), "the band [0.3, 0.2) is empty; valid is 0 <="),
    (lambda: frequency_band(-0.1, 0.2, shape=(4, 4)), "the band [-0.1, 0.2) is empty; valid is 0"),
    (
        lambda: frequency_band(0, 0.2, shape=(4, 4, 4)),
        "the band's shape is (4, 4, 4); valid is (H,",
    ),
    (
        lambda: span(torch.stack([torch.ones(2, 2), 2 * torch.ones(2, 2)])),
        "the 2 vectors have rank 1; valid is linearly independent",
    ),
    (lambda: span(torch.ones(3)), "the vectors have the shape (3,); valid is (r, *shape)"),
    (
        lambda: mask(REGION)(torch.zeros(3, 4, 16, 16)),
        "a noise of shape (3, 4, 16, 16) does not end in (10, 7), the shape this projection is",
    ),
    (
        lambda: channels([0], of=4)(torch.zeros(3, 16, 16)),
        "a noise of shape (3, 16, 16) does not end in (4, any, any), the shape this projection is",
    ),
    (
        lambda: joint_shape([mask(REGION), frequency_band(0, 1, shape=(8, 8))]),
        "projections of shapes (10, 7) and (8, 8) do not fit together; valid are equal sizes",
    ),
]


@pytest.mark.parametrize(("build", "message"), REFUSED, ids=[m for _, m in REFUSED])
def test_invalid_input_is_refused_in_one_line_with_value_and_range(build, message):
    with pytest.raises(ValueError) as error:
        build()
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)
