"""The repositories that the suite names, as they are published: files, variants, shards, names.

Networks are small, and images have SIZE pixels, PIXELS those of the pixel model. Beside what the
suite needs lie files that it must not want, full precisions and pickles: they hold no network, so
who fetches one does not load it.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import sentencepiece
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from transformers import CLIPTextModel, CLIPTextModelWithProjection

from scripts.rehearsal import networks
from scripts.rehearsal.networks import NOISE, SD_SCHEDULE

SIZE, PIXELS = 64, 32
LATENT = SIZE // 8
UNWANTED = b"nobody needs this file"
BLOCKS = (*["CrossAttnDownBlock2D"] * 3, "DownBlock2D")
SDXL_BLOCKS = ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D")

# Published before diffusers and transformers gave these tensors the names of today.
ATTENTION = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}

UNET2D = ("diffusers", "UNet2DModel")
UNET, VAE = ("diffusers", "UNet2DConditionModel"), ("diffusers", "AutoencoderKL")
TEXT, TOKENIZER = ("transformers", "CLIPTextModel"), ("transformers", "CLIPTokenizer")
PROJECTED = ("transformers", "CLIPTextModelWithProjection")
SD_PARTS = {
    "unet": UNET, "vae": VAE, "text_encoder": TEXT, "tokenizer": TOKENIZER,
    "scheduler": ("diffusers", "PNDMScheduler"),
    "safety_checker": ("stable_diffusion", "StableDiffusionSafetyChecker"),
    "feature_extractor": ("transformers", "CLIPImageProcessor"),
}  # fmt: skip
SDXL_PARTS = {
    "unet": UNET, "vae": VAE, "text_encoder": TEXT, "tokenizer": TOKENIZER,
    "text_encoder_2": PROJECTED, "tokenizer_2": TOKENIZER,
    "scheduler": ("diffusers", "EulerDiscreteScheduler"),
}  # fmt: skip
SD3_PARTS = {
    "transformer": ("diffusers", "SD3Transformer2DModel"), "vae": VAE,
    "text_encoder": PROJECTED, "tokenizer": TOKENIZER,
    "text_encoder_2": PROJECTED, "tokenizer_2": TOKENIZER,
    "text_encoder_3": ("transformers", "T5EncoderModel"),
    "tokenizer_3": ("transformers", "T5TokenizerFast"),
    "scheduler": ("diffusers", "FlowMatchEulerDiscreteScheduler"),
}  # fmt: skip


def sd15(folder: Path) -> None:
    """stable-diffusion-v1-5: every part in two precisions and two formats."""
    _index(folder, "StableDiffusionPipeline", **SD_PARTS)
    _stable_diffusion(folder, in_channels=4)
    _unwanted(folder, ".safetensors", ".bin", ".fp16.bin")
    (folder / "v1-5-pruned-emaonly.safetensors").write_bytes(UNWANTED)


def inpainting(folder: Path) -> None:
    """stable-diffusion-inpainting: safetensors in half precision alone, beside pickles."""
    _index(folder, "StableDiffusionInpaintPipeline", **SD_PARTS)
    _stable_diffusion(folder, in_channels=4 + 1 + 4)
    _unwanted(folder, ".bin")


def sdxl(folder: Path) -> None:
    """stable-diffusion-xl-base-1.0: two text encoders, of which the second pads with "!"."""
    _index(folder, "StableDiffusionXLPipeline", **SDXL_PARTS, force_zeros_for_empty_prompt=True)
    _network(folder / "unet", networks.sdxl_unet(LATENT, (16, 24), blocks=SDXL_BLOCKS), ".fp16")
    vae = networks.vae(SIZE, levels=4, scaling_factor=0.13025, force_upcast=True)
    _network(folder / "vae", vae, ".fp16")
    _text_encoders(folder)
    schedule = {**SD_SCHEDULE, "use_karras_sigmas": False, "prediction_type": "epsilon"}
    schedule |= {"clip_sample": False, "set_alpha_to_one": False}
    _scheduler(folder / "scheduler", "EulerDiscreteScheduler", **schedule)
    _unwanted(folder, ".safetensors")


def sd3(folder: Path) -> None:
    """stable-diffusion-3-medium-diffusers: three text encoders, T5 in shards; one precision of the
    transformer and the VAE, two of the encoders.
    """
    _index(folder, "StableDiffusion3Pipeline", **SD3_PARTS)
    joint, pooled = 48, 16 + 24
    network = networks.transformer(LATENT, channels=16, pooled=pooled, joint=joint)
    _network(folder / "transformer", network, "")
    vae = networks.vae(
        SIZE, levels=4, latent_channels=16, scaling_factor=1.5305, shift_factor=0.0609,
        use_quant_conv=False, use_post_quant_conv=False,
    )  # fmt: skip
    _network(folder / "vae", vae, "")
    _text_encoders(folder, first=CLIPTextModelWithProjection)
    for variant in (".fp16", ""):
        _network(folder / "text_encoder_3", networks.t5(joint), variant, shards=2)
    _t5_tokenizer(folder / "tokenizer_3")
    _scheduler(folder / "scheduler", "FlowMatchEulerDiscreteScheduler", shift=3.0)


def ddpm_bedroom(folder: Path) -> None:
    """ddpm-bedroom-256: no folders, and a pickle alone."""
    _index(folder, "DDPMPipeline", unet=UNET2D, scheduler=("diffusers", "DDPMScheduler"))
    network = networks.pixel_unet(PIXELS, downsample_padding=0, flip_sin_to_cos=False, freq_shift=1)
    network.save_config(folder)
    torch.save(_published(network), folder / "diffusion_pytorch_model.bin")
    schedule = {"beta_start": 1e-4, "beta_end": 0.02, "beta_schedule": "linear"}
    _scheduler(folder, "DDPMScheduler", clip_sample=True, variance_type="fixed_small", **schedule)


def _stable_diffusion(folder: Path, *, in_channels: int) -> None:
    network = networks.unet(LATENT, 16, blocks=BLOCKS, in_channels=in_channels)
    _network(folder / "unet", network, ".fp16")
    _network(folder / "vae", networks.vae(SIZE, levels=4), ".fp16")
    _network(folder / "text_encoder", networks.clip(CLIPTextModel, 16), ".fp16")
    clip_tokenizer(folder / "tokenizer")
    pndm = {**NOISE, "steps_offset": 1, "skip_prk_steps": True, "clip_sample": False}
    _scheduler(folder / "scheduler", "PNDMScheduler", set_alpha_to_one=False, **pndm)
    checker = folder / "safety_checker"
    checker.mkdir()
    (checker / "model.fp16.safetensors").write_bytes(UNWANTED)


def _text_encoders(folder: Path, *, first: type = CLIPTextModel) -> None:
    _network(folder / "text_encoder", networks.clip(first, 16), ".fp16")
    second = networks.clip(CLIPTextModelWithProjection, 24)
    _network(folder / "text_encoder_2", second, ".fp16")
    clip_tokenizer(folder / "tokenizer")
    clip_tokenizer(folder / "tokenizer_2", pad="!")


def _index(folder: Path, kind: str, **more: Any) -> None:
    folder.mkdir(parents=True)
    index = {"_class_name": kind, "_diffusers_version": "0.6.0", **more}
    (folder / "model_index.json").write_text(json.dumps(index))


def _scheduler(folder: Path, kind: str, **settings: Any) -> None:
    folder.mkdir(exist_ok=True)
    config = {"_class_name": kind, "num_train_timesteps": 1000, **settings}
    (folder / "scheduler_config.json").write_text(json.dumps(config))


def _network(folder: Path, network: nn.Module, variant: str, *, shards: int = 1) -> None:
    """A network's configuration, and its weights in half precision under their published names."""
    folder.mkdir(exist_ok=True)
    ours = hasattr(network, "save_config")  # diffusers'
    network.save_config(folder) if ours else network.config.save_pretrained(folder)
    stem = "diffusion_pytorch_model" if ours else "model"
    tensors = {name: tensor.half() for name, tensor in _published(network).items()}
    if shards == 1:
        save(tensors, folder / f"{stem}{variant}.safetensors")
        return
    numbers = {name: 1 + at * shards // len(tensors) for at, name in enumerate(tensors)}
    places = {
        name: f"{stem}{variant}-{number:05d}-of-{shards:05d}.safetensors"
        for name, number in numbers.items()
    }
    for file in dict.fromkeys(places.values()):
        save({name: tensors[name] for name in places if places[name] == file}, folder / file)
    index = {"metadata": {"total_size": sum(t.nbytes for t in tensors.values())}}
    name = f"{stem}.safetensors.index{variant}.json"
    (folder / name).write_text(json.dumps(index | {"weight_map": places}))


def _published(network: nn.Module) -> dict[str, Tensor]:
    """The weights under the names that they were published with."""
    old = isinstance(network, networks.OLD_ATTENTION)
    towers = isinstance(network, CLIPTextModel | CLIPTextModelWithProjection)
    tensors = {}
    for name, tensor in network.state_dict().items():
        if old and "attentions" in name:
            for now, then in ATTENTION.items():
                name = name.replace(f".{now}.", f".{then}.")
        if towers and not name.startswith(("text_model.", "text_projection.")):
            name = f"text_model.{name}"
        tensors[name] = tensor
    return tensors


def save(tensors: Mapping[str, Tensor], path: Path) -> None:
    whole = {name: tensor.contiguous() for name, tensor in tensors.items()}
    save_file(whole, path, metadata={"format": "pt"})


def clip_tokenizer(folder: Path, pad: str = "<|endoftext|>") -> None:
    """vocab.json and merges.txt, without the tokenizer.json of today."""
    folder.mkdir(exist_ok=True)
    tokenizer = networks.clip_tokenizer()
    (folder / "vocab.json").write_text(json.dumps(tokenizer.get_vocab()))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    special = {"bos_token": "<|startoftext|>", "eos_token": "<|endoftext|>"}
    special |= {"unk_token": "<|endoftext|>", "pad_token": pad}
    (folder / "special_tokens_map.json").write_text(json.dumps(special))
    length = networks.CLIP_TOKENS
    config = special | {"tokenizer_class": "CLIPTokenizer", "model_max_length": length}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))


def _t5_tokenizer(folder: Path) -> None:
    """spiece.model beside tokenizer.json, as published."""
    networks.t5_tokenizer().save_pretrained(folder)
    letters = (chr(code) * 3 for code in range(ord("a"), ord("z") + 1))
    with (folder / "spiece.model").open("wb") as file:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=letters, model_writer=file, model_type="char", vocab_size=30,
            minloglevel=2,
        )  # fmt: skip


def _unwanted(folder: Path, *suffixes: str) -> None:
    """Writes, beside each part's weights in half precision, the same in other forms."""
    for path in [*folder.glob("*/*.fp16.safetensors")]:
        for suffix in suffixes:
            path.with_suffix("").with_suffix(suffix).write_bytes(UNWANTED)
