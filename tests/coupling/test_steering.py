"""Steerings by hand: their laws, what they leave alone, and whom they see."""

import math

import pytest
import torch

from coupling import (
    CADS,
    ConditionNoise,
    Guidance,
    InTurn,
    Particle,
    Spell,
    base_noise,
    early_spread,
)
from coupling.steering import Course, Steered

LEVELS = [(0.1, 10.0), (0.5, 1.0), (1.0, 1.0), (1.0, 0.5), (1.0, 0.1)]
"""(alpha, sigma) of five steps; their ratios are 100, 2, 1, 0.5 and 0.1."""

ALL = (0.0, 1.0)
NAME = "encoder_hidden_states"


def course(*jobs: str, size: int = 3, first: int = 0) -> Course:
    return Course(LEVELS, 5.0, seed=7, jobs=jobs or ("a",), members=range(first, first + size))


def gallery(*jobs: str, size: int = 3, shape=(2, 4, 4)) -> torch.Tensor:
    return torch.stack(
        [base_noise(shape, seed=1, job=j, members=range(size)) for j in jobs or ("a",)]
    )


def spell(**changes) -> Spell:
    settings = {"radius": 8.0, "quantile": 0.5, "factor": 1.0, "strength": 1.0, "window": ALL}
    return Spell(**settings | changes)


def distance(x: torch.Tensor) -> torch.Tensor:
    return (x[0, 0] - x[0, 1]).norm()


def scales(steering) -> list[float]:
    return [steering.guidance(course(), step, 5.0) for step in range(5)]


def test_draws_are_an_images_own_and_no_noise_that_a_coupling_sees():
    like = gallery("a", "b")
    drawn = course("a", "b").draw(like, "x")
    assert torch.equal(drawn[1], course("b").draw(like[1:], "x")[0])
    assert torch.equal(drawn[:, 1:], course("a", "b", size=2, first=1).draw(like[:, 1:], "x"))
    noises = base_noise((2, 4, 4), seed=7, job="a", members=range(3))
    others = [noises, drawn[1], course("a", "b").draw(like, "y")[0]]
    assert not any(torch.equal(drawn[0], other) for other in others)


def test_guidance_holds_in_its_window_and_between_its_levels():
    assert scales(Guidance(None, ALL, None)) == [5] * 5
    assert scales(Guidance(3.0, ALL, None)) == [3] * 5
    assert scales(Guidance(None, (0.0, 0.0), None)) == [1] * 5
    assert scales(Guidance(None, (0.2, 0.8), None)) == [1, 5, 5, 5, 1]
    assert scales(Guidance(None, ALL, (0.1, 2.0))) == [1, 5, 5, 5, 1]  # (low, high]
    assert scales(Guidance(None, (0.4, 1.0), (0.1, 2.0))) == [1, 1, 5, 5, 1]
    flow = Course([(0.0, 1.0)], 5.0, 7, ("a",), range(1))  # sigma / alpha is infinite
    assert Guidance(None, ALL, (0.28, 5.42)).guidance(flow, 0, 5.0) == 1
    assert Guidance(None, ALL, None).guidance(flow, 0, 5.0) == 5


def test_two_points_within_the_radius_come_to_lie_beyond_it():
    """At d + 2 lambda (r - d), along the line between them; others do not move."""
    x = gallery(size=2)
    d = distance(x)
    moved = x + spell(radius=float(d + 1)).push(course(size=2), 0, x, x)
    torch.testing.assert_close(distance(moved), d + 2)
    torch.testing.assert_close(moved.sum(1), x.sum(1))
    weaker = x + spell(radius=float(d + 1), strength=0.25).push(course(size=2), 0, x, x)
    torch.testing.assert_close(distance(weaker), d + 0.5)
    assert not spell(radius=float(d)).push(course(size=2), 0, x, x).any()
    equal = x[:, :1].expand(-1, 3, -1, -1, -1)
    assert not spell().push(course(), 0, equal, equal).any()
    assert spell(window=(0.2, 1.0)).push(course(), 0, x, x) is None


def test_no_estimate_stays_within_the_radius_of_an_image_that_is_given():
    """At d + lambda (r - d) from one alone; whoever is further away does not move."""
    x = gallery(size=3)
    given = x[0, :1] + torch.full_like(x[0, :1], 0.1)
    d = (x[0, 0] - given[0]).norm()
    r = float(d) * 1.5  # nobody else is so near
    for strength, beyond in ((1.0, r), (1.6, float(d) + 1.6 * (r - float(d)))):
        push = spell(radius=r, strength=strength, against=given).push(course(), 0, x, x)
        assert (x[0, 0] + push[0, 0] - given[0]).norm() == pytest.approx(beyond, rel=1e-5)
        assert not push[0, 1:].any()
    both = spell(radius=None, quantile=1.0, against=given)
    course_of = course()
    both.push(course_of, 0, x, x)  # the quantile is of the gallery's own distances
    expected = torch.pdist(x[0].flatten(1)).max()
    torch.testing.assert_close(course_of.kept[id(both)].flatten()[0], expected)
    with pytest.raises(ValueError, match=r"against has the shape \(1, 2, 2, 2\)"):
        spell(against=given[..., :2, :2]).push(course(), 0, x, x)


def test_the_radius_is_a_quantile_of_a_gallerys_own_first_distances():
    steering, here = spell(radius=None, quantile=1.0, factor=1.5), course("a", "b")
    x = gallery("a", "b")
    steering.push(here, 0, x, x)
    radius = here.kept[id(steering)].flatten()
    expected = torch.stack([1.5 * torch.pdist(each.flatten(1)).max() for each in x])
    torch.testing.assert_close(radius, expected)
    steering.push(here, 1, x, 2 * x)
    assert torch.equal(here.kept[id(steering)].flatten(), radius)
    shrunk = spell(radius=None, quantile=0.0).push(course(), 0, x[:1], x[:1])
    assert not shrunk.any()  # the least of the distances: nobody is nearer


@pytest.mark.parametrize("steering", [spell(), Particle(scale=30.0, least=0.0)], ids=type)
def test_what_acts_on_galleries_treats_members_alike_and_sees_no_other_gallery(steering):
    x, clean = gallery("a", "b"), gallery("c", "d")
    push = steering.push(course("a", "b"), 1, x, clean)
    assert push.any() and steering.whole_gallery
    order = [2, 0, 1]
    permuted = steering.push(course("a", "b"), 1, x[:, order], clean[:, order])
    torch.testing.assert_close(permuted, push[:, order])
    alone = steering.push(course("a"), 1, x[:1], clean[:1])
    torch.testing.assert_close(alone, push[:1])


def test_particles_climb_the_potential_of_their_kernel():
    """The push over -sigma is the gradient of -sum_j k_ij at fixed bandwidths, times a sigma^2."""
    x = gallery().double() * 10
    alpha, sigma = LEVELS[1]
    u = (x[0] / alpha).flatten(1)
    d = torch.cdist(u, u)
    h = torch.stack([row[row > 0].median() ** 2 for row in d]) / math.log(2)
    for i in range(3):
        point = u[i].clone().requires_grad_(True)
        others = [j for j in range(3) if j != i]
        potential = -sum(torch.exp(-(point - u[j]).square().sum() / h[i]) for j in others)
        (gradient,) = torch.autograd.grad(potential, point)
        expected = 30 * (sigma / alpha) ** 3 * gradient
        push = Particle(scale=30.0, least=1.0).push(course(), 1, x, x)[0, i].flatten()
        torch.testing.assert_close(push.double(), expected, rtol=1e-4, atol=1e-6)
    assert Particle(scale=30.0, least=1.0).push(course(), 3, x, x) is None
    assert not Particle(scale=0.0, least=0.0).push(course(), 0, x, x).any()
    with pytest.raises(ValueError, match="use at least 3"):
        Particle(scale=30.0, least=1.0).require(2)


def embedding(seed: int = 0) -> dict[str, torch.Tensor]:
    y = torch.randn(1, 3, 50, 40, generator=torch.Generator().manual_seed(seed)) * 3 + 2
    return {NAME: y, "time_ids": torch.ones(1, 3, 6)}


def test_cads_clears_and_keeps_the_embeddings_moments():
    steering, rows = CADS(clear=0.6, dark=0.9, noise=0.25, mixing=1.0), embedding()
    assert [round(steering.clarity(t), 9) for t in (1, 0.9, 0.75, 0.6, 0.1)] == [0, 0, 0.5, 1, 1]
    assert steering.condition(course(), 2, rows) is rows
    noised = steering.condition(course(), 1, rows)
    assert noised["time_ids"] is rows["time_ids"]
    for moment in (torch.mean, torch.std):
        torch.testing.assert_close(
            moment(noised[NAME].flatten(2), -1), moment(rows[NAME].flatten(2), -1)
        )
    assert not torch.equal(noised[NAME], steering.condition(course(), 0, rows)[NAME])
    half = CADS(clear=0.6, dark=0.9, noise=0.25, mixing=0.0).condition(course(), 1, rows)[NAME]
    g, n = steering.clarity(0.8), course().draw(rows[NAME], f"cads {NAME} 1")
    torch.testing.assert_close(half, g**0.5 * rows[NAME] + 0.25 * (1 - g) ** 0.5 * n)
    still = CADS(clear=0.6, dark=0.9, noise=0.0, mixing=1.0).condition(course(), 1, rows)
    torch.testing.assert_close(still[NAME], rows[NAME])


def test_where_cads_is_dark_there_is_no_prompt():
    """Only its embedding's mean and spread are left."""
    steering = CADS(clear=0.6, dark=0.9, noise=0.25, mixing=1.0)
    found = [steering.condition(course(), 0, embedding(seed))[NAME].flatten(2) for seed in (0, 1)]
    first, second = ((y - y.mean(-1, keepdim=True)) / y.std(-1, keepdim=True) for y in found)
    torch.testing.assert_close(first, second)


def test_condition_noise_touches_a_share_of_the_entries_at_first():
    steering = ConditionNoise(amplitude=1.0, share=0.25, window=(0.0, 0.4))
    rows, here = embedding(), course()
    noised = steering.condition(here, 0, rows)[NAME]
    added = (noised - rows[NAME]) / rows[NAME].flatten(2).std(-1)[..., None, None]
    assert (added != 0).float().mean().item() == pytest.approx(0.25, abs=0.02)
    assert added.abs().max() <= 1 + 1e-5
    assert added[added != 0].var().item() == pytest.approx(1 / 3, abs=0.02)
    assert steering.condition(here, 1, rows)[NAME] is noised  # drawn once
    assert steering.condition(here, 2, rows) is rows


def test_several_act_in_turn():
    x = gallery()
    both = InTurn({"first": spell(), "guidance": Guidance(None, (0.2, 1.0), None), "last": spell()})
    one = spell().push(course(), 0, x, x)
    two = spell().push(course(), 0, x, x + one)
    torch.testing.assert_close(both.push(course(), 0, x, x), one + two)
    assert scales(both) == [1, 5, 5, 5, 5] and both.whole_gallery
    assert InTurn({"guidance": Guidance(2.0, ALL, None)}).push(course(), 0, x, x) is None
    with pytest.raises(ValueError, match="no siblings"):
        both.require(1)


def test_early_spread_is_an_interval_and_an_early_repulsion():
    settings = {"radius": None, "quantile": 0.75, "factor": 1.5, "strength": 1.6}
    steering = early_spread(guided=(0.2, 0.8), scale=None, repelled=0.4, **settings)
    assert scales(steering) == [1, 5, 5, 5, 1]
    x = gallery()
    expected = spell(**settings).push(course(), 0, x, x)
    assert torch.equal(steering.push(course(), 0, x, x), expected)
    assert steering.push(course(), 2, x, x) is None


def test_rows_lie_gallery_by_gallery():
    steering = CADS(clear=0.0, dark=0.9, noise=1.0, mixing=1.0)
    y = embedding()[NAME].expand(2, -1, -1, -1).flatten(0, 1)
    found = Steered(steering, course("a", "b")).condition(1, {NAME: y})[NAME]
    alone = Steered(steering, course("b")).condition(1, {NAME: y[3:]})[NAME]
    assert torch.equal(found[3:], alone) and not torch.equal(found[:3], alone)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Guidance(-1.0, ALL, None), "scale = -1.0"),
        (lambda: Guidance(None, (0.5, 0.2), None), r"window = \(0.5, 0.2\) is not"),
        (lambda: Guidance(None, ALL, (2.0, 1.0)), r"levels = \[2.0, 1.0\] is not"),
        (lambda: spell(window=(0.0, 2.0)), "window"),
        (lambda: spell(quantile=1.5), "quantile = 1.5 is not from 0 to 1"),
        (lambda: CADS(clear=0.9, dark=0.6, noise=0.25, mixing=1.0), "valid is clear <= dark"),
        (lambda: ConditionNoise(amplitude=1.0, share=2.0, window=ALL), "share = 2.0"),
        (lambda: InTurn({"first": "spell"}), "first is 'spell'"),
    ],
)
def test_what_a_steering_cannot_be_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
