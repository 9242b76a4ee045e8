"""The drift report against closed forms and numpy."""

import numpy as np
import pytest
import torch

from coupling import repulsive
from coupling.drift import BANDS, drift


def white(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def test_white_noise_does_not_drift():
    noise = torch.stack([repulsive(3).sample((4, 64, 64), seed=0, job=job) for job in "abcd"])
    for gallery in noise:
        scores = drift(gallery, repulsive(3).correlation).scores()
        assert scores["noise_norm"] == pytest.approx(1, abs=0.01)
        assert scores["noise_variance"] == pytest.approx(1, abs=0.03)
        assert scores["noise_kurtosis"] == pytest.approx(0, abs=0.08)
        assert scores["noise_mean"] < 0.03
        assert scores["noise_spectrum"] < 0.1
        assert scores["noise_correlation"] < 0.02


def test_each_statistic_is_what_it_says():
    x = white(3, 2, 8, 8)
    found = drift(x, torch.eye(3))
    flat = x.flatten(1).numpy()
    np.testing.assert_allclose(found.norm, np.linalg.norm(flat, axis=1) / np.sqrt(128))
    np.testing.assert_allclose(found.mean, x.numpy().mean((2, 3)))
    np.testing.assert_allclose(found.variance, x.numpy().var((2, 3)))
    z = (flat - flat.mean(1, keepdims=True)) / flat.std(1, keepdims=True)
    np.testing.assert_allclose(found.kurtosis, (z**4).mean(1) - 3)
    np.testing.assert_allclose(found.correlation, flat @ flat.T / 128)


def test_a_scaled_noise_shows_in_norm_variance_and_spectrum():
    x = white(2, 4, 16, 16)
    one, two = (drift(scale * x, torch.eye(2)) for scale in (1.0, 2.0))
    np.testing.assert_allclose(two.norm, 2 * np.array(one.norm))
    np.testing.assert_allclose(two.variance, 4 * np.array(one.variance))
    np.testing.assert_allclose(two.spectrum, 4 * np.array(one.spectrum))


def test_a_wave_stands_in_the_ring_of_its_frequency():
    column = torch.arange(32, dtype=torch.float64)
    wave = torch.cos(2 * torch.pi * 12 / 32 * column).expand(1, 1, 32, 32)  # 0.75 of Nyquist
    spectrum = np.array(drift(wave, torch.eye(1)).spectrum)
    assert spectrum.argmax() == 0.75 * BANDS
    assert np.delete(spectrum, spectrum.argmax()).max() < 1e-20


def test_a_ring_without_a_frequency_is_none():
    found = drift(white(2, 4, 2, 2), torch.eye(2))
    assert None in found.spectrum
    assert np.isfinite(list(found.scores().values())).all()
