"""Preview selection keeps the most spread candidates; reward optimisation spreads them."""

from itertools import combinations

import pytest
import torch

from coupling import base_noise, iid, repulsive, subspace
from coupling.optimizers.preview import SPREADS, Preview, select
from coupling.optimizers.reward import PairwiseDistance, chi_penalty, squared_distances
from coupling.projection import channels


class Identity:
    """A model whose clean estimate is the noise itself."""

    def output(self, noise, *, checkpointed=False):
        return torch.zeros_like(noise)

    def clean(self, noise, output):
        return noise - output


def distances(count, *, seed=0):
    x = torch.randn(count, 5, generator=torch.Generator().manual_seed(seed))
    return torch.cdist(x, x).square()


@pytest.mark.parametrize("spread", ["sum", "least"])
@pytest.mark.parametrize("size", [2, 3, 4])
def test_the_search_is_exact_for_few(spread, size):
    d = distances(9)
    best = max(
        combinations(range(9), size),
        key=lambda kept: float(SPREADS[spread](d[list(kept)][:, list(kept)])),
    )
    assert select(d, size, spread=spread).tolist() == list(best)


@pytest.mark.parametrize("spread", ["sum", "least"])
def test_the_search_among_many_is_no_worse_than_any_exchange(spread):
    d, size = distances(60), 6  # 50 million subsets
    kept = select(d, size, spread=spread).tolist()
    assert kept == sorted(set(kept)) and len(kept) == size
    value = SPREADS[spread](d[kept][:, kept])
    for i in range(size):
        for other in set(range(60)) - set(kept):
            exchanged = [*kept[:i], other, *kept[i + 1 :]]
            assert SPREADS[spread](d[exchanged][:, exchanged]) <= value + 1e-5


def test_the_kept_noises_are_candidates_coupled_in_their_order():
    base = torch.stack([base_noise((4, 8, 8), seed=0, job=job, members=range(7)) for job in "ab"])
    preview = Preview(candidates=7, window=8, spread="sum", then=None)
    coupling = repulsive(3)
    (state,) = preview.optimize(base, coupling, Identity())
    for gallery, noise, loss in zip(base, state.noise, state.loss, strict=True):
        d = squared_distances(gallery, 8)
        kept = select(d, 3, spread="sum")
        assert torch.equal(noise, coupling.couple(gallery[kept]))
        assert loss == -SPREADS["sum"](d[kept][:, kept])


def test_as_many_candidates_as_noises_select_nothing():
    base = base_noise((4, 8, 8), seed=0, members=range(3)).unsqueeze(0)
    preview = Preview(candidates=3, window=4, spread="least", then=None)
    (state,) = preview.optimize(base, repulsive(3), Identity())
    assert torch.equal(state.noise[0], repulsive(3).couple(base[0]))


def test_a_refinement_goes_on_from_what_was_kept():
    base = base_noise((4, 8, 8), seed=0, members=range(6)).unsqueeze(0)
    reward = PairwiseDistance(num_steps=2, learning_rate=0.01, window=4, norm_weight=0.0)
    preview = Preview(candidates=6, window=4, spread="sum", then=reward)
    selected, *refined = preview.optimize(base, iid(3), Identity())
    alone = list(reward.refine(selected.noise, Identity()))
    assert torch.equal(refined[-1].noise, alone[-1].noise) and len(refined) == 2


@pytest.mark.parametrize(("coupling", "candidates"), [(iid(3), 2), (iid(1), 4)])
def test_too_few_candidates_or_base_noises(coupling, candidates):
    preview = Preview(candidates=candidates, window=4, spread="sum", then=None)
    with pytest.raises(ValueError, match=f"candidates = {candidates}"):
        preview.base_size(coupling)
    with pytest.raises(ValueError, match="spread = 'most'"):
        Preview(candidates=4, window=4, spread="most", then=None)


def test_every_coupling_can_be_previewed():
    coupling = subspace(channels([0], of=4), inside=iid(3), outside=repulsive(3))
    base = base_noise((4, 8, 8), seed=0, members=range(9)).unsqueeze(0)
    preview = Preview(candidates=9, window=4, spread="sum", then=None)
    (state,) = preview.optimize(base, coupling, Identity())
    assert state.noise.shape == (1, 3, 4, 8, 8)


def test_the_reward_is_the_mean_pairwise_distance_and_rises():
    base = base_noise((4, 8, 8), seed=0, members=range(3)).unsqueeze(0)
    reward = PairwiseDistance(num_steps=5, learning_rate=0.01, window=8, norm_weight=0.0)
    states = list(reward.optimize(base, iid(3), Identity()))
    pairs = [(base[0, i] - base[0, j]).square().mean() for i, j in combinations(range(3), 2)]
    torch.testing.assert_close(-states[0].loss[0], torch.stack(pairs).mean())
    assert (torch.stack([s.loss for s in states]).diff(dim=0) < 0).all()


def test_the_chi_penalty_holds_the_norm():
    """It is least where |z|^2 = D - 1, the mode of the norm of a standard normal."""
    z = torch.randn(1, 4, 8, 8, dtype=torch.float64).requires_grad_(True)
    scaled = z / z.norm() * (z.numel() - 1) ** 0.5
    (gradient,) = torch.autograd.grad(chi_penalty(scaled).sum(), scaled)
    assert gradient.abs().max() < 1e-12
    base = 1.2 * base_noise((4, 8, 8), seed=0, members=range(3)).unsqueeze(0)
    held = PairwiseDistance(num_steps=5, learning_rate=0.01, window=8, norm_weight=1.0)
    norms = [
        s.noise.flatten(2).norm(dim=-1).mean() for s in held.optimize(base, iid(3), Identity())
    ]
    assert norms[-1] < base.flatten(2).norm(dim=-1).mean()
