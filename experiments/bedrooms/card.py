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

These weights differ from a run of the script in one go: stages were resumed with other totals of
steps, which moves the cosine. The UNet's first 765 steps had a text encoder from scratch, its first
1860 an unweighted epsilon loss; the autoencoder stopped 3 steps short. The CLIP saw captions with
fewer attributes on average.

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
- The Frechet distance rests on a network trained on the same renders: it compares settings of this
  model with each other, not this model with others.
- Small things (picture, lamp, pillows) are drawn softly, and left and right are followed less
  surely than colours.
- Night and sunset tint every colour, so that a white bed at sunset may be called pink.
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
