"""Refinement of the object: the background is untouched, rows are apart, Adam is Adam."""

import pytest
import torch

from coupling import repulsive
from coupling.optimizers.foreground import foreground_loss, refine_foreground

REGION = torch.zeros(4, 4, dtype=torch.bool)
REGION[1:3, :2] = True
MIXING = torch.randn(3, 4, generator=torch.Generator().manual_seed(1)).double()


def generate(z: torch.Tensor) -> torch.Tensor:
    """A smooth map in which every pixel depends on its patch's noise and a little on all others."""
    colours = torch.einsum("ij,njhw->nihw", MIXING.to(z), z + 0.1 * z.mean((2, 3), keepdim=True))
    return colours.sigmoid().repeat_interleave(2, 2).repeat_interleave(2, 3)


@pytest.fixture
def problem():
    """Two galleries of three: the shared object is off by 1, the background is repulsive."""
    shape = (4, 4, 4)
    noise = torch.cat([repulsive(3).sample(shape, seed=seed) for seed in (0, 1)]).double()
    shared = torch.randn(2, *shape, generator=torch.Generator().manual_seed(2)).double()
    inverted = shared.repeat_interleave(3, 0)
    masks = REGION.repeat_interleave(2, 0).repeat_interleave(2, 1)
    return {
        "noise": torch.where(REGION, inverted + 1, noise),
        "references": generate(inverted),
        "masks": masks.expand(6, 8, 8),
        "regions": REGION.expand(6, 4, 4),
    }


def run(problem, *, num_steps, learning_rate=0.05, rows=slice(None)):
    part = {name: value[rows] for name, value in problem.items()}
    return list(
        refine_foreground(generate, **part, learning_rate=learning_rate, num_steps=num_steps)
    )


def test_states_are_the_start_and_every_step_and_tell_what_their_noise_gives(problem):
    states = run(problem, num_steps=3)
    assert [state.step for state in states] == [0, 1, 2, 3]
    assert torch.equal(states[0].noise, problem["noise"])
    for state in states:
        assert torch.equal(state.images, generate(state.noise))
        inside = (state.images - problem["references"])[:, :, problem["masks"][0]]
        torch.testing.assert_close(state.loss, inside.square().sum((1, 2)))
        assert not state.noise.requires_grad and not state.images.requires_grad


def test_the_background_is_what_the_coupling_drew_bit_for_bit(problem):
    start, outside = problem["noise"].float(), ~REGION
    problem = {name: x.float() if x.is_floating_point() else x for name, x in problem.items()}
    for state in refine_foreground(generate, **problem, learning_rate=0.1, num_steps=5):
        assert torch.equal(state.noise[..., outside], start[..., outside])
        moved = (state.noise - start)[..., REGION].abs()
        assert (moved > 0).all() if state.step else (moved == 0).all()


def test_every_row_approaches_its_object(problem):
    states = run(problem, num_steps=60)
    assert (states[-1].loss < 0.01 * states[0].loss).all()


def test_rows_do_not_see_one_another(problem):
    together = run(problem, num_steps=4)
    for row in range(6):
        alone = run(problem, num_steps=4, rows=slice(row, row + 1))
        for one, all_of_them in zip(alone, together, strict=True):
            torch.testing.assert_close(one.noise[0], all_of_them.noise[row], atol=1e-12, rtol=0)
            torch.testing.assert_close(one.loss[0], all_of_them.loss[row], atol=1e-12, rtol=0)


def test_resetting_equals_adam_on_the_objects_gradient_alone(problem):
    """By its definition, arXiv:1412.6980, Algorithm 1."""
    z, mean, square = problem["noise"].clone(), 0.0, 0.0
    for step, state in enumerate(run(problem, num_steps=5, learning_rate=0.03)):
        torch.testing.assert_close(state.noise, z, atol=1e-12, rtol=0)
        z.requires_grad_()
        loss = foreground_loss(generate(z), problem["references"], problem["masks"]).sum()
        gradient = torch.autograd.grad(loss, z)[0] * REGION
        mean = 0.9 * mean + 0.1 * gradient
        square = 0.999 * square + 0.001 * gradient**2
        ratio = (
            mean / (1 - 0.9 ** (step + 1)) / ((square / (1 - 0.999 ** (step + 1))).sqrt() + 1e-8)
        )
        z = z.detach() - 0.03 * ratio


def test_checkpoints_on_the_way_do_not_depend_on_where_the_run_ends(problem):
    short, long = run(problem, num_steps=3), run(problem, num_steps=6)
    for one, other in zip(short, long, strict=False):
        assert torch.equal(one.noise, other.noise) and torch.equal(one.loss, other.loss)


def test_it_works_where_gradients_are_off(problem):
    with torch.no_grad():
        states = run(problem, num_steps=2)
    assert torch.equal(states[2].noise, run(problem, num_steps=2)[2].noise)


@pytest.mark.parametrize(
    ("name", "value", "valid"),
    [
        ("regions", torch.ones(6, 8, 8, dtype=torch.bool), r"\(6, 4, 4\)"),
        ("regions", torch.ones(6, 4, 4), r"\(6, 4, 4\)"),
        ("masks", torch.ones(2, 8, 8, dtype=torch.bool), r"\(6, 8, 8\)"),
    ],
)
def test_masks_that_do_not_fit_are_refused_before_anything_is_computed(problem, name, value, valid):
    with pytest.raises(
        ValueError, match=f"the {name} are .*; valid is torch.bool of shape {valid}"
    ):
        refine_foreground(None, **problem | {name: value}, learning_rate=0.1, num_steps=1)


def test_a_pixel_that_has_left_the_range_of_images_is_led_back(problem):
    def bright(z: torch.Tensor) -> torch.Tensor:
        return 2 + generate(z)  # all of it above 1

    first, second = refine_foreground(bright, **problem, learning_rate=0.1, num_steps=1)
    assert (second.loss < first.loss).all()


def test_half_precision_does_not_overflow_where_the_gradient_of_the_plain_sum_would(problem):
    def steep(z: torch.Tensor) -> torch.Tensor:
        return (200 * z.half())[:, :3].double().repeat_interleave(2, 2).repeat_interleave(2, 3)

    start = problem["noise"].clone().requires_grad_()
    loss = foreground_loss(steep(start), problem["references"], problem["masks"]).sum()
    assert not torch.autograd.grad(loss, start)[0].isfinite().all()
    *_, last = refine_foreground(steep, **problem, learning_rate=0.1, num_steps=2)
    assert last.noise.isfinite().all()


def test_what_is_not_finite_is_named_with_its_step_and_the_remedy(problem):
    calls = []

    def breaks(z: torch.Tensor) -> torch.Tensor:
        calls.append(z)
        return generate(z) * (float("inf") if len(calls) == 3 else 1)

    with pytest.raises(FloatingPointError, match=r"step 2 .* model\.dtype=bfloat16 or float32"):
        list(refine_foreground(breaks, **problem, learning_rate=0.1, num_steps=4))
