"""NOISE nodes for ComfyUI: a batch of latents starts from coupled noises; and one that saves them.

Connect one, under sampling/custom_sampling/noise, to SamplerCustomAdvanced.

ComfyUI's NOISE is any object with a `seed` and `generate_noise(latent)`, as its own RandomNoise
makes one. Latents are {"samples": (B, *shape)}, of images or videos, or several such tensors in one
(nested: a video and its sound), each of which gets noises of its own. "batch_index", if it is
there, says which images of a larger batch these are, so that one of them can be made again alone.
Image b is the member b mod K of the gallery b div K: a batch of 2 K is two galleries.

All that decides about a noise is a widget, so the workflow that ComfyUI writes into its files
makes it again.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn.functional import interpolate

import coupling
from coupling import Coupling, Projection, equicorrelated, frequency_band, subspace
from coupling.validation import require_integer, require_items

NAMED: dict[str, Callable[[int], Coupling]] = {
    "repulsive": coupling.repulsive,
    "antithetic": coupling.antithetic,
    "iid": coupling.iid,
    "identical": coupling.identical,
}
SEED = ("INT", {"default": 0, "min": 0, "max": 2**64 - 1, "control_after_generate": True})
GALLERY_SIZE = ("INT", {"default": 4, "min": 2, "max": 4096})
SIDES = {"inside": (list(NAMED),), "outside": (list(NAMED), {"default": "iid"})}


@dataclass(frozen=True)
class CoupledNoise:
    """ComfyUI's NOISE: galleries, one after another through the batch.

    `law`: the coupling, by the shape of one noise.
    """

    law: Callable[[Sequence[int]], Coupling]
    seed: int

    def generate_noise(self, input_latent: Mapping[str, Any]) -> Any:
        """Noise of the form, shape and dtype of the latents, on the CPU.

        Raises ValueError if `batch_index` does not name every image, or the law is none of theirs.
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
        count, shape = len(samples), samples.shape[1:]
        numbers = require_items(range(count) if indices is None else indices, "batch_index")
        if len(numbers) != count:
            raise ValueError(f"batch_index names {len(numbers)} images; valid is all {count}")
        if not numbers:
            return torch.empty(samples.shape, dtype=samples.dtype)
        law = self.law(shape)
        whole = [require_integer(number, "batch_index", least=0) for number in numbers]
        places = [divmod(number, law.size) for number in whole]
        galleries = {
            number: law.sample(shape, seed=self.seed, job=f"{number}{part}")
            for number in {number for number, _ in places}
        }
        noise = torch.stack([galleries[number][member] for number, member in places])
        return noise.to(samples.dtype)


class _NoiseNode:
    RETURN_TYPES = ("NOISE",)
    FUNCTION = "get_noise"
    CATEGORY = "sampling/custom_sampling/noise"
    DESCRIPTION: ClassVar[str | None]
    OWN: ClassVar[dict]  # the inputs that say which law

    def __init_subclass__(cls) -> None:
        cls.DESCRIPTION = cls.__doc__

    @classmethod
    def INPUT_TYPES(cls) -> dict:
        return {"required": {"noise_seed": SEED, **cls.OWN, "gallery_size": GALLERY_SIZE}}


class NamedNoiseNode(_NoiseNode):
    """A coupling that is chosen by its name."""

    OWN: ClassVar = {"coupling": (list(NAMED),)}

    def get_noise(self, noise_seed: int, coupling: str, gallery_size: int) -> tuple[CoupledNoise]:
        law = NAMED[coupling](gallery_size)
        return (CoupledNoise(lambda shape: law, noise_seed),)


class EquicorrelatedNoiseNode(_NoiseNode):
    """Every two noises have the correlation rho in [-1/(K-1), 1]."""

    OWN: ClassVar = {"rho": ("FLOAT", {"default": -0.25, "min": -1.0, "max": 1.0, "step": 0.01})}

    def get_noise(self, noise_seed: int, rho: float, gallery_size: int) -> tuple[CoupledNoise]:
        law = equicorrelated(gallery_size, rho)
        return (CoupledNoise(lambda shape: law, noise_seed),)


class BandNoiseNode(_NoiseNode):
    """One coupling on the frequencies low <= |f| < high, in cycles per latent pixel, another on the
    rest. 0 is the mean, 0.5 the finest stripe, 0.71 the finest checkerboard."""

    OWN: ClassVar = {
        "low": ("FLOAT", {"default": 0.0, "min": 0.0, "max": 1.0, "step": 0.01}),
        "high": ("FLOAT", {"default": 0.1, "min": 0.0, "max": 1.0, "step": 0.01}),
        **SIDES,
    }

    def get_noise(self, low: float, high: float, **law: Any) -> tuple[CoupledNoise]:
        return (_on_a_part(lambda shape: frequency_band(low, high, shape=shape), **law),)


class MaskNoiseNode(_NoiseNode):
    """One coupling where half of a latent pixel or more is in the mask, another elsewhere."""

    OWN: ClassVar = {"mask": ("MASK",), **SIDES}

    def get_noise(self, mask: Tensor, **law: Any) -> tuple[CoupledNoise]:
        if mask.dim() != 2 and len(mask) != 1:
            raise ValueError(f"the mask has {len(mask)} pictures; valid is one, for all images")
        picture = mask.reshape(1, 1, *mask.shape[-2:]).float().cpu()

        def region(shape: Sequence[int]) -> Projection:
            return coupling.mask(interpolate(picture, tuple(shape), mode="area")[0, 0] >= 0.5)

        return (_on_a_part(region, **law),)


def _on_a_part(
    part: Callable[[Sequence[int]], Projection],
    *,
    noise_seed: int,
    inside: str,
    outside: str,
    gallery_size: int,
) -> CoupledNoise:
    """`part`: which, of a picture's rows and columns. Raises ValueError if it is none of any."""
    within, without = NAMED[inside](gallery_size), NAMED[outside](gallery_size)

    def law(shape: Sequence[int]) -> Coupling:
        if len(shape) < 3:
            raise ValueError(f"latents of {tuple(shape)} have no rows and columns to choose from")
        return subspace(part(shape[-2:]), inside=within, outside=without)

    law((1, 1, 1))
    return CoupledNoise(law, noise_seed)


class SaveNoiseNode:
    """The noises of these latents in a safetensors file, with the workflow that makes them."""

    RETURN_TYPES = ()
    FUNCTION = "save"
    OUTPUT_NODE = True
    CATEGORY = _NoiseNode.CATEGORY
    DESCRIPTION = __doc__

    @classmethod
    def INPUT_TYPES(cls) -> dict:
        return {
            "required": {
                "noise": ("NOISE",),
                "latent_image": ("LATENT",),
                "filename_prefix": ("STRING", {"default": "noises/noise"}),
            },
            "hidden": {"prompt": "PROMPT", "extra_pnginfo": "EXTRA_PNGINFO"},
        }

    def save(
        self,
        noise: Any,
        latent_image: Mapping[str, Any],
        filename_prefix: str,
        prompt: Any = None,
        extra_pnginfo: Mapping[str, Any] | None = None,
    ) -> dict:
        """Writes the tensor `noise`, and `noise/1`, ... of nested latents, in 32 bits."""
        import folder_paths
        from comfy.cli_args import args
        from safetensors.torch import save_file

        drawn = noise.generate_noise(latent_image)
        parts = [drawn] if isinstance(drawn, Tensor) else drawn.unbind()
        tensors = {
            f"noise/{number}" if number else "noise": part.float().contiguous()
            for number, part in enumerate(parts)
        }
        told = {} if args.disable_metadata else {"prompt": prompt, **(extra_pnginfo or {})}
        folder, name, counter, subfolder, _ = folder_paths.get_save_image_path(
            filename_prefix, folder_paths.get_output_directory()
        )
        file = f"{name}_{counter:05}_.safetensors"
        metadata = {key: json.dumps(value) for key, value in told.items()}
        save_file(tensors, Path(folder) / file, metadata=metadata)
        return {"ui": {"files": [{"filename": file, "subfolder": subfolder, "type": "output"}]}}


NODE_CLASS_MAPPINGS = {
    "CoupleToControlNoise": NamedNoiseNode,
    "CoupleToControlEquicorrelatedNoise": EquicorrelatedNoiseNode,
    "CoupleToControlBandNoise": BandNoiseNode,
    "CoupleToControlMaskNoise": MaskNoiseNode,
    "CoupleToControlSaveNoise": SaveNoiseNode,
}
NODE_DISPLAY_NAME_MAPPINGS = {
    "CoupleToControlNoise": "Coupled Noise",
    "CoupleToControlEquicorrelatedNoise": "Equicorrelated Noise",
    "CoupleToControlBandNoise": "Subspace Noise (band)",
    "CoupleToControlMaskNoise": "Subspace Noise (mask)",
    "CoupleToControlSaveNoise": "Save Noise",
}
