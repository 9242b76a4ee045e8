"""Refine a gallery's shared object, and leave its coupled background as it was drawn.

The paper's (3), 4.2: for the image x* with object mask M and a differentiable map G from noise to
image, every noise z_i of a gallery minimises

    || M (G(z_i) - x*) ||^2   over the object's part of z_i,   by Adam,

starting from X_i = m z* + (1 - m) R_i: inverted noise z* on the object, a coupling R outside; m is
M in noise coordinates. After every step the background is R_i again, bit for bit, so that the
coupling's law holds there. The loss sees the object only; the background of the images moves with
the object's noise all the same. The object's noise is no longer N(0, I), and is not meant to be.
G is not clamped to the range of images: a pixel that has left it is still led back.

Rows do not see one another: their losses are summed and Adam is elementwise (Kingma & Ba, ICLR
2015, arXiv:1412.6980, betas 0.9 and 0.999), so a row's path is the same in any batch, up to how G
itself rounds.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from coupling.optimizers.base import descend

GRADIENT_SCALE = 2.0**-6
"""Of the loss, while it is differentiated: a sum over an object has gradients that half precision
can hold, but not with much to spare above. A power of two leaves single precision as it is."""


@dataclass(frozen=True, eq=False)
class ForegroundState:
    """The noises after `step` steps of Adam, and what they give.

    Attributes:
        step: 0 is the start, as it was handed in.
        noise: (N, C, h, w).
        images: G(noise), (N, 3, H, W), not clamped.
        loss: `foreground_loss` of every row, (N,).
    """

    step: int
    noise: Tensor
    images: Tensor
    loss: Tensor


def foreground_loss(images: Tensor, references: Tensor, masks: Tensor) -> Tensor:
    """|| M (images - x*) ||^2 of every row, (N,): a sum over the object's pixels and channels.

    images, references: (N, 3, H, W); masks: (N, H, W), boolean.
    """
    return ((images - references) * masks.unsqueeze(1)).square().sum((1, 2, 3))


def refine_foreground(
    generate: Callable[[Tensor], Tensor],
    noise: Tensor,
    *,
    references: Tensor,
    masks: Tensor,
    regions: Tensor,
    learning_rate: float,
    num_steps: int,
) -> Iterator[ForegroundState]:
    """Yields the state before the first step and after each of `num_steps`: num_steps + 1 states.

    Asking for the next state computes it; one run gives every checkpoint on its way. A state costs
    one G forward and, the last one excepted, backward.

    Args:
        generate: G, noise (N, C, h, w) -> images (N, 3, H, W), differentiable, not clamped.
        noise: the start, (N, C, h, w), its background drawn by a coupling. Optimised in its dtype.
        references: x*, one a row, (N, 3, H, W).
        masks: M, one a row, (N, H, W), boolean, true on the object; on the device of the images.
        regions: m, one a row, (N, h, w), boolean; on the device of the noise.

    Raises:
        ValueError: rows, sizes or dtypes that do not fit together.
        FloatingPointError: a loss or its gradient is not finite; names the step and the remedy.
    """
    for name, mask, of in (("masks", masks, references), ("regions", regions, noise)):
        expected = (len(noise), *of.shape[2:])
        if mask.dtype != torch.bool or mask.shape != expected:
            raise ValueError(
                f"the {name} are {mask.dtype} of shape {tuple(mask.shape)}; "
                f"valid is torch.bool of shape {expected}"
            )
    start, region = noise.detach(), regions.unsqueeze(1)
    made: list[Tensor] = []

    def loss_of(z: Tensor) -> Tensor:
        images = generate(z)
        made.append(images.detach())
        return foreground_loss(images, references, masks)

    def states() -> Iterator[ForegroundState]:
        z = start
        for step, state in enumerate(steps):  # its loss is that of the noise before the step
            yield ForegroundState(step, z, made.pop(), state.loss)
            z = state.noise
        with torch.no_grad():
            loss = loss_of(z)
        yield ForegroundState(num_steps, z, made.pop(), loss)

    steps = descend(
        start,
        loss_of,
        num_steps=num_steps,
        learning_rate=learning_rate,
        project=lambda z: torch.where(region, z, start),
        scale=GRADIENT_SCALE,
    )
    return states()
