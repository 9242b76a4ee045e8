"""Train the bundled small model on rendered bedrooms.

    python scripts/tiny/train.py --work build/tiny --out experiments/models/tiny

Stages, in order:

vae      AutoencoderKL: mean squared error and a little KL; then its latents are standardised.
clip     CLIPModel on images and captions (Radford et al. 2021).
unet     UNet and text encoder (at first the CLIP's) together: epsilon prediction on the frozen
         encoder's latents (Rombach et al. 2022), captions dropped at times for guidance.
decoder  The autoencoder's decoder alone, on the same latents: the more it learns, the sharper the
         pictures, and the UNet need not know.
ddpm     Unconditional, in pixels (Ho et al. 2020).

Each stage resumes from its checkpoint under --work and then writes an ordinary diffusers or
transformers folder under --out (fp16 safetensors), in one rename.
"""

import argparse
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from architectures import DDPM_SIZE, IMAGE_SIZE, MODEL, new_tokenizer, untrained
from data import SCENES, normal, scenes_and_captions, to_tensor, training_images
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    DDPMPipeline,
    DDPMScheduler,
    StableDiffusionPipeline,
    UNet2DConditionModel,
    UNet2DModel,
)
from fit import fit
from torch import Tensor, nn
from transformers import (
    CLIPConfig,
    CLIPImageProcessor,
    CLIPModel,
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTokenizer,
)

from experiments.errors import command

KL_WEIGHT = 5e-4  # per pixel value, beside the mean squared error
LATENT_STD = 5.0  # of the stored autoencoder; the pipeline scales by its inverse
CAPTION_DROPOUT = 0.1

# steps, batch, peak learning rate
RECIPES = {
    "vae": (1300, 16, 2e-3),
    "clip": (600, 96, 1e-3),
    "unet": (3600, 64, 1.5e-3),
    "decoder": (1300, 16, 1e-3),
    "ddpm": (1200, 32, 1.5e-3),
}


def train_vae(work: Path, out: Path, device: str) -> None:
    steps, batch, peak = RECIPES["vae"]
    images = training_images(work)

    def loss(vae: AutoencoderKL, rng: np.random.Generator) -> Tensor:
        x = to_tensor(images[np.sort(rng.integers(SCENES, size=batch))], device)
        posterior = vae.encode(x).latent_dist
        z = posterior.mean + posterior.std * normal(rng, posterior.mean)
        kl = posterior.kl().sum() / x.numel()
        return F.mse_loss(vae.decode(z).sample, x) + KL_WEIGHT * kl

    torch.manual_seed(0)
    vae = untrained(AutoencoderKL, "pipeline/vae")
    vae = vae.to(device, memory_format=torch.channels_last)
    vae = fit("vae", work, vae, loss, steps=steps, peak=peak).eval()
    standardise(vae, torch.cat([m[:, :4] for m in moments(vae, images[:2000], device)]).float())
    vae.save_pretrained(work / "vae")
    torch.save(torch.cat(list(moments(vae, images, device))), work / "moments.pt")


@torch.no_grad()
def moments(vae: AutoencoderKL, images: np.ndarray, device: str) -> Iterator[Tensor]:
    """Posterior mean and log-variance of every image, batches of (B, 8, 16, 16) float16."""
    for start in range(0, len(images), 100):
        posterior = vae.encode(to_tensor(images[start : start + 100], device)).latent_dist
        yield torch.cat([posterior.mean, posterior.logvar], 1).half().cpu()


@torch.no_grad()
def standardise(vae: AutoencoderKL, means: Tensor) -> None:
    """Gives every latent channel mean 0 and std `LATENT_STD`, leaving the autoencoder's output.

    Both 1x1 convolutions beside the latents absorb the affine map z' = (z - m) / s exactly. The
    scaling factor then gives the UNet unit standard deviation, as in Stable Diffusion.
    """
    m = means.mean(dim=(0, 2, 3)).to(vae.device)
    s = means.std(dim=(0, 2, 3)).to(vae.device) / LATENT_STD
    inner, outer = vae.quant_conv, vae.post_quant_conv
    outer.bias += outer.weight[:, :, 0, 0] @ m
    outer.weight *= s[None, :, None, None]
    inner.weight[:4] /= s[:, None, None, None]
    inner.bias[:4] = (inner.bias[:4] - m) / s
    inner.bias[4:] -= 2 * s.log()
    vae.register_to_config(scaling_factor=1 / LATENT_STD)


def train_clip(work: Path, out: Path, device: str) -> None:
    steps, batch, peak = RECIPES["clip"]
    images, tokenizer = training_images(work), training_tokenizer(work)

    def loss(clip: CLIPModel, rng: np.random.Generator) -> Tensor:
        indices, texts = scenes_and_captions(rng, batch)
        tokens = tokenizer(texts, padding=True, return_tensors="pt").to(device)
        x = to_tensor(images[indices], device)
        return clip(**tokens, pixel_values=x, return_loss=True).loss

    torch.manual_seed(1)
    model = CLIPModel(CLIPConfig.from_pretrained(MODEL / "clip")).to(device)
    clip = fit("clip", work, model, loss, steps=steps, peak=peak).half()
    processor = CLIPImageProcessor.from_pretrained(MODEL / "clip")
    parts = (clip, training_tokenizer(work), processor)  # one that has not been told to pad
    replace_folder(out / "clip", lambda path: [part.save_pretrained(path) for part in parts])


def train_unet(work: Path, out: Path, device: str) -> None:
    steps, batch, peak = RECIPES["unet"]
    tokenizer = training_tokenizer(work)
    alphas_cumprod = untrained(DDIMScheduler, "pipeline/scheduler").alphas_cumprod.to(device)
    stored = torch.load(work / "moments.pt", weights_only=True, mmap=True)
    # SNR + 1 weighting (Salimans and Ho 2022): plain epsilon errors hardly count where t is large,
    # and there the prompt matters most.
    weights = 1 / alphas_cumprod
    weights /= weights.mean()

    def loss(model: nn.ModuleDict, rng: np.random.Generator) -> Tensor:
        indices, texts = scenes_and_captions(rng, batch, CAPTION_DROPOUT)
        x_0 = posterior_sample(stored, indices, rng, device) / LATENT_STD
        tokens = tokenizer(texts, padding="max_length", return_tensors="pt").input_ids.to(device)
        # One t per stratum of the batch: the loss, and so its gradient, varies less.
        t = (1000 * (np.arange(batch) + rng.random(batch)) / batch).astype(np.int64)
        t = torch.from_numpy(t).to(device)
        epsilon = normal(rng, x_0)
        states = model["text_encoder"](tokens).last_hidden_state
        found = model["unet"](noised(x_0, epsilon, alphas_cumprod[t]), t, states).sample
        error = F.mse_loss(found, epsilon, reduction="none")
        return (weights[t] * error.mean(dim=(1, 2, 3))).mean()

    torch.manual_seed(2)
    text_encoder = CLIPTextModel(CLIPTextConfig.from_pretrained(MODEL / "pipeline/text_encoder"))
    # From scratch the UNet learns to draw well before it starts to listen.
    text_encoder.load_state_dict(CLIPModel.from_pretrained(out / "clip").text_model.state_dict())
    unet = untrained(UNet2DConditionModel, "pipeline/unet")
    model = nn.ModuleDict({"unet": unet, "text_encoder": text_encoder.float()})
    model = model.to(device, memory_format=torch.channels_last)
    average = fit("unet", work, model, loss, steps=steps, peak=peak)
    average["unet"].save_pretrained(work / "unet")
    average["text_encoder"].save_pretrained(work / "text_encoder")
    write_pipeline(work, out)


def train_decoder(work: Path, out: Path, device: str) -> None:
    steps, batch, peak = RECIPES["decoder"]
    images = training_images(work)
    stored = torch.load(work / "moments.pt", weights_only=True, mmap=True)

    def loss(vae: AutoencoderKL, rng: np.random.Generator) -> Tensor:
        indices = np.sort(rng.integers(SCENES, size=batch))
        z = posterior_sample(stored, indices, rng, device)
        return F.mse_loss(vae.decode(z).sample, to_tensor(images[indices], device))

    vae = AutoencoderKL.from_pretrained(work / "vae").to(device, memory_format=torch.channels_last)
    vae.encoder.requires_grad_(False)
    vae.quant_conv.requires_grad_(False)
    average = fit("decoder", work, vae, loss, steps=steps, peak=peak)
    average.save_pretrained(work / "vae_decoder")
    if (work / "unet").exists():
        write_pipeline(work, out)


def train_ddpm(work: Path, out: Path, device: str) -> None:
    steps, batch, peak = RECIPES["ddpm"]
    images = training_images(work)
    torch.manual_seed(3)
    scheduler = untrained(DDPMScheduler, "ddpm/scheduler")
    model = untrained(UNet2DModel, "ddpm/unet").to(device, memory_format=torch.channels_last)
    alphas_cumprod = scheduler.alphas_cumprod.to(device)

    def loss(unet: nn.Module, rng: np.random.Generator) -> Tensor:
        x = to_tensor(images[np.sort(rng.integers(SCENES, size=batch))], device)
        x_0 = F.avg_pool2d(x, IMAGE_SIZE // DDPM_SIZE)
        t = torch.from_numpy(rng.integers(1000, size=batch)).to(device)
        epsilon = normal(rng, x_0)
        return F.mse_loss(unet(noised(x_0, epsilon, alphas_cumprod[t]), t).sample, epsilon)

    average = fit("ddpm", work, model, loss, steps=steps, peak=peak).half()
    replace_folder(out / "ddpm", DDPMPipeline(average, scheduler).save_pretrained)


def posterior_sample(
    stored: Tensor, indices: np.ndarray, rng: np.random.Generator, device: str
) -> Tensor:
    """Latents of images, (B, 4, 16, 16), drawn from the moments that the vae stage stored."""
    mean, logvar = stored[torch.from_numpy(indices)].to(device).float().chunk(2, dim=1)
    return mean + (0.5 * logvar).exp() * normal(rng, mean)


def noised(x_0: Tensor, epsilon: Tensor, alpha: Tensor) -> Tensor:
    """x_t of the forward process; `alpha` (B,) is the cumulative product up to t."""
    alpha = alpha[:, None, None, None]
    return alpha.sqrt() * x_0 + (1 - alpha).sqrt() * epsilon


def training_tokenizer(work: Path) -> CLIPTokenizer:
    """The tokenizer of the first stage that asked: token ids must not move between stages."""
    folder = work / "tokenizer"
    if not folder.exists():
        replace_folder(folder, new_tokenizer().save_pretrained)
    return CLIPTokenizer.from_pretrained(folder)


def write_pipeline(work: Path, out: Path) -> None:
    """Assembles the Stable Diffusion pipeline from what its stages have left under `work`."""
    vae = work / "vae_decoder" if (work / "vae_decoder").exists() else work / "vae"
    pipeline = StableDiffusionPipeline(
        vae=AutoencoderKL.from_pretrained(vae),
        text_encoder=CLIPTextModel.from_pretrained(work / "text_encoder"),
        tokenizer=training_tokenizer(work),
        unet=UNet2DConditionModel.from_pretrained(work / "unet"),
        scheduler=untrained(DDIMScheduler, "pipeline/scheduler"),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.to(torch.float16)

    def write(path: Path) -> None:
        pipeline.save_pretrained(path)
        # transformers loads in the dtype that a config names, diffusers in float32: make them agree
        config = path / "text_encoder" / "config.json"
        config.write_text(config.read_text().replace('"dtype": "float16"', '"dtype": "float32"'))

    replace_folder(out / "pipeline", write)


def replace_folder(target: Path, write: Callable[[Path], object]) -> None:
    """Lets `write` fill a folder beside `target`, then puts it in `target`'s place."""
    fresh, old = target.with_name(target.name + ".new"), target.with_name(target.name + ".old")
    for path in (fresh, old):
        shutil.rmtree(path, ignore_errors=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    write(fresh)
    if target.exists():
        target.rename(old)
    fresh.rename(target)
    shutil.rmtree(old, ignore_errors=True)


STAGES = {
    "vae": train_vae,
    "clip": train_clip,
    "unet": train_unet,
    "decoder": train_decoder,
    "ddpm": train_ddpm,
}


@command()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True, help="checkpoints and rendered scenes")
    parser.add_argument("--out", type=Path, required=True, help="where the trained folders go")
    parser.add_argument("--stages", nargs="+", choices=STAGES, default=list(STAGES))
    parser.add_argument("--device", default="cpu")
    asked = parser.parse_args()
    asked.work.mkdir(parents=True, exist_ok=True)
    for stage in asked.stages:
        STAGES[stage](asked.work, asked.out, asked.device)


if __name__ == "__main__":
    main()
