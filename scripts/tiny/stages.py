"""The stages of the bundled model's training: of each, what is trained and on what loss.

vae      AutoencoderKL: mean squared error and a little KL; then its latents are standardised.
clip     CLIPModel on images and captions (Radford et al. 2021).
unet     UNet and text encoder (at first the CLIP's) together: epsilon prediction on the frozen
         encoder's latents (Rombach et al. 2022), captions dropped at times for guidance.
decoder  The autoencoder's decoder alone, on the same latents: the more it learns, the sharper the
         pictures, and the UNet need not know.
ddpm     Unconditional, in pixels (Ho et al. 2020).
"""

import io
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from architectures import DDPM_SIZE, IMAGE_SIZE, MODEL, untrained
from data import normal, to_tensor
from diffusers import AutoencoderKL, DDIMScheduler, DDPMScheduler, UNet2DConditionModel, UNet2DModel
from fit import Loss, fit
from torch import Tensor, nn
from transformers import CLIPConfig, CLIPModel, CLIPTextConfig, CLIPTextModel
from workshop import Workshop

from experiments.galleries.durable import replace_file


def trained(name: str, shop: Workshop) -> nn.Module:
    """The averaged model of a stage, which is trained as far as its checkpoint lacks."""
    torch.manual_seed(int.from_bytes(name.encode()) + shop.recipe.seed)
    return fit(name, shop, *MAKERS[name](shop))


def vae(shop: Workshop) -> tuple[nn.Module, Loss]:
    recipe = shop.recipe

    def loss(vae: AutoencoderKL, rng: np.random.Generator) -> Tensor:
        x = to_tensor(shop.images[shop.drawn(rng, recipe.vae.batch)])
        posterior = vae.encode(x).latent_dist
        z = posterior.mean + posterior.std * normal(rng, posterior.mean)
        kl = posterior.kl().sum() / x.numel()
        return F.mse_loss(vae.decode(z).sample, x) + recipe.kl_weight * kl

    return untrained(AutoencoderKL, "pipeline/vae"), loss


@torch.no_grad()
def encoded(shop: Workshop) -> tuple[AutoencoderKL, Tensor]:
    """The trained autoencoder, standardised, and the posterior of every scene's latents.

    The posterior is mean and log-variance, (N, 8, 16, 16) float16.
    """
    path = shop.work / "latents.pt"
    if not path.exists():
        model = trained("vae", shop).eval()
        standardise(model, moments(model, shop.images[:2000])[:, :4], shop.recipe.latent_std)
        buffer = io.BytesIO()
        state = {"vae": model.state_dict(), "moments": moments(model, shop.images).half()}
        torch.save(state, buffer)
        replace_file(path, buffer.getvalue())
    state = torch.load(path, weights_only=True, map_location=shop.device)
    model = untrained(AutoencoderKL, "pipeline/vae")
    model.load_state_dict(state["vae"])
    model.register_to_config(scaling_factor=1 / shop.recipe.latent_std)
    return model, state["moments"]


def moments(model: AutoencoderKL, images: Tensor) -> Tensor:
    """Posterior mean and log-variance of images, (N, 8, 16, 16)."""
    posteriors = [model.encode(to_tensor(part)).latent_dist for part in images.split(100)]
    return torch.cat([torch.cat([one.mean, one.logvar], 1) for one in posteriors])


@torch.no_grad()
def standardise(model: AutoencoderKL, means: Tensor, std: float) -> None:
    """Gives every latent channel mean 0 and standard deviation `std`, and keeps what is drawn.

    Both 1x1 convolutions beside the latents absorb the affine map z' = (z - m) / s exactly. The
    scaling factor then gives the UNet unit standard deviation, as in Stable Diffusion.
    """
    m = means.mean(dim=(0, 2, 3))
    s = means.std(dim=(0, 2, 3)) / std
    inner, outer = model.quant_conv, model.post_quant_conv
    outer.bias += outer.weight[:, :, 0, 0] @ m
    outer.weight *= s[None, :, None, None]
    inner.weight[:4] /= s[:, None, None, None]
    inner.bias[:4] = (inner.bias[:4] - m) / s
    inner.bias[4:] -= 2 * s.log()


def clip(shop: Workshop) -> tuple[nn.Module, Loss]:
    def loss(clip: CLIPModel, rng: np.random.Generator) -> Tensor:
        scenes = shop.drawn(rng, shop.recipe.clip.batch)
        tokens, x = shop.tokens(scenes, rng), to_tensor(shop.images[scenes])
        return clip(input_ids=tokens, pixel_values=x, return_loss=True).loss

    return CLIPModel(CLIPConfig.from_pretrained(MODEL / "clip")).float(), loss


def unet(shop: Workshop) -> tuple[nn.Module, Loss]:
    recipe, batch = shop.recipe, shop.recipe.unet.batch
    scheduler = untrained(DDIMScheduler, "pipeline/scheduler")
    weights = scheduler.alphas_cumprod.to(shop.device) ** -recipe.epsilon_weight_power
    weights /= weights.mean()
    _, posteriors = encoded(shop)

    def loss(model: nn.ModuleDict, rng: np.random.Generator) -> Tensor:
        scenes = shop.drawn(rng, batch)
        tokens = shop.tokens(scenes, rng, recipe.caption_dropout)
        x_0 = sample(posteriors[scenes], rng) / recipe.latent_std
        # One t per stratum of the batch: the loss, and so its gradient, varies less.
        t = (1000 * (np.arange(batch) + rng.random(batch)) / batch).astype(np.int64)
        t = torch.from_numpy(t).to(shop.device)
        epsilon = normal(rng, x_0)
        states = model["text_encoder"](tokens).last_hidden_state
        found = model["unet"](scheduler.add_noise(x_0, epsilon, t), t, states).sample
        error = F.mse_loss(found, epsilon, reduction="none")
        return (weights[t] * error.mean(dim=(1, 2, 3))).mean()

    text_encoder = CLIPTextModel(CLIPTextConfig.from_pretrained(MODEL / "pipeline/text_encoder"))
    # From scratch the UNet learns to draw well before it starts to listen.
    text_encoder.load_state_dict(trained("clip", shop).text_model.state_dict())
    parts = {"unet": untrained(UNet2DConditionModel, "pipeline/unet"), "text_encoder": text_encoder}
    return nn.ModuleDict(parts), loss


def decoder(shop: Workshop) -> tuple[nn.Module, Loss]:
    model, posteriors = encoded(shop)

    def loss(vae: AutoencoderKL, rng: np.random.Generator) -> Tensor:
        scenes = shop.drawn(rng, shop.recipe.decoder.batch)
        z = sample(posteriors[scenes], rng)
        return F.mse_loss(vae.decode(z).sample, to_tensor(shop.images[scenes]))

    model.encoder.requires_grad_(False)
    model.quant_conv.requires_grad_(False)
    return model, loss


def ddpm(shop: Workshop) -> tuple[nn.Module, Loss]:
    batch = shop.recipe.ddpm.batch
    scheduler = untrained(DDPMScheduler, "ddpm/scheduler")

    def loss(unet: nn.Module, rng: np.random.Generator) -> Tensor:
        x = to_tensor(shop.images[shop.drawn(rng, batch)])
        x_0 = F.avg_pool2d(x, IMAGE_SIZE // DDPM_SIZE)
        t = torch.from_numpy(rng.integers(1000, size=batch)).to(shop.device)
        epsilon = normal(rng, x_0)
        return F.mse_loss(unet(scheduler.add_noise(x_0, epsilon, t), t).sample, epsilon)

    return untrained(UNet2DModel, "ddpm/unet"), loss


def sample(posterior: Tensor, rng: np.random.Generator) -> Tensor:
    """Latents, (B, 4, 16, 16), drawn from means and log-variances, (B, 8, 16, 16)."""
    mean, logvar = posterior.float().chunk(2, dim=1)
    return mean + (0.5 * logvar).exp() * normal(rng, mean)


MAKERS: dict[str, Callable[[Workshop], tuple[nn.Module, Loss]]] = {
    "vae": vae, "clip": clip, "unet": unet, "decoder": decoder, "ddpm": ddpm
}  # fmt: skip
