"""What a coupling is: a joint law of K noises with standard normal marginals.

    X = L(Z),   Z_1, ..., Z_m iid N(0, I_D),   X_i ~ N(0, I_D) exactly,   Cov(X_i, X_j) by design.

A coupling is the map L, linear in all but `quasirandom`; the randomness is Z, handed in. To add
one, derive from `Coupling` and give it `size`, `base_size`, `correlation` and `transform`.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

from torch import Tensor

from coupling.noise import base_noise
from coupling.projection import Projection
from coupling.validation import require_a


class Coupling(ABC):
    """A joint law of `size` noises, each N(0, I), made from `base_size` independent ones.

    gaussian: whether it is jointly Gaussian, so that second moments say all of it.
    """

    gaussian: bool = True

    @property
    @abstractmethod
    def size(self) -> int:
        """K, the number of noises in a gallery."""

    @property
    @abstractmethod
    def base_size(self) -> int:
        """m, the number of independent noises that a gallery is made from."""

    @property
    @abstractmethod
    def correlation(self) -> Tensor:
        """E<X_i, X_j> / D, (K, K), float64, with unit diagonal."""

    @property
    def parts(self) -> list[tuple[tuple[Projection, ...], Tensor]]:
        """The whole second moment: pairs (path, R) with Cov(X_i, X_j) = sum R_ij Q Q^T.

        Q is the product P_1 ... P_n of the part's path, and the Q Q^T of all parts add up to I.
        A coupling that treats every coordinate alike is one part with the empty path, Q = I.
        """
        return [((), self.correlation)]

    @abstractmethod
    def transform(self, base: Tensor) -> Tensor:
        """L: base noises (base_size, *shape) -> gallery (size, *shape), differentiable."""

    def couple(self, base: Tensor) -> Tensor:
        """Turn base noises (>= base_size, *shape) into a gallery (size, *shape).

        Only the leading `base_size` rows are used, so that one pool of base noises serves every
        coupling and gallery size. Differentiable; dtype and device are those of `base`: couple in
        float32 and cast afterwards, for in half precision the marginals and sums are only rough.
        Raises ValueError if `base` has fewer than `base_size` rows.
        """
        require_a(Tensor, base, "base")
        rows = len(base) if base.dim() else 0
        if rows < self.base_size:
            raise ValueError(
                f"base holds {rows} noises; valid is >= {self.base_size}, "
                f"which this coupling of K = {self.size} is made from"
            )
        return self.transform(base[: self.base_size])

    def sample(
        self,
        shape: Sequence[int],
        *,
        seed: int,
        job: str = "",
        base: Callable[..., Tensor] = base_noise,
    ) -> Tensor:
        """A gallery (size, *shape) of noises of the given shape, float32, on the CPU.

        A pure function of (seed, job). `base` draws its independent noises: `base_noise`, or
        `torch_noise` for the seeds of other programs; see `coupling.noise`.
        """
        return self.couple(base(shape, seed=seed, job=job, members=range(self.base_size)))
