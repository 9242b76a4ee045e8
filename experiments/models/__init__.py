"""Diffusion models behind one protocol; one small file a diffusers family."""

from experiments.models.ddpm import DDPM
from experiments.models.execution import Auto, Execution
from experiments.models.inpainting import StableDiffusionInpainting
from experiments.models.pipeline import Pipeline
from experiments.models.sd3 import SD3
from experiments.models.sdxl import SDXL
from experiments.models.stable_diffusion import StableDiffusion

__all__ = [
    "DDPM",
    "SD3",
    "SDXL",
    "Auto",
    "Execution",
    "Pipeline",
    "StableDiffusion",
    "StableDiffusionInpainting",
]
