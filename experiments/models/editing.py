"""Edits of a given image by a model that knows nothing of editing: SDEdit and latent blending.

    SDEdit     x_t ~ q(x_t | x*), sampled from there           (Meng et al., ICLR 2022,
               arXiv:2108.01073)
    blending   after every step the object's part of x_t is replaced by q(x_t | x*)
               (Lugmayr et al., CVPR 2022, arXiv:2201.09865, without its resampling;
               Avrahami et al., SIGGRAPH 2023, arXiv:2206.02779, without its decoder's fit)

x* is given as clean latents (`Model.encode_images`), and the noise is given, so that a coupling
can draw it. The samplers are deterministic. The references are diffusers'
StableDiffusionImg2ImgPipeline, and its StableDiffusionInpaintPipeline with an ordinary UNet.
"""

import torch
from torch import Tensor

from experiments.errors import UsageError
from experiments.models.condition import Condition
from experiments.models.model import Model


def sdedit(
    model: Model, clean: Tensor, noise: Tensor, condition: Condition, *, strength: float
) -> Tensor:
    """Clean latents and noise, both (N, C, h, w) -> edited latents (N, C, h, w).

    Of the model's steps the last are taken (`steps_taken`). Strength 1 still holds what q keeps of
    x*. Raises UsageError as that does.
    """
    clean, noise = (x.to(model.device, model.dtype) for x in (clean, noise))
    start = model.process.num_steps - steps_taken(model, strength)
    x = model.process.diffuse(clean, noise, start)
    return model.sample(x, condition, start=start)


def steps_taken(model: Model, strength: float) -> int:
    """int(num_steps * strength), which is how diffusers rounds: 0.58 of 50 steps, in floating
    point, are 28. Raises UsageError: a strength outside (0, 1], or too small for a single step.
    """
    num_steps = model.process.num_steps
    taken = int(num_steps * strength)
    if not 0 < strength <= 1 or taken == 0:
        raise UsageError(
            f"SDEdit's strength = {strength} must be at most 1, and at least {1 / num_steps:g} "
            f"for one of {num_steps} steps"
        )
    return taken


def blend(
    model: Model, clean: Tensor, noise: Tensor, condition: Condition, *, keep: Tensor
) -> Tensor:
    """Clean latents and noise, both (N, C, h, w) -> latents equal to `clean` where `keep`.

    keep: (N, h, w) or (h, w), boolean, true on the object. The background starts from `noise`, and
    the object is noised with the same one at every step.
    """
    clean, noise = (x.to(model.device, model.dtype) for x in (clean, noise))
    keep = keep.to(model.device).unsqueeze(-3)
    x, last = noise, model.process.num_steps - 1
    for step in range(model.process.num_steps):
        x = model.advance(x, step, condition)
        known = clean if step == last else model.process.diffuse(clean, noise, step + 1)
        x = torch.where(keep, known, x)
    return x
