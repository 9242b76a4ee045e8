import math
import time

import numpy as np
import pytest
import torch
from scipy.ndimage import correlate
from scipy.special import gamma
from torch.nn.functional import pad

from metrics.features import brisque
from metrics.features.brisque import SVM, natural_scene_statistics


@pytest.fixture(scope="module")
def images():
    """Natural enough: smooth pictures with noise on them, 64 x 48."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(40, 3, 6, 5, generator=generator)
    smooth = torch.nn.functional.interpolate(coarse, size=(64, 48), mode="bicubic") * 255
    noisy = smooth + 6 * torch.randn(smooth.shape, generator=generator)
    return noisy.clamp(0, 255).round().to(torch.uint8)


@pytest.fixture(scope="module")
def svm():
    rng = np.random.default_rng(0)
    vectors = torch.from_numpy(rng.uniform(-1, 1, (50, 36)))
    coefficients = torch.from_numpy(rng.standard_normal(50))
    return SVM(vectors, coefficients, 0.05, -50.0, torch.zeros(36).double(), torch.ones(36) * 5)


def by_the_paper(luma: np.ndarray) -> list[float]:
    """The 18 features of one scale, as sections III-A and III-B define them, searching the grid."""
    x = np.arange(-3, 4)
    window = np.exp(-(x[:, None] ** 2 + x**2) / (2 * (7 / 6) ** 2))
    window /= window.sum()
    mu = correlate(luma, window, mode="constant")
    sigma = np.sqrt(np.abs(correlate(luma**2, window, mode="constant") - mu**2))
    mscn = (luma - mu) / (sigma + 1)
    grid = np.arange(200, 10001) / 1000
    ratios = gamma(2 / grid) ** 2 / (gamma(1 / grid) * gamma(3 / grid))

    def shape(ratio):
        return grid[np.argmin(np.abs(ratios - ratio))]

    features = [shape(np.abs(mscn).mean() ** 2 / (mscn**2).mean()), (mscn**2).mean()]
    for shift in ((0, 1), (1, 0), (1, 1), (-1, 1)):
        product = mscn * np.roll(mscn, shift, (0, 1))
        left = np.sqrt((product[product < 0] ** 2).mean())
        right = np.sqrt((product[product > 0] ** 2).mean())
        g = left / right
        ratio = np.abs(product).mean() ** 2 / (product**2).mean()
        a = shape(ratio * (g**3 + 1) * (g + 1) / (g**2 + 1) ** 2)
        mean = (right - left) * gamma(2 / a) / math.sqrt(gamma(1 / a) * gamma(3 / a))
        features += [a, mean, left**2, right**2]
    return features


def test_features_of_the_first_scale_are_the_papers(images):
    ours = natural_scene_statistics(images[:3])[:, :18]
    for row, image in zip(ours, images[:3].double().numpy(), strict=True):
        luma = np.floor(np.tensordot((299, 587, 114), image, 1) / 1000 + 0.5)
        np.testing.assert_allclose(row, by_the_paper(luma), rtol=1e-9, atol=1e-12)


def test_halving_keeps_straight_lines_and_rounds_odd_sizes_up():
    ramp = torch.arange(21, dtype=torch.float64).expand(1, 16, 21)
    half = brisque._half(ramp)
    assert half.shape == (1, 8, 11)
    expected = 2 * torch.arange(11) + 0.5
    torch.testing.assert_close(half[0, 0, 2:-2], expected[2:-2].double(), rtol=0, atol=1e-12)


def test_a_score_does_not_depend_on_its_batch(images, svm):
    together = brisque.brisque(images, svm)
    alone = torch.cat([brisque.brisque(image.unsqueeze(0), svm) for image in images])
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-8)


def test_scores_are_not_clamped(images):
    def constant(value):
        zeros = torch.zeros(1, 36).double()
        return SVM(zeros, torch.zeros(1).double(), 0.05, -value, zeros[0], zeros[0] + 1)

    assert brisque.brisque(images[:1], constant(-20.0)).item() == -20
    assert brisque.brisque(images[:1], constant(150.0)).item() == 150


def test_rounding_noise_in_flat_areas_has_no_vote(images, monkeypatch):
    """Half of the picture is flat: filters that differ in their rounding alone agree."""

    def columns_last(x):
        x = pad(x, (3, 3, 3, 3))
        return brisque._filter(brisque._filter(x, taps, dim=-1), taps, dim=-2)

    taps, flat = brisque._GAUSSIAN, images[:3].clone()
    for image, grey in zip(flat, (7, 100, 255), strict=True):
        image[..., 32:, :] = grey
    ours = natural_scene_statistics(flat)
    monkeypatch.setattr(brisque, "_blur", columns_last)
    torch.testing.assert_close(natural_scene_statistics(flat), ours, rtol=1e-9, atol=1e-12)
    monkeypatch.setattr(brisque, "hardshrink", lambda x, _: x.clone())
    assert (natural_scene_statistics(flat) - ours).abs().max() > 1e-3


def test_a_tie_of_the_luma_is_rounded_up(monkeypatch):
    """As MATLAB rounds; a floating-point sum gets half of these wrong."""
    lumas: list[torch.Tensor] = []
    monkeypatch.setattr(brisque, "_statistics", lambda luma: lumas.append(luma) or luma[:, 0])
    sums = {(r, g, b): 299 * r + 587 * g + 114 * b
            for r in range(256) for g in range(256) for b in range(0, 256, 51)}  # fmt: skip
    ties = {rgb: total for rgb, total in sums.items() if total % 1000 == 500}
    brisque._both_scales(torch.tensor([*ties], dtype=torch.uint8).T.reshape(1, 3, 1, -1))
    assert lumas[0].flatten().tolist() == [total // 1000 + 1 for total in ties.values()]


def test_a_batch_is_at_least_five_times_as_fast_as_image_by_image(images, svm):
    images = images.repeat(4, 1, 1, 1)

    def seconds(function) -> float:
        begin = time.perf_counter()
        function()
        return time.perf_counter() - begin

    def ratio() -> float:
        together = min(seconds(lambda: brisque.brisque(images, svm)) for _ in range(3))
        alone = seconds(lambda: [brisque.brisque(image.unsqueeze(0), svm) for image in images[:32]])
        return 5 * alone / together  # 160 images against 32

    assert any(ratio() >= 5 for _ in range(3))  # a busy machine may disturb one
