"""Every CLIP that open_clip has on a hub: its name, its tag, and the commit that pins it."""

import re

from metrics.weights.hub import HubVariant
from metrics.weights.variant import WeightsError

PREFIX = "open_clip:"
NETWORK = ("open_clip_config.json", "open_clip_model.safetensors")
TOKENIZER = ("tokenizer.json", "tokenizer_config.json")


def open_clip_variant(source: str) -> HubVariant:
    """Of `open_clip:MODEL/TAG@COMMIT`, from open_clip's own table of names and tags.

    Raises WeightsError: the table has it not, or as a pickle alone; or no commit is named.
    """
    from open_clip import get_model_config
    from open_clip.pretrained import get_pretrained_cfg

    named, _, commit = source.removeprefix(PREFIX).partition("@")
    model, _, tag = named.rpartition("/")
    repository = "/".join(get_pretrained_cfg(model, tag).get("hf_hub", "").split("/")[:2])
    if not repository:
        raise WeightsError(
            f"{source}: open_clip has no {tag or 'tag'} of {model or 'this model'} on a hub; "
            "open_clip.list_pretrained() has all models and tags"
        )
    if not re.fullmatch(r"[0-9a-f]{40}", commit):
        raise WeightsError(
            f"{source} names no commit: write {PREFIX}{named}@COMMIT, the 40 digits of one of "
            f"https://huggingface.co/{repository}/commits/main"
        )
    own_tokenizer = get_model_config(model)["text_cfg"].get("hf_tokenizer_name")
    return HubVariant(
        name=source,
        size=0,
        licence=f"as https://huggingface.co/{repository} says",
        citation=f"open_clip's {model}, {tag}",
        repository=repository,
        revision=commit,
        files=NETWORK + (TOKENIZER if own_tokenizer else ()),
    )
