"""Preview selection: look at more noises than the gallery needs, keep those that will differ.

Of each gallery's candidates Z_1..Z_N (members 0..N-1 of its base streams), one guided network pass
each gives the clean estimate at the first sampler step, pooled to (w, w). The m base noises whose
estimates are the most spread are kept, in the order of their members, and coupled. No gradient is
taken; a gallery costs N network passes, so N = 3K costs what three steps of CNO cost.

The result is no coupling: selection shifts the law, so the kept noises are not exactly standard
normal given that they were kept, and no theorem about marginals holds for them. This method is not
the paper's: it is the case of one step and no quality term of Scaling Group Inference
(arXiv:2508.15773; `coupling.GroupInference`), followed by a coupling; Wildfire (arXiv:2603.20188)
previews a pool, too.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from math import comb

import torch
from torch import Tensor

from coupling.law import Coupling
from coupling.optimizers.base import Denoiser, NoiseOptimizer, Refinement, State, couple
from coupling.optimizers.reward import of_pairs, squared_distances
from coupling.validation import require_a, require_size, shown

MAX_SUBSETS = 20_000
"""Up to this many subsets the search is exhaustive: N = 20 for K = 3, N = 20 for K = 5."""


SPREADS: dict[str, Callable[[Tensor], Tensor]] = {
    "sum": lambda distances: distances.sum((-2, -1)) / 2,
    "least": lambda distances: of_pairs(distances).amin(-1),
}
"""How spread a subset is, from its pairwise squared distances (..., k, k): their sum or minimum."""


def worth(
    distances: Tensor, subsets: Tensor, *, spread: str, quality: Tensor | None = None
) -> Tensor:
    """The spread of subsets of N candidates, and their summed quality (N,): (..., k) -> (...)."""
    spreads = SPREADS[spread](distances[subsets.unsqueeze(-1), subsets.unsqueeze(-2)])
    return spreads if quality is None else spreads + quality[subsets].sum(-1)


def select(distances: Tensor, size: int, *, spread: str, quality: Tensor | None = None) -> Tensor:
    """The `size` >= 2 of N candidates that are worth the most: (N, N) -> sorted indices (size,).

    Exact where at most `MAX_SUBSETS` subsets exist; otherwise greedy, then single exchanges until
    none improves, which finds a local optimum. Ties go to the earlier candidates.
    """
    candidates = len(distances)
    value = partial(worth, distances, spread=spread, quality=quality)
    if comb(candidates, size) <= MAX_SUBSETS:
        subsets = torch.tensor(list(combinations(range(candidates), size)))
        return subsets[value(subsets).argmax()]
    pairs = torch.tensor(list(combinations(range(candidates), 2)))
    chosen = pairs[value(pairs).argmax()].tolist()
    while len(chosen) < size:
        trials = torch.tensor([[*chosen, c] for c in range(candidates) if c not in chosen])
        chosen = trials[value(trials).argmax()].tolist()
    best = float(value(torch.tensor(chosen)))
    while True:
        outside = [c for c in range(candidates) if c not in chosen]
        exchanges = [[*chosen[:i], c, *chosen[i + 1 :]] for i in range(size) for c in outside]
        values = value(torch.tensor(exchanges))
        if not float(values.max()) > best:
            return torch.tensor(sorted(chosen))
        best, chosen = float(values.max()), exchanges[int(values.argmax())]


@dataclass(frozen=True)
class Preview(NoiseOptimizer):
    """Keeps the candidates that will differ the most, and couples them.

    candidates: N, at least the number of base noises that the coupling needs; window: w, the side
    that the estimates are pooled to; spread: "sum" of squared pairwise distances, or the "least" of
    them; then: what refines the coupled noises, None for nothing.
    Raises ValueError: an unknown spread, or no such number.
    """

    candidates: int
    window: int
    spread: str
    then: Refinement | None

    def __post_init__(self) -> None:
        require_size(self.candidates, "candidates", least=2)
        require_size(self.window, "window", least=1)
        if not isinstance(self.spread, str) or self.spread not in SPREADS:
            raise ValueError(f"spread = {shown(self.spread)} must be one of {', '.join(SPREADS)}")
        if self.then is not None:
            require_a(Refinement, self.then, "then")

    @property
    def shifts(self) -> bool:
        return self.then is not None and self.then.shifts

    def base_size(self, coupling: Coupling) -> int:
        """N. Raises ValueError where it is too small, or the coupling needs fewer than two."""
        if not 2 <= coupling.base_size <= self.candidates:
            raise ValueError(
                f"candidates = {self.candidates}: this coupling is made from "
                f"{coupling.base_size} base noises; preview needs at least 2 and as many candidates"
            )
        return self.candidates

    def optimize(self, base: Tensor, coupling: Coupling, first: Denoiser) -> Iterator[State]:
        """The loss of the first state is minus what the kept ones are worth: their spread."""
        with torch.no_grad():
            kept, worths = self.kept(base, coupling.base_size, first)
        noise = couple(taken(base, kept), coupling)
        yield State(noise=noise, loss=-worths)
        if self.then is not None:
            yield from self.then.refine(noise, first)

    def kept(self, base: Tensor, size: int, first: Denoiser) -> tuple[Tensor, Tensor]:
        """Which candidates of each gallery are kept, (G, size), and what they are worth, (G,)."""
        clean = first.clean(base, first.output(base))
        return self.chosen(squared_distances(clean.float(), self.window).cpu(), size)

    def chosen(
        self, distances: Tensor, size: int, quality: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """The `size` of each gallery that are worth the most, and what they are worth."""
        qualities = [None] * len(distances) if quality is None else quality
        subsets, worths = [], []
        for each, its in zip(distances, qualities, strict=True):
            subsets.append(select(each, size, spread=self.spread, quality=its))
            worths.append(worth(each, subsets[-1], spread=self.spread, quality=its))
        return torch.stack(subsets), torch.stack(worths)


def taken(x: Tensor, kept: Tensor) -> Tensor:
    """Those of each gallery that are kept: (G, n, ...), (G, m) -> (G, m, ...)."""
    return x[torch.arange(len(x)).unsqueeze(1), kept]
