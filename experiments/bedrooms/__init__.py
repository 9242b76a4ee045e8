"""Rendered bedrooms: scenes, pictures with exact bed masks, captions and prompts."""

from experiments.bedrooms.captions import caption, prompts
from experiments.bedrooms.render import render
from experiments.bedrooms.scene import BED_COLOURS, PALETTE, Scene, sample_scene

__all__ = ["BED_COLOURS", "PALETTE", "Scene", "caption", "prompts", "render", "sample_scene"]
