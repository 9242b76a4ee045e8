"""What a published model takes of the device's memory, by arithmetic.

    peak = weights + max(rows in a network call, images in the decoder)

With a gradient the sampler keeps x of every step alone, the decoder takes an image at a time, and
both compute the rest again when the backward pass comes to it (`Model.sample`, `Model.decode`).
With guidance an image is two rows. The numbers are counted, not guessed: the bytes of all tensors
that are alive at once in the forward and backward pass of networks of the published size, by fake
tensors that have shapes and no values (tests/experiments/models/test_footprint.py counts them
again). What a kernel borrows while it runs, what the allocator keeps, and a reward's own graph come
on top.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from experiments.models.latent import DECODED_PIXELS, KEPT_PIXELS


@dataclass(frozen=True)
class Footprint:
    """GiB on a GPU, in `dtype`, at `image_size`.

    Attributes:
        weights: of everything that is loaded, text encoders included.
        row: of one row in a network call without a gradient.
        graph: of one row in a network call and back.
        decoded: of one image through the decoder.
        decoder: of one image through the decoder and back.
    """

    image_size: int
    weights: float
    row: float
    graph: float
    decoded: float
    decoder: float
    dtype: str = "float16"

    def peak(self, image_size: int, sampled: int, differentiated: int, decoder: float) -> float:
        """GiB with `sampled` rows in a call without a gradient, `differentiated` in one with, and
        `decoder` GiB in the decoder; all but the weights grows with an image's pixels.
        """
        most = max(sampled * self.row, differentiated * self.graph, decoder)
        return self.weights + (image_size / self.image_size) ** 2 * most


PUBLISHED = {
    "sd15": Footprint(512, weights=1.99, row=0.064, graph=0.75, decoded=0.375, decoder=2.84),
    "sdxl": Footprint(1024, weights=6.62, row=0.154, graph=5.00, decoded=3.00, decoder=22.73),
    "sd3": Footprint(1024, weights=16.21, row=0.369, graph=3.37, decoded=1.50, decoder=11.37),
    "ddpm_bedroom": Footprint(256, 0.42, 0.313, 2.05, decoded=0, decoder=0, dtype="float32"),
}
"""By `model.name`. SDXL decodes in float32; of SD3's weights 10.75 are T5's, partly in float32."""


def told(model: Mapping[str, Any], *, sampled: int, differentiated: int, back: bool) -> str:
    """A line on the memory that so many images at once take; empty for a model that is not here.

    model: its settings, with `name`, `guidance` and `image_size`; `back`: through the decoder, too.
    """
    if not (footprint := PUBLISHED.get(model["name"])):
        return ""
    size, rows = model["image_size"], 1 if model["guidance"] == 1 else 2
    at_once = min(sampled, max(1, (KEPT_PIXELS if back else DECODED_PIXELS) // size**2))
    decoder = at_once * (footprint.decoder if back else footprint.decoded)
    gib = footprint.peak(size, rows * sampled, rows * differentiated, decoder)
    return f"about {gib:.1f} GiB at the peak by arithmetic, in {footprint.dtype} on a GPU"
