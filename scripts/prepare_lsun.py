"""LSUN bedrooms with masks of their beds, for the experiments that keep an object.

    python scripts/prepare_lsun.py --size 512      # 100 images of the validation set -> data/lsun

The paper (B.3) takes 100 bedrooms and YOLOv8's bed masks, and leaves out those without a detection;
it says neither which bedrooms nor which YOLOv8. Here: images of the validation set drawn without
replacement, their central square resized, and the union of all beds found. Images without a bed are
listed in card.json and left out.

Segmenters: `mask_rcnn` is torchvision's, under its BSD licence, and the default. `yolov8` is the
paper's, Ultralytics', at its own default confidence of 0.25; its size, x, is our guess. Its code
and weights are AGPL-3.0 and its weights file is a pickle, so it is used only if asked for, and
installed only as the extra `yolo`. The two find other beds and draw other edges, and so leave out
other pictures: the paper keeps 92 of its 100.

The archive (4 MB) has no published checksum and no https: the first fetch's SHA-256 is recorded
beside it, later ones must agree, and card.json carries it. It is an LMDB database, which is read
here, so that no package is needed for one file.
"""

import argparse
import io
import json
import random
import struct
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pooch
import torch
from PIL import Image

from experiments.errors import command
from experiments.tasks.scenes import CARD

URL = "http://dl.yf.io/lsun/scenes/bedroom_val_lmdb.zip"
MEMBER = "bedroom_val_lmdb/data.mdb"
THRESHOLD = 0.5  # of a detection's score, and of a mask's probability
YOLO_CONFIDENCE = 0.25  # Ultralytics' default

# LMDB's file format, version 1, as a 64-bit little-endian machine writes it (lmdb's mdb.c).
MAGIC, HEADER, INVALID = 0xBEEFC0DE, 16, 2**64 - 1
BRANCH, LEAF, BIG = 1, 2, 1


def fetch(folder: Path) -> Path:
    """The archive in `folder`, downloaded once, and compared with what was downloaded first.
    Raises ValueError: it cannot be reached, or it is not the file of the first time.
    """
    name = URL.rsplit("/", 1)[1]
    record = folder / f"{name}.sha256"
    known = f"sha256:{record.read_text().strip()}" if record.exists() else None
    downloader = pooch.HTTPDownloader(progressbar=True, timeout=30)
    try:
        archive = Path(pooch.retrieve(URL, known, name, folder, downloader=downloader))
    except (OSError, ValueError) as error:
        raise ValueError(f"{URL}: {error}; or give --archive, downloaded by hand") from error
    record.write_text(pooch.file_hash(str(archive)) + "\n")
    return archive


def entries(database: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values of an LMDB file's main database, in the order of the keys.
    Raises ValueError: it is none, or cut.
    """
    try:
        (size,) = struct.unpack_from("<I", database, HEADER + 24)
        # Two meta pages take turns; the one with the later transaction is the current state.
        metas = [struct.unpack_from("<II104xQQQ", database, at + HEADER) for at in (0, size)]
        if {meta[:2] for meta in metas} != {(MAGIC, 1)}:
            raise ValueError("it is no LMDB database of format 1")
        root = max(metas, key=lambda meta: meta[4])[2]
        if root != INVALID:
            yield from _walk(database, size, root)
    except struct.error:
        raise ValueError("it is no LMDB database, or cut") from None


def _walk(database: bytes, size: int, page: int) -> Iterator[tuple[bytes, bytes]]:
    at = page * size
    flags, lower = struct.unpack_from("<10xHH", database, at)
    if not flags & (BRANCH | LEAF):
        raise ValueError(f"its page {page} is neither branch nor leaf")
    for offset in struct.unpack_from(f"<{(lower - HEADER) // 2}H", database, at + HEADER):
        node = at + offset
        low, high, kind, key_size = struct.unpack_from("<HHHH", database, node)
        if flags & BRANCH:
            yield from _walk(database, size, low | high << 16 | kind << 32)
            continue
        start, length = node + 8 + key_size, low | high << 16
        key = database[node + 8 : start]
        if kind & BIG:  # the value has pages of its own, of which the first has a header
            start = struct.unpack_from("<Q", database, start)[0] * size + HEADER
        if start + length > len(database):
            raise ValueError("it is cut")
        yield key, database[start : start + length]


def bedrooms(archive: Path, *, count: int, seed: int) -> list[tuple[str, Image.Image]]:
    """`count` images of the archive, drawn without replacement, with their keys.
    Raises ValueError: it is another archive, or has fewer images.
    """
    try:
        with zipfile.ZipFile(archive) as files:
            values = dict(entries(files.read(MEMBER)))
    except (KeyError, zipfile.BadZipFile):
        raise ValueError(f"{archive} has no {MEMBER}") from None
    if len(values) < count:
        raise ValueError(f"{archive} has {len(values)} images, {count} were asked for")
    chosen = random.Random(seed).sample(sorted(values), count)
    return [(key.decode("ascii"), Image.open(io.BytesIO(values[key]))) for key in chosen]


def square(image: Image.Image, size: int) -> np.ndarray:
    """The central square, resized to (size, size, 3) uint8."""
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    # Cropped first: a resize with a box looks across its edges.
    centre = image.convert("RGB").crop((left, top, left + side, top + side))
    return np.asarray(centre.resize((size, size), Image.Resampling.LANCZOS))


@dataclass(frozen=True)
class Segmenter:
    """Beds of an image, by a network. `identity` says which, for the card."""

    network: Any
    identity: dict[str, str]


class MaskRCNN(Segmenter):
    """torchvision's Mask R-CNN (He et al., ICCV 2017, arXiv:1703.06870), trained on COCO."""

    @classmethod
    def load(cls) -> "MaskRCNN":
        import torchvision
        from torchvision.models import detection

        weights = detection.MaskRCNN_ResNet50_FPN_V2_Weights.COCO_V1
        network = detection.maskrcnn_resnet50_fpn_v2(weights=None, weights_backbone=None)
        try:  # the file's name holds the start of its checksum; only tensors are unpickled
            state = weights.get_state_dict(progress=True, check_hash=True, weights_only=True)
        except (OSError, RuntimeError) as error:
            folder = Path(torch.hub.get_dir()) / "checkpoints"
            raise ValueError(f"{weights.url}: {error}; or put it into {folder} by hand") from error
        network.load_state_dict(state)
        identity = {
            "segmenter": "maskrcnn_resnet50_fpn_v2",
            "weights": weights.url,
            "implementation": f"torchvision {torchvision.__version__}",
            "bed": str(weights.meta["categories"].index("bed")),
        }
        return cls(network.eval(), identity)

    @torch.inference_mode()
    def __call__(self, image: np.ndarray) -> np.ndarray:
        """(H, W, 3) uint8 -> (H, W) bool, true on beds."""
        pixels = torch.from_numpy(image.copy()).permute(2, 0, 1).float() / 255
        (found,) = self.network([pixels])
        beds = (found["labels"] == int(self.identity["bed"])) & (found["scores"] >= THRESHOLD)
        return (found["masks"][beds, 0] >= THRESHOLD).any(0).numpy()


class YOLOv8(Segmenter):
    """Ultralytics' largest YOLOv8 for segmentation, trained on COCO. AGPL-3.0."""

    @classmethod
    def load(cls) -> "YOLOv8":
        try:
            import ultralytics
        except ImportError:
            raise ValueError(
                "--segmenter yolov8 needs ultralytics (AGPL-3.0): "
                "pip install 'couple-to-control[yolo]', or use mask_rcnn"
            ) from None
        network = ultralytics.YOLO("yolov8x-seg.pt")
        identity = {
            "segmenter": "yolov8x-seg",
            "weights": f"sha256:{pooch.file_hash(str(network.ckpt_path))}",
            "implementation": f"ultralytics {ultralytics.__version__}, AGPL-3.0",
            "bed": next(str(index) for index, name in network.names.items() if name == "bed"),
        }
        return cls(network, identity)

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """(H, W, 3) uint8 -> (H, W) bool, true on beds."""
        (found,) = self.network.predict(
            np.ascontiguousarray(image[..., ::-1]),  # it takes BGR
            classes=[int(self.identity["bed"])],
            conf=YOLO_CONFIDENCE,
            retina_masks=True,  # masks of the image's own size
            verbose=False,
        )
        if found.masks is None:
            return np.zeros(image.shape[:2], bool)
        return (found.masks.data.cpu() >= THRESHOLD).any(0).numpy()


SEGMENTERS = {"mask_rcnn": MaskRCNN, "yolov8": YOLOv8}


def prepare(archive: Path, out: Path, *, segmenter, size: int, count: int, seed: int) -> dict:
    """Write images, masks and, last, the card that names them; returns the card.
    Raises ValueError: the archive is unfit, or no image shows a bed.
    """
    rows, failures = [], []
    (out / CARD).unlink(missing_ok=True)
    out.mkdir(parents=True, exist_ok=True)
    for name, picture in bedrooms(archive, count=count, seed=seed):
        image = square(picture, size)
        mask = segmenter(image)
        if not mask.any() or mask.all():
            failures.append(name)
            continue
        row = {"id": name, "image": f"{name}.png", "mask": f"{name}-mask.png"}
        Image.fromarray(image).save(out / row["image"])
        Image.fromarray(mask).save(out / row["mask"])
        rows.append(row | {"covered": round(float(mask.mean()), 4)})
    if not rows:
        raise ValueError(f"no bed was found in any of {count} images")
    card = {
        "source": URL,
        "sha256": pooch.file_hash(str(archive)),
        "size": size,
        "seed": seed,
        "threshold": YOLO_CONFIDENCE if isinstance(segmenter, YOLOv8) else THRESHOLD,
        "segmenter": segmenter.identity,
        "images": rows,
        "failures": failures,
    }
    (out / CARD).write_text(json.dumps(card, indent=2) + "\n")
    return card


@command()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, required=True, help="the model's image_size")
    parser.add_argument("--out", type=Path, help="default data/lsun/SIZE")
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--segmenter", choices=SEGMENTERS, default="mask_rcnn")
    parser.add_argument("--archive", type=Path, help="an archive already on disk, not verified")
    options = parser.parse_args()
    out = options.out or Path("data/lsun") / str(options.size)
    try:
        archive = options.archive or fetch(out.parent)
        segmenter = SEGMENTERS[options.segmenter].load()
        settings = {"size": options.size, "count": options.count, "seed": options.seed}
        card = prepare(archive, out, segmenter=segmenter, **settings)
    except (OSError, ValueError) as error:
        sys.exit(f"error: {error}")
    print(f"{len(card['images'])} images with masks in {out}")
    if card["failures"]:
        print(f"{len(card['failures'])} left out, no bed found: {', '.join(card['failures'])}")


if __name__ == "__main__":
    main()
