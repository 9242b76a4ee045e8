"""From noise to gallery: how the galleries of a device batch are made, one file a method."""

from experiments.methods.coupled import Coupled
from experiments.methods.objects.editing import Blending, Inpainting, SDEdit
from experiments.methods.objects.inversion import Inversion, ObjectInversion, Refined
from experiments.methods.piped import Piped

__all__ = [
    "Blending",
    "Coupled",
    "Inpainting",
    "Inversion",
    "ObjectInversion",
    "Piped",
    "Refined",
    "SDEdit",
]
