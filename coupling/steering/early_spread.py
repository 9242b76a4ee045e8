"""Early spread (ours): a gallery comes apart while it is unformed, and the prompt shapes it after.

Three things act in the same direction at the first steps, and none takes a network row:

    start       repulsive noises, X_i = (Z_i - mean(Z)) sqrt(K / (K - 1)): the pairs at -1/(K-1)
    guidance    s_t = s where a <= t < b, else 1, with t in fractions of the steps: before a the
                clean estimates E[x_0 | x_t, y] keep the noises' differences, which s E[.|y] -
                (s - 1) E[.] would shrink; after b the image is formed and s changes little
    repulsion   x_i <- x_i + lambda sum_j max(0, r / |x_i - x_j| - 1) (x_i - x_j), t < c

with r a number, or a factor times a quantile of the gallery's own distances at the first step, so
that it needs no tuning where K, the steps, the guidance or the model change. The start's repulsion
is linear and the model forgets it as the steps go; the third renews it on what the model has made
of the noises, where an image can still move. An unguided step takes one network row an image, so a
gallery costs 2 - (a + 1 - b) of K T rows: no more than independent ones. Where alignment is to
stay, a = 0 and b = 1 (docs/steering.md has what was measured).

Early repulsion is SPELL's (arXiv:2410.06025), the interval that of arXiv:2404.07724; that they are
put together, after a coupling, at equal base noises, is this suite's.
"""

from collections.abc import Sequence

from coupling.steering.base import InTurn
from coupling.steering.guidance import Guidance
from coupling.steering.spell import Spell


def early_spread(
    *,
    guided: Sequence[float],
    scale: float | None,
    repelled: float,
    radius: float | None,
    quantile: float,
    factor: float,
    strength: float,
) -> InTurn:
    """The steering of early spread; its start is `coupling.repulsive`.

    guided: [a, b); scale: s, None for the model's own; repelled: c; a, b and c in fractions of the
    steps. The rest is that of `Spell`.
    """
    spell = Spell(
        radius=radius, quantile=quantile, factor=factor, strength=strength, window=(0.0, repelled)
    )
    guidance = Guidance(scale=scale, window=guided, levels=None)
    return InTurn(parts={"guidance": guidance, "repulsion": spell})
