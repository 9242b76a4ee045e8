"""The bundled model's card, written from its measured figures."""

TEXT = """\
# tiny: a small latent text-to-image model of bedrooms

Three networks for 64x64 pictures of rendered bedrooms, small enough for two CPU cores, each in the
ordinary folder of the library that loads it. Weights are float16; compute in float32.

| folder | class | parameters |
|---|---|---|
| `pipeline/` | `diffusers.StableDiffusionPipeline` (4x16x16 latents, DDIM, epsilon) | {pipeline} |
| `ddpm/` | `diffusers.DDPMPipeline` (32x32 pixels, unconditional, epsilon) | {ddpm} |
| `clip/` | `transformers.CLIPModel` (64x64, patch 8, embeddings of 128) | {clip} |

```python
pipe = StableDiffusionPipeline.from_pretrained("experiments/models/tiny/pipeline")
pipe("a bedroom with a red bed", num_inference_steps={steps}, guidance_scale={guidance_scale})
```

## Data

30,000 scenes drawn by `experiments.bedrooms`: bed (eight colours), walls, floor, window, lamp,
picture, rug, time of day, and continuous positions and sizes that no caption mentions. A caption
mentions a random part (0 to 5 attributes) of what is there and is drawn afresh every step.
Held-out renders come from other random streams.

## Training

`python scripts/train_tiny.py --work build/tiny --out experiments/models/tiny`, float32 on two CPU
cores shared with other work (hence the seconds). AdamW, 100 steps of warm-up, a cosine to zero,
weights averaged with decay 0.999. The text encoder starts as the small CLIP's and is trained with
the UNet; one caption in ten is dropped. The decoder is trained further on frozen latents.

These weights differ from a run of the script in one go:

- stages were resumed with other totals of steps, which moves the cosine; the autoencoder stopped 3
  steps short;
- the UNet's first 765 steps had a text encoder from scratch, its first 1860 an unweighted epsilon
  loss;
- the CLIP was trained before the UNet's captions came to mention more, with a vocabulary in another
  order: when the UNet took over its text encoder, 39 of 603 token embeddings were interchanged, and
  training went on from there. The CLIP's own were permuted to the common vocabulary afterwards,
  which changes none of its outputs;
- the ddpm stage stood still for a while; its seconds are less an estimate of that.

| stage | steps | seconds | last mean loss |
|---|---|---|---|
{training}

## Quality

Measured by `scripts/assess_tiny.py` with {torch_threads} threads; DDIM {steps} steps, guidance
{guidance_scale}. All figures, unrounded, are in `quality.json`.

| figure | value |
|---|---|
| autoencoder, PSNR on {frechet_samples} held-out renders | {vae_psnr_db:.2f} dB |
| asked bed colour, {colour_accuracy_samples} samples, small CLIP decides | {colour_accuracy:.1%} |
| the same decider on held-out renders | {bed:.1%} |
| small CLIP, wall colour on held-out renders | {wall:.1%} |
| small CLIP, time of day on held-out renders | {time:.1%} |
| small CLIP, a render's caption (5 attributes) among 100 | {caption_among_100:.1%} |
| Frechet distance, {frechet_samples} samples, small CLIP's embeddings | {frechet:.4f} |
| the same between two sets of {frechet_samples} renders | {frechet_render_floor:.4f} |
| one UNet call, batch 48 | {unet_ms_per_row:.1f} ms a row |
| one decoding, batch 48 | {decode_ms_per_image:.1f} ms an image |

Asked colour by colour: {colours}.

## Limits

- It knows rendered bedrooms and the few words of its captions, nothing else; other words fall into
  pieces it has never seen.
- The Frechet distance and the colour figure rest on a network trained on the same renders (and the
  pipeline's text encoder began as its text tower): they compare settings of this model with each
  other, not this model with others.
- The guidance scale was chosen among 2, 3.5, 5 and 7 by the colour figure on 64 samples of the same
  prompts and seed.
- Small things (picture, lamp, pillows, rugs) are drawn softly.
- The small CLIP tells a window on the left from one on the right no better than chance; whether
  the pipeline obeys sides is not measured.
- Night and sunset tint every colour, and neighbouring colours come close to each other there.
- The DDPM is undertrained: bedrooms, but greyish and blurred.
"""


def parameters(weights: dict[str, int], part: str) -> str:
    """Parameters of a folder in millions: its float16 files have two bytes for each."""
    return f"{sum(size for path, size in weights.items() if path.startswith(part)) / 2e6:.2f} M"


def card(quality: dict) -> str:
    """The card's Markdown, from the contents of quality.json."""
    weights = quality["bytes"]["weights"]
    stages = [
        f"| {stage} | {row['steps']} | {row['seconds']} | {row['loss']:.4f} |"
        for stage, row in quality["training"].items()
    ]
    colours = [f"{name} {x:.0%}" for name, x in quality["colour_accuracy_by_colour"].items()]
    fields = {
        **quality,
        **quality["clip_accuracy_on_renders"],
        **{part: parameters(weights, part) for part in ("pipeline", "ddpm", "clip")},
        "training": "\n".join(stages),
        "colours": ", ".join(colours),
    }
    return TEXT.format_map(fields)
