"""Particle guidance: a repulsive potential between the latents of a gallery.

Corso et al., ICLR 2024, arXiv:2310.13102. With u_i = x_i / alpha, so that u = x_0 + sigma eps,
d_ij = |u_i - u_j| and the kernel k_ij = exp(-d_ij^2 / h_i), the noise estimates become

    eps_i <- eps_i - a sigma^2 sum_{j != i} 2 k_ij (u_i - u_j) / h_i,
    h_i = median_{j != i}(d_ij)^2 / log(K - 1)

where sigma >= `least`: ascent on minus the sum of the kernels, by an amount that falls with the
noise. It takes no network row and no gradient through the network. At K = 2 log(K - 1) is 0 and
there is no bandwidth, so K >= 3. The authors' other kernel, on DINO features of decoded estimates,
needs a decoder's gradient at each step and is not here.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from coupling.steering.base import Course, Steering
from coupling.validation import require_number


@dataclass(frozen=True)
class Particle(Steering):
    """Particle guidance with a kernel on latents.

    scale: a (the paper's for SD1.5: 30); least: the noise level sigma / alpha that it ends at.
    """

    scale: float
    least: float

    def __post_init__(self) -> None:
        require_number(self.scale, "scale")
        require_number(self.least, "least")

    @property
    def whole_gallery(self) -> bool:
        return True

    def require(self, size: int) -> None:
        if size < 3:
            raise ValueError(f"particle guidance of {size} images has no bandwidth; use at least 3")

    def push(self, course: Course, step: int, x: Tensor, clean: Tensor) -> Tensor | None:
        alpha, sigma = course.levels[step]
        if not alpha or sigma / alpha < self.least:
            return None
        level = sigma / alpha
        u = x.float().flatten(2) / alpha
        distances = torch.cdist(u, u, compute_mode="donot_use_mm_for_euclid_dist")
        size = u.shape[1]
        others = ~torch.eye(size, dtype=torch.bool, device=u.device)
        # the lower median of all but itself; to select them by a mask, the host would wait
        far = distances.masked_fill(~others, math.inf)
        bandwidth = far.kthvalue(size // 2, keepdim=True).values.square() / math.log(size - 1)
        kernel = torch.exp(-distances.square() / bandwidth) * others
        force = 2 * (kernel.sum(-1, keepdim=True) * u - kernel @ u) / bandwidth
        # eps moves by -a sigma^2 force, and so x_0 = u - sigma eps by sigma times that
        return (self.scale * level**3 * force).view_as(clean)
