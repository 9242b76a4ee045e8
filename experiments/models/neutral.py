"""What a published configuration may ask of a pipeline that the suite does not do.

The parts read most of their fields themselves. Some are read by diffusers' pipelines (a VAE's
latents_mean, a text encoder's use_attention_mask), or ask for inputs that ours do not give (class
labels), or belong to another process than DDIM (sigma_data). Each family lists them with the values
at which there is nothing to do; whatever else is there ends the loading, before any network.
"""

from collections.abc import Mapping
from typing import Any

from experiments.errors import UsageError
from experiments.models.loading import Parts

Neutral = Mapping[str, Mapping[str, tuple[Any, ...]]]
"""Part -> field of its configuration -> values that ask for nothing; None: also an absent field."""

CONDITIONED = {
    "_class_name": ("UNet2DConditionModel",),
    "time_cond_proj_dim": (None,),  # guidance as an input
    "class_embed_type": (None,),
    "num_class_embeds": (None,),
    "encoder_hid_dim_type": (None, "text_proj"),  # of images
}
VAE = {"_class_name": ("AutoencoderKL",), "latents_mean": (None,), "latents_std": (None,)}
SCALED_VAE = {**VAE, "shift_factor": (None, 0)}
VARIANCE_PRESERVING = {"sigma_data": (None,), "use_flow_sigmas": (None, False), "shift": (None,)}
LATENTS = {**VARIANCE_PRESERVING, "clip_sample": (False,)}  # absent is true to DDIM


def require_neutral(checkpoint: Parts, neutral: Neutral) -> None:
    """Raises UsageError for the first field that asks for what the suite does not do."""
    for part, fields in neutral.items():
        path, settings = checkpoint.settings(part)
        for field, values in fields.items():
            if (found := settings.get(field)) not in values:
                raise UsageError(
                    f"{path} has {field} = {found}, which is not done here: only "
                    f"{' or '.join(map(str, values))} is; take another checkpoint"
                )
