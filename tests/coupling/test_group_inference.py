"""Group inference keeps the candidates that are worth the most, as it goes through the sampler."""

from dataclasses import dataclass, replace
from itertools import combinations

import pytest
import torch

from coupling import GroupInference, Preview, base_noise, iid, repulsive
from coupling.optimizers.preview import select

METHOD = GroupInference(
    candidates=9, window=4, spread="sum", then=None, keep=0.5, diversity=1.5, judge=None
)


def base(count=9):
    drawn = [base_noise((4, 8, 8), seed=0, job=job, members=range(count)) for job in "ab"]
    return torch.stack(drawn)


@dataclass
class Doubling:
    """A sampler that doubles x in each step, and estimates it to be what it is."""

    num_steps: int = 10
    seen: tuple = ()

    def ahead(self, x, step):
        assert step == len(self.seen)
        self.seen += (x.shape[1],)
        return x, 2 * x

    def output(self, noise):
        return torch.zeros_like(noise)

    def clean(self, noise, output):
        return noise

    def judged(self, clean, judge):
        return judge(clean, "ab")


class Judge:
    """Prefers what its first number says, and takes distances from the second."""

    def prepare(self):
        pass

    def __call__(self, images, prompts):
        flat = images.flatten(2)
        return flat[..., 0], (flat[..., 1].unsqueeze(2) - flat[..., 1].unsqueeze(1)).abs()


@pytest.mark.parametrize("size", [2, 3, 5])
@pytest.mark.parametrize("diversity", [0.0, 0.3, 1.5])
def test_the_subset_is_the_solution_of_the_integer_program(size, diversity):
    generator = torch.Generator().manual_seed(size)
    quality = torch.randn(10, generator=generator, dtype=torch.float64)
    x = torch.randn(10, 3, generator=generator, dtype=torch.float64)
    distances = diversity * torch.cdist(x, x)

    def worth(subset):
        pairs = sum(float(distances[i, j]) for i, j in combinations(subset, 2))
        return float(quality[list(subset)].sum()) + pairs

    best = max(combinations(range(10), size), key=worth)
    assert select(distances, size, spread="sum", quality=quality).tolist() == list(best)


def test_without_diversity_the_best_are_kept():
    (state,) = replace(METHOD, diversity=0.0, judge=Judge()).optimize(base(), iid(3), Doubling())
    for gallery, noise in zip(base(), state.noise, strict=True):
        best = gallery[:, 0, 0, 0].topk(3).indices.sort().values
        assert torch.equal(noise, gallery[best])


def test_candidates_are_pruned_step_by_step_to_as_many_as_the_coupling_takes():
    sampler = Doubling()
    (state,) = METHOD.optimize(base(), repulsive(3), sampler)
    assert sampler.seen == (9, 5) and state.noise.shape == (2, 3, 4, 8, 8)
    last = Doubling(num_steps=1)  # there is no step in which more could be pruned
    assert next(METHOD.optimize(base(), iid(3), last)).noise.shape[1] == 3 and last.seen == (9,)


def test_in_each_step_those_are_kept_that_are_worth_the_most_then():
    (state,) = replace(METHOD, judge=Judge()).optimize(base(), iid(3), Doubling())
    for gallery, noise, loss in zip(base(), state.noise, state.loss, strict=True):
        kept, x = torch.arange(9), gallery
        for left in (5, 3):
            quality, distances = Judge()(x.unsqueeze(0), "a")
            chosen = select(1.5 * distances[0], left, spread="sum", quality=quality[0])
            pairs = 1.5 * distances[0][chosen][:, chosen].sum() / 2
            expected = quality[0][chosen].sum() + pairs
            kept, x = kept[chosen], 2 * x[chosen]
        assert torch.equal(noise, gallery[kept])
        torch.testing.assert_close(loss, -expected)


def test_in_one_step_and_without_a_judge_it_is_preview():
    once = replace(METHOD, keep=0.0, diversity=1.0)
    preview = Preview(candidates=9, window=4, spread="sum", then=None)
    (state,) = once.optimize(base(), repulsive(3), Doubling())
    (other,) = preview.optimize(base(), repulsive(3), Doubling())
    assert torch.equal(state.noise, other.noise) and torch.equal(state.loss, other.loss)


def test_as_many_candidates_as_noises_are_left_as_they_are():
    sampler = Doubling()
    (state,) = replace(METHOD, candidates=3).optimize(base(3), iid(3), sampler)
    assert torch.equal(state.noise, base(3)) and not sampler.seen


def test_galleries_do_not_see_each_other():
    both = next(METHOD.optimize(base(), iid(3), Doubling())).noise
    alone = next(METHOD.optimize(base()[1:], iid(3), Doubling())).noise
    assert torch.equal(both[1:], alone)


@pytest.mark.parametrize("wrong", [{"keep": 1.0}, {"keep": -0.1}, {"diversity": -1.0}])
def test_a_wrong_number_is_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        replace(METHOD, **wrong)
