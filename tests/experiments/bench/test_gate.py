"""The gate lets rounding pass and nothing else."""

from functools import partial

import numpy as np
import pytest
import torch

from experiments.bench.gate import Deviation, bootstrap, deviation, failures, step_rounding

YARDSTICK = Deviation(latents=1e-6, images=0.01, worst=1)
L2 = {"l2": np.linspace(0.04, 0.06, 12)}
TWO_STEPS = step_rounding(torch.float32, num_steps=2)
judge = partial(failures, rounding=TWO_STEPS, of_metrics=L2)


@pytest.fixture
def outputs():
    rng = np.random.default_rng(0)
    latents = torch.from_numpy(rng.standard_normal((2, 3, 4, 8, 8)))
    return latents, rng.integers(10, 245, (2, 3, 16, 16, 3)).astype(np.uint8)


def test_deviations_are_those_of_their_definition(outputs):
    latents, images = outputs
    changed = images.copy()
    changed[0, 0, 0, 0, 0] -= 3
    found = deviation(1.01 * latents, changed, of_latents=latents, of_images=images)
    assert found.latents == pytest.approx(0.01)
    assert found.images == pytest.approx(3 / images.size**0.5)
    assert found.worst == 3


def test_equal_pictures_pass(outputs):
    latents, images = outputs
    found = deviation(latents, images, of_latents=latents, of_images=images)
    assert not judge(found, yardstick=YARDSTICK, metrics=L2)


@pytest.mark.parametrize(
    "found",
    [
        Deviation(latents=3e-2, images=0.01, worst=1),  # bfloat16's
        Deviation(latents=1e-6, images=2.0, worst=36),
        Deviation(latents=1e-6, images=0.01, worst=2),
        Deviation(latents=float("nan"), images=0.0, worst=0),
    ],
)
def test_other_pictures_fail(found):
    assert judge(found, yardstick=YARDSTICK, metrics=L2)


def test_where_the_shape_of_a_batch_changes_nothing_the_steps_rounding_is_allowed():
    unmoved = Deviation(latents=0.0, images=0.0, worst=0)
    assert not judge(Deviation(latents=9e-7, images=0.01, worst=1), yardstick=unmoved, metrics=L2)
    assert judge(Deviation(latents=3e-6, images=0.01, worst=1), yardstick=unmoved, metrics=L2)


def test_a_metric_outside_the_references_interval_fails():
    moved = {"l2": 1.2 * L2["l2"]}
    (reason,) = judge(YARDSTICK, yardstick=YARDSTICK, metrics=moved)
    assert reason.startswith("l2")


def test_the_interval_is_that_of_a_mean():
    values = np.random.default_rng(1).normal(5, 2, 400)
    low, high = bootstrap(values)
    assert low < values.mean() < high
    assert high - low == pytest.approx(2 * 1.96 * 2 / 400**0.5, rel=0.15)
