"""A gallery as it is made, and as the files that it is kept as.

Encoding is pure: the bytes of an image file depend on nothing but its pixels and what made them, so
whichever worker encodes a gallery, the files and their hashes are the same.
"""

import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, PngImagePlugin

from coupling.drift import Drift
from experiments.errors import UsageError
from experiments.galleries.manifest import Entry
from experiments.tasks.job import Job

METADATA_KEY = "couple-to-control"
"""The PNG text chunk that says, as JSON, how an image was made."""


@dataclass(frozen=True)
class Gallery:
    """Images of one job, and how they came about.

    Attributes:
        images: (n, H, W, 3) uint8.
        seconds: that each stage took.
        passes: guided network passes of one image: "sample", and "forward" and "backward" of an
            optimiser.
        rows: of the network, one an image of a call: two where the prompt is guided by the empty
            one, one where not; backward ones included.
        loss: of the optimiser, before each of its steps; () without one.
        drift: statistics of the noises that the sampler started from, of earlier members too.
        first: the member that the first image shows; those before it are committed already.
        galleries_per_batch: how many galleries like this one filled the device batch, which decides
            about the last bits of an image.
        peak: MiB of memory at the most while it was made, None if not measured; of the device,
            or on a CPU of the whole process so far.
        execution: how the networks were run, and with how many threads, which do, too.
    """

    job: Job
    images: np.ndarray
    seconds: Mapping[str, float]
    passes: Mapping[str, int]
    loss: tuple[float, ...]
    drift: Drift
    first: int = 0
    galleries_per_batch: int = 1
    peak: float | None = None
    execution: Mapping[str, int] = field(default_factory=dict)
    rows: int | None = None


@dataclass(frozen=True)
class EncodedGallery:
    """A gallery as PNG files, ready to be committed.

    Attributes:
        entry: what the manifest will say of it, and of these files alone.
        files: the bytes of each image's file.
        members: which members the files show.
    """

    entry: Entry
    files: tuple[bytes, ...]
    members: range


def encode(
    gallery: Gallery, *, inputs: Mapping[str, Any], made_with: Mapping[str, str | None]
) -> EncodedGallery:
    """The files of a gallery; each says in its metadata how its image was made.

    Args:
        inputs: what every gallery of the cell is made from, as JSON values.
        made_with: the suite, the libraries and the device that made it.
    """
    job, members = gallery.job, range(gallery.first, gallery.first + len(gallery.images))
    how = {
        **inputs,
        "job": {"id": job.id, "prompt": job.prompt},
        "batch": {
            "galleries": gallery.galleries_per_batch,
            "members": list(members),
            **({"execution": dict(gallery.execution)} if gallery.execution else {}),
        },
    }
    files = tuple(
        _png(image, {**how, "member": member})
        for member, image in zip(members, gallery.images, strict=True)
    )
    entry = Entry(
        job=job.id,
        prompt=job.prompt,
        images=tuple(hashlib.sha256(data).hexdigest() for data in files),
        seconds=gallery.seconds,
        passes=gallery.passes,
        loss=gallery.loss,
        drift=gallery.drift,
        made_with=made_with,
        peak=gallery.peak,
        rows=gallery.rows,
    )
    return EncodedGallery(entry, files, members)


def image_metadata(path: Path) -> dict:
    """How a committed image was made: the cell's inputs, its job, its member, its batch."""
    try:
        with Image.open(path) as image:
            text = getattr(image, "text", {})  # no PNG has none
    except OSError as error:
        raise UsageError(f"{path} cannot be read as an image: {error}") from error
    if METADATA_KEY not in text:
        raise UsageError(f"{path} does not say how it was made; it is no image of this suite")
    return json.loads(text[METADATA_KEY])


def _png(image: np.ndarray, metadata: Mapping) -> bytes:
    """A PNG file whose bytes depend on nothing but the pixels and the metadata."""
    text = PngImagePlugin.PngInfo()
    text.add_text(METADATA_KEY, json.dumps(metadata, sort_keys=True))
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format="PNG", pnginfo=text)
    return buffer.getvalue()
