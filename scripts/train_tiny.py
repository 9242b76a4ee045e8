"""Train the bundled small model on rendered bedrooms.

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

    python scripts/train_tiny.py --work build/tiny --out experiments/models/tiny
    torchrun --nproc-per-node 2 scripts/train_tiny.py --work ... --out ... --stages unet
"""

import argparse
import os
from multiprocessing import Pool
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
import torch.nn.functional as F
from diffusers import AutoencoderKL, DDPMPipeline, StableDiffusionPipeline, UNet2DConditionModel
from torch import Tensor, nn
from transformers import CLIPImageProcessor, CLIPModel, CLIPTextModel, CLIPTokenizer

from experiments.bedrooms import Scene, caption, render, sample_scene
from experiments.bedrooms.architectures import (
    DDPM_SIZE,
    IMAGE_SIZE,
    new_clip,
    new_ddpm,
    new_scheduler,
    new_tokenizer,
    new_unet,
    new_vae,
    text_config,
)
from experiments.bedrooms.fit import fit, processes, rank, replace_folder
from experiments.errors import command

SCENES = 30_000
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


def training_scene(index: int) -> Scene:
    return sample_scene(np.random.default_rng((0, index)))


def training_image(index: int) -> np.ndarray:
    return render(training_scene(index), IMAGE_SIZE)[0]


def training_images(work: Path) -> np.ndarray:
    """All rendered scenes, (SCENES, 64, 64, 3) uint8, memory-mapped."""
    path = work / "images.npy"
    if not path.exists():
        with Pool() as pool:
            images = np.stack(pool.map(training_image, range(SCENES), chunksize=500))
        np.save(work / "images.tmp.npy", images)
        (work / "images.tmp.npy").rename(path)
    return np.load(path, mmap_mode="r")


def to_tensor(images: np.ndarray, device: str) -> Tensor:
    """(B, H, W, 3) uint8 -> (B, 3, H, W) float32 in [-1, 1]."""
    x = torch.from_numpy(images).to(device).permute(0, 3, 1, 2).float() / 127.5 - 1
    return x.contiguous(memory_format=torch.channels_last)


def normal(rng: np.random.Generator, like: Tensor) -> Tensor:
    noise = torch.from_numpy(rng.standard_normal(tuple(like.shape), np.float32))
    return noise.to(like.device, memory_format=torch.channels_last)


def scenes_and_captions(
    rng: np.random.Generator, batch: int, dropout: float = 0.0
) -> tuple[np.ndarray, list[str]]:
    """Indices of random training scenes and a fresh caption of each, emptied with `dropout`."""
    indices = rng.integers(SCENES, size=batch)
    texts = [caption(training_scene(i), rng) for i in indices.tolist()]
    return indices, ["" if rng.random() < dropout else text for text in texts]


def training_tokenizer(work: Path) -> CLIPTokenizer:
    """The tokenizer of the first stage that asked: token ids must not move between stages."""
    folder = work / "tokenizer"
    if not folder.exists():
        replace_folder(folder, new_tokenizer().save_pretrained)
    return CLIPTokenizer.from_pretrained(folder)


def as_trained(average: nn.Module, device: str) -> nn.Module:
    return average.eval().to(device, memory_format=torch.channels_last)


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
    vae = new_vae().to(device, memory_format=torch.channels_last)
    vae = as_trained(fit("vae", work, vae, loss, steps=steps, peak=peak), device)
    standardise(vae, torch.cat([m[:, :4] for m in moments(vae, images[:2000], device)]).float())
    vae.save_pretrained(work / "vae")
    torch.save(torch.cat(list(moments(vae, images, device))), work / "moments.pt")


@torch.no_grad()
def moments(vae: AutoencoderKL, images: np.ndarray, device: str):
    """Posterior mean and log-variance of every image, batches of (B, 8, 16, 16) float16."""
    for start in range(0, len(images), 100):
        posterior = vae.encode(to_tensor(images[start : start + 100], device)).latent_dist
        yield torch.cat([posterior.mean, posterior.logvar], 1).half().cpu()


@torch.no_grad()
def standardise(vae: AutoencoderKL, means: Tensor) -> None:
    """Give every latent channel mean 0 and std `LATENT_STD`, leaving the autoencoder's output.

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
    model = new_clip(tokenizer).to(device)
    clip = fit("clip", work, model, loss, steps=steps, peak=peak).half()
    processor = CLIPImageProcessor(
        size={"shortest_edge": IMAGE_SIZE},
        crop_size={"height": IMAGE_SIZE, "width": IMAGE_SIZE},
        image_mean=[0.5] * 3,
        image_std=[0.5] * 3,
    )
    parts = (clip, training_tokenizer(work), processor)
    replace_folder(out / "clip", lambda path: [part.save_pretrained(path) for part in parts])


def train_unet(work: Path, out: Path, device: str) -> None:
    steps, batch, peak = RECIPES["unet"]
    tokenizer, scheduler = training_tokenizer(work), new_scheduler()
    batch //= processes()
    stored = torch.load(work / "moments.pt", weights_only=True, mmap=True)
    alphas_cumprod = scheduler.alphas_cumprod.to(device)
    # SNR + 1 weighting (Salimans and Ho 2022): plain epsilon errors hardly count where t is large,
    # and there the prompt matters most.
    weights = 1 / alphas_cumprod
    weights /= weights.mean()

    def loss(model: nn.ModuleDict, rng: np.random.Generator) -> Tensor:
        indices, texts = scenes_and_captions(rng, batch, CAPTION_DROPOUT)
        mean, logvar = stored[torch.from_numpy(indices)].to(device).float().chunk(2, dim=1)
        x_0 = (mean + (0.5 * logvar).exp() * normal(rng, mean)) / LATENT_STD
        tokens = tokenizer(texts, padding="max_length", return_tensors="pt").input_ids.to(device)
        # One t per stratum of the batch: the loss, and so its gradient, varies less.
        t = (1000 * (np.arange(batch) + rng.random(batch)) / batch).astype(np.int64)
        t = torch.from_numpy(t).to(device)
        alpha = alphas_cumprod[t][:, None, None, None]
        epsilon = normal(rng, x_0)
        x_t = alpha.sqrt() * x_0 + (1 - alpha).sqrt() * epsilon
        states = model["text_encoder"](tokens).last_hidden_state
        error = F.mse_loss(model["unet"](x_t, t, states).sample, epsilon, reduction="none")
        return (weights[t] * error.mean(dim=(1, 2, 3))).mean()

    torch.manual_seed(2)
    text_encoder = CLIPTextModel(text_config(tokenizer))
    # From scratch the UNet learns to draw well before it starts to listen.
    text_encoder.load_state_dict(CLIPModel.from_pretrained(out / "clip").text_model.state_dict())
    model = nn.ModuleDict({"unet": new_unet(), "text_encoder": text_encoder.float()})
    model = model.to(device, memory_format=torch.channels_last)
    average = fit("unet", work, model, loss, steps=steps, peak=peak)
    if rank() > 0:
        return
    average["unet"].save_pretrained(work / "unet")
    average["text_encoder"].save_pretrained(work / "text_encoder")
    write_pipeline(work, out)


def train_decoder(work: Path, out: Path, device: str) -> None:
    steps, batch, peak = RECIPES["decoder"]
    images = training_images(work)
    stored = torch.load(work / "moments.pt", weights_only=True, mmap=True)

    def loss(vae: AutoencoderKL, rng: np.random.Generator) -> Tensor:
        indices = np.sort(rng.integers(SCENES, size=batch))
        mean, logvar = stored[torch.from_numpy(indices)].to(device).float().chunk(2, dim=1)
        z = mean + (0.5 * logvar).exp() * normal(rng, mean)
        return F.mse_loss(vae.decode(z).sample, to_tensor(images[indices], device))

    vae = AutoencoderKL.from_pretrained(work / "vae").to(device, memory_format=torch.channels_last)
    vae.encoder.requires_grad_(False)
    vae.quant_conv.requires_grad_(False)
    average = fit("decoder", work, vae, loss, steps=steps, peak=peak)
    average.save_pretrained(work / "vae_decoder")
    if (work / "unet").exists():
        write_pipeline(work, out)


def write_pipeline(work: Path, out: Path) -> None:
    """Assemble the Stable Diffusion pipeline from what its stages have left under `work`."""
    vae = work / "vae_decoder" if (work / "vae_decoder").exists() else work / "vae"
    pipeline = StableDiffusionPipeline(
        vae=AutoencoderKL.from_pretrained(vae),
        text_encoder=CLIPTextModel.from_pretrained(work / "text_encoder"),
        tokenizer=training_tokenizer(work),
        unet=UNet2DConditionModel.from_pretrained(work / "unet"),
        scheduler=new_scheduler(),
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


def train_ddpm(work: Path, out: Path, device: str) -> None:
    steps, batch, peak = RECIPES["ddpm"]
    images = training_images(work)
    torch.manual_seed(3)
    model, scheduler = new_ddpm()
    model = model.to(device, memory_format=torch.channels_last)
    alphas_cumprod = scheduler.alphas_cumprod.to(device)

    def loss(unet: nn.Module, rng: np.random.Generator) -> Tensor:
        x = to_tensor(images[np.sort(rng.integers(SCENES, size=batch))], device)
        x_0 = F.avg_pool2d(x, IMAGE_SIZE // DDPM_SIZE)
        t = torch.from_numpy(rng.integers(1000, size=batch)).to(device)
        alpha = alphas_cumprod[t][:, None, None, None]
        epsilon = normal(rng, x_0)
        x_t = alpha.sqrt() * x_0 + (1 - alpha).sqrt() * epsilon
        return F.mse_loss(unet(x_t, t).sample, epsilon)

    average = fit("ddpm", work, model, loss, steps=steps, peak=peak).half()
    replace_folder(out / "ddpm", DDPMPipeline(average, scheduler).save_pretrained)


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
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    if "WORLD_SIZE" in os.environ:
        if args.stages != ["unet"]:
            parser.error("only the stage unet is shared among processes: --stages unet")
        dist.init_process_group("gloo")
    args.work.mkdir(parents=True, exist_ok=True)
    for stage in args.stages:
        STAGES[stage](args.work, args.out, args.device)


if __name__ == "__main__":
    main()
