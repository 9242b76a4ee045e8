"""COCO captions for the tables: the official annotations, verified, and a seeded sample of them.

    python scripts/prepare_coco.py        # 2,000 captions of val2014 -> data/coco/captions.jsonl

The paper uses 2,000 COCO captions (4.1) without saying which. It follows CNO, whose release takes
the first 2,000 lines of a file that it does not contain, examples/assets/coco_v1.txt; whoever has
it takes prompts=file prompts.path=coco_v1.txt. Here: images drawn without replacement, and of each
its first caption by annotation id.
"""

import argparse
import json
import random
import sys
import zipfile
from pathlib import Path

import pooch

from experiments.errors import command

URL = "http://images.cocodataset.org/annotations/annotations_trainval2014.zip"
SHA256 = "031296bbc80c45a1d1f76bf9a90ead27e94e99ec629208449507a4917a3bf009"
MEMBER = "annotations/captions_val2014.json"


def fetch(folder: Path) -> Path:
    """The annotations' archive (253 MB) in `folder`, downloaded once and verified.
    Raises OSError, ValueError: it cannot be reached, or it is not the published file.
    """
    downloader = pooch.HTTPDownloader(progressbar=True, timeout=30)
    name = URL.rsplit("/", 1)[1]
    return Path(pooch.retrieve(URL, f"sha256:{SHA256}", name, folder, downloader=downloader))


def sample(archive: Path, *, count: int, seed: int) -> list[dict[str, str | int]]:
    """`count` captions of distinct images, as {"prompt", "image_id"}.
    Raises ValueError: the archive has fewer captioned images.
    """
    with zipfile.ZipFile(archive) as files, files.open(MEMBER) as file:
        annotations = json.load(file)["annotations"]
    first: dict[int, str] = {}
    for annotation in sorted(annotations, key=lambda annotation: annotation["id"]):
        first.setdefault(annotation["image_id"], " ".join(annotation["caption"].split()))
    if len(first) < count:
        raise ValueError(f"{archive} has captions of {len(first)} images, {count} were asked for")
    chosen = random.Random(seed).sample(sorted(first), count)
    return [{"prompt": first[image], "image_id": image} for image in chosen]


@command()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("data/coco/captions.jsonl"))
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--archive", type=Path, help="an archive already on disk, not verified")
    options = parser.parse_args()
    try:
        archive = options.archive or fetch(options.out.parent)
        captions = sample(archive, count=options.count, seed=options.seed)
    except (OSError, ValueError) as error:
        sys.exit(f"error: {URL}: {error}; or give --archive, the same file downloaded by hand")
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text("".join(json.dumps(caption) + "\n" for caption in captions))
    print(f"{len(captions)} captions in {options.out}")


if __name__ == "__main__":
    main()
