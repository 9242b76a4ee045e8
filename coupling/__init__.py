"""Couplings: a gallery of K noises, each exactly N(0, I), that depend on one another by design.

A diffusion model sees one noise X_i at a time, so any joint law with standard normal marginals
leaves every single image as it was and changes only how the images of a gallery relate. This
package holds such laws. It needs torch and nothing else, and plugs into whatever takes latents:

>>> import coupling
>>> latents = coupling.repulsive(4).sample((4, 64, 64), seed=7)
>>> latents.shape, latents.dtype
(torch.Size([4, 4, 64, 64]), torch.float32)

A diffusers pipeline is asked for the shape itself, see `coupling.diffusers`:

    latents = coupling.diffusers.latents(pipe, prompt, coupling.repulsive(4), seed=7)
    images = pipe(prompt, num_images_per_prompt=4, latents=latents).images

The four noises push one another away as far as the law allows:

>>> coupling.repulsive(4).correlation[0]
tensor([ 1.0000, -0.3333, -0.3333, -0.3333], dtype=torch.float64)
>>> latents.sum(dim=0).abs().max().item() < 1e-5
True

A subspace coupling treats a part of the noise differently, here a shared left half:

>>> import torch
>>> left = torch.arange(64).expand(64, 64) < 32
>>> shared_left = coupling.subspace(
...     coupling.mask(left), inside=coupling.identical(4), outside=coupling.repulsive(4)
... )
>>> latents = shared_left.sample((4, 64, 64), seed=7)
>>> torch.equal(latents[0][..., left], latents[3][..., left])
True

Source: "Couple to Control: Joint Initial Noise Design in Diffusion Models", arXiv:2605.11311.
"""

from coupling import diffusers as diffusers  # a plug-in; kept out of __all__, `diffusers` is theirs
from coupling.growth import grow
from coupling.law import Coupling
from coupling.learned import full_gradient, near_repulsive, random_coupling, skip_gradient
from coupling.matrix import MatrixCoupling, from_correlation, from_matrix
from coupling.named import antithetic, equicorrelated, identical, iid, repulsive
from coupling.nets import Quasirandom, quasirandom
from coupling.noise import base_noise, stream_key, torch_noise
from coupling.optimizers import (
    Contrastive,
    DivIn,
    GroupInference,
    NoiseOptimizer,
    PairwiseDistance,
    Preview,
    ReleasedContrastive,
)
from coupling.projection import Projection, channels, frequency_band, mask, span
from coupling.steering import (
    CADS,
    DAVE,
    ConditionNoise,
    Guidance,
    InTurn,
    Particle,
    Spell,
    Steering,
    early_spread,
)
from coupling.subspaces import SubspaceCoupling, subspace

__all__ = [
    "CADS",
    "DAVE",
    "ConditionNoise",
    "Contrastive",
    "Coupling",
    "DivIn",
    "GroupInference",
    "Guidance",
    "InTurn",
    "MatrixCoupling",
    "NoiseOptimizer",
    "PairwiseDistance",
    "Particle",
    "Preview",
    "Projection",
    "Quasirandom",
    "ReleasedContrastive",
    "Spell",
    "Steering",
    "SubspaceCoupling",
    "antithetic",
    "base_noise",
    "channels",
    "early_spread",
    "equicorrelated",
    "frequency_band",
    "from_correlation",
    "from_matrix",
    "full_gradient",
    "grow",
    "identical",
    "iid",
    "mask",
    "near_repulsive",
    "quasirandom",
    "random_coupling",
    "repulsive",
    "skip_gradient",
    "span",
    "stream_key",
    "subspace",
    "torch_noise",
]
