"""Subspace couplings: one law on a part of the noise, another on the rest.

    X_i = P U_i + (I - P) V_i,   U and V two independent couplings of K noises, P a projection.

The marginals stay N(0, I), because P U_i and (I - P) V_i are independent and together fill the
space. They need not come from two sets of base noises: for Z ~ N(0, I), P Z and (I - P) Z are
uncorrelated and jointly Gaussian, hence independent. So both couplings take the *same* base noises,

    X_i = P inside(Z)_i + (I - P) outside(Z)_i,

which has exactly the law above and keeps common random numbers: where both are iid, X = Z.

The argument asks that P commutes with what the two couplings do. A matrix coupling gives every
coordinate the same weights, so P does. Where subspaces are nested it must commute with their
projections, too: masks do with masks, bands with bands, channels with all of these. Where it does
not, as with a mask and a frequency band, sharing Z would spoil the marginals; then `outside` takes
base noises of its own, those that follow the ones of `inside`.
"""

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from coupling.law import Coupling
from coupling.projection import Projection, commute, product_fraction
from coupling.validation import require_a


@dataclass(frozen=True)
class SubspaceCoupling(Coupling):
    """`inside` on the range of `projection`, `outside` on its complement; see `subspace`."""

    projection: Projection
    inside: Coupling
    outside: Coupling

    def __post_init__(self) -> None:
        require_a(Projection, self.projection, "projection")
        require_a(Coupling, self.inside, "inside")
        require_a(Coupling, self.outside, "outside")
        if self.inside.size != self.outside.size:
            raise ValueError(
                f"inside has K = {self.inside.size} and outside K = {self.outside.size}; "
                "valid are equal sizes"
            )
        _ = self.outside_start  # nested projections of unlike shapes are refused at once

    @property
    def gaussian(self) -> bool:  # type: ignore[override]
        return self.inside.gaussian and self.outside.gaussian

    @property
    def size(self) -> int:
        return self.inside.size

    @property
    def base_size(self) -> int:
        return max(self.inside.base_size, self.outside_start + self.outside.base_size)

    @cached_property
    def outside_start(self) -> int:
        """The first base noise of `outside`: 0, unless nested projections do not commute."""
        nested = [p for path, _ in (*self.inside.parts, *self.outside.parts) for p in path]
        shared = all(commute(self.projection, p) for p in nested)
        return 0 if shared else self.inside.base_size

    @property
    def parts(self) -> list[tuple[tuple[Projection, ...], Tensor]]:
        sides = ((self.projection, self.inside), (self.projection.complement, self.outside))
        return [((p, *path), r) for p, coupling in sides for path, r in coupling.parts]

    @cached_property
    def correlation(self) -> Tensor:
        """f R_in + (1 - f) R_out, f = tr P / D; each part weighs what its projections let through.

        Computed once; slow only where bands or spans are nested in one another (see
        `coupling.projection.product_fraction`).
        """
        weighted = [product_fraction(path) * correlation for path, correlation in self.parts]
        return torch.stack(weighted).sum(dim=0)

    def transform(self, base: Tensor) -> Tensor:
        inside = self.projection(self.inside.couple(base))
        outside = self.projection.complement(self.outside.couple(base[self.outside_start :]))
        return inside + outside


def subspace(projection: Projection, *, inside: Coupling, outside: Coupling) -> SubspaceCoupling:
    """X_i = P inside(Z)_i + (I - P) outside(Z)_i: two independent laws, common base noises.

    `inside` and `outside` are couplings of one size K, and may be subspace couplings themselves.
    Raises ValueError if the sizes differ or nested projections act on unlike shapes; coupling a
    noise of another shape than the projection's raises ValueError, too.

    >>> from coupling import channels, iid, repulsive
    >>> subspace(channels([0], of=4), inside=repulsive(3), outside=iid(3)).correlation
    tensor([[ 1.0000, -0.1250, -0.1250],
            [-0.1250,  1.0000, -0.1250],
            [-0.1250, -0.1250,  1.0000]], dtype=torch.float64)
    """
    return SubspaceCoupling(projection, inside=inside, outside=outside)
