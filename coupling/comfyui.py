"""NOISE nodes for ComfyUI: a batch of latents starts from coupled noises.

Put these lines into a file of ComfyUI's `custom_nodes` folder, such as `couple_to_control.py`:

    from coupling.comfyui import NODE_CLASS_MAPPINGS, NODE_DISPLAY_NAME_MAPPINGS

and connect a node of them, under sampling/custom_sampling/noise, to SamplerCustomAdvanced.

ComfyUI's NOISE is any object with a `seed` and `generate_noise(latent)`, as its own RandomNoise
makes one. Latents are {"samples": (B, *shape)}, of images or videos, or several such tensors in one
(nested: a video and its sound), each of which gets noises of its own. "batch_index", if it is
there, says which images of a larger batch these are, so that one of them can be made again alone.
Image b is the member b mod K of the gallery b div K: a batch of 2 K is two galleries.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from coupling.law import Coupling
from coupling.named import antithetic, equicorrelated, identical, iid, repulsive
from coupling.validation import require_integer, require_items

NAMED: dict[str, Callable[[int], Coupling]] = {
    "repulsive": repulsive,
    "antithetic": antithetic,
    "iid": iid,
    "identical": identical,
}
SEED = ("INT", {"default": 0, "min": 0, "max": 2**64 - 1, "control_after_generate": True})
GALLERY_SIZE = ("INT", {"default": 4, "min": 2, "max": 4096})


@dataclass(frozen=True)
class CoupledNoise:
    """ComfyUI's NOISE: galleries of `coupling`, one after another through the batch."""

    coupling: Coupling
    seed: int

    def generate_noise(self, input_latent: Mapping[str, Any]) -> Any:
        """Noise of the form, shape and dtype of the latents, on the CPU.

        Raises ValueError if `batch_index` does not name every image.
        """
        samples, indices = input_latent["samples"], input_latent.get("batch_index")
        if isinstance(indices, Tensor):
            indices = indices.tolist()
        if isinstance(samples, Tensor):
            return self._noise(samples, indices, part="")
        # the first part has the noise that it would have alone
        parts = [
            self._noise(tensor, indices, part=f"/{number}" if number else "")
            for number, tensor in enumerate(samples.unbind())
        ]
        return type(samples)(parts)

    def _noise(self, samples: Tensor, indices: Any, *, part: str) -> Tensor:
        count = len(samples)
        numbers = require_items(range(count) if indices is None else indices, "batch_index")
        if len(numbers) != count:
            raise ValueError(f"batch_index names {len(numbers)} images; valid is all {count}")
        if not numbers:
            return torch.empty(samples.shape, dtype=samples.dtype)
        whole = [require_integer(number, "batch_index", least=0) for number in numbers]
        places = [divmod(number, self.coupling.size) for number in whole]
        galleries = {
            number: self.coupling.sample(samples.shape[1:], seed=self.seed, job=f"{number}{part}")
            for number in {number for number, _ in places}
        }
        noise = torch.stack([galleries[number][member] for number, member in places])
        return noise.to(samples.dtype)


class _NoiseNode:
    RETURN_TYPES = ("NOISE",)
    FUNCTION = "get_noise"
    CATEGORY = "sampling/custom_sampling/noise"
    OWN: ClassVar[dict]  # the input that says which law

    @classmethod
    def INPUT_TYPES(cls) -> dict:
        return {"required": {"noise_seed": SEED, **cls.OWN, "gallery_size": GALLERY_SIZE}}


class NamedNoiseNode(_NoiseNode):
    """A coupling that is chosen by its name."""

    OWN: ClassVar = {"coupling": (list(NAMED),)}

    def get_noise(self, noise_seed: int, coupling: str, gallery_size: int) -> tuple[CoupledNoise]:
        return (CoupledNoise(NAMED[coupling](gallery_size), noise_seed),)


class EquicorrelatedNoiseNode(_NoiseNode):
    """Every two noises have the correlation rho in [-1/(K-1), 1]."""

    OWN: ClassVar = {"rho": ("FLOAT", {"default": -0.25, "min": -1.0, "max": 1.0, "step": 0.01})}

    def get_noise(self, noise_seed: int, rho: float, gallery_size: int) -> tuple[CoupledNoise]:
        return (CoupledNoise(equicorrelated(gallery_size, rho), noise_seed),)


NODE_CLASS_MAPPINGS = {
    "CoupleToControlNoise": NamedNoiseNode,
    "CoupleToControlEquicorrelatedNoise": EquicorrelatedNoiseNode,
}
NODE_DISPLAY_NAME_MAPPINGS = {
    "CoupleToControlNoise": "Coupled Noise",
    "CoupleToControlEquicorrelatedNoise": "Equicorrelated Noise",
}
