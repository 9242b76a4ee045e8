"""Diffusion models behind one protocol; one small file a diffusers family."""
