"""From noise to gallery: how the galleries of a device batch are made, one file a method."""

from experiments.methods.coupled import Coupled
from experiments.methods.judge import CLIPJudge
from experiments.methods.objects.editing import Blending, Inpainting, SDEdit
from experiments.methods.objects.inversion import Inversion, ObjectInversion, Refined
from experiments.methods.piped import Piped

__all__ = [
    "Blending",
    "CLIPJudge",
    "Coupled",
    "Inpainting",
    "Inversion",
    "ObjectInversion",
    "Piped",
    "Refined",
    "SDEdit",
]
