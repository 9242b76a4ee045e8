"""The stage: a hub on the loopback, stand-ins at the pinned revisions, and a folder to run in."""

import json
import os
import zipfile
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from scripts.rehearsal.hub import Repository, serve
from scripts.rehearsal.targets import ROOT

BEDROOMS = ROOT / "tests" / "scripts" / "bedrooms.zip"
CAPTIONS = 2000
SIZES = (32, 64, 512, 1024)  # of the rehearsal's images, and of the models' own
COCO, LSUN = "/coco.zip", "/bedrooms.zip"


@dataclass(frozen=True)
class Stage:
    """Where everything is served from."""

    endpoint: str
    repositories: dict[str, Repository]
    plain: dict[str, Path]


@contextmanager
def staged(folder: Path) -> Iterator[Stage]:
    """Sets the stage in `folder`, and runs there. Must come before huggingface_hub is imported,
    which reads where its hub is once.
    """
    repositories: dict[str, Repository] = {}
    plain: dict[str, Path] = {}
    requests: list[str] = []
    served = serve(repositories=repositories, plain=plain, requests=requests)
    before = dict(os.environ)
    (folder / "work").mkdir(parents=True)
    with served as endpoint, chdir(folder / "work"):
        os.environ |= {"HF_ENDPOINT": endpoint, "HF_HOME": str(folder / "cache")}
        os.environ.pop("HF_HUB_OFFLINE", None)
        try:
            stage = Stage(endpoint, repositories, plain)
            _fill(stage, folder / "hub")
            yield stage
        finally:
            (folder / "requests.txt").write_text("\n".join(requests))
            os.environ.clear()
            os.environ.update(before)


def _fill(stage: Stage, folder: Path) -> None:
    """Builds what the suite names: each model's repository, each variant's, and the plain files."""
    import torch

    from experiments.compose import compose
    from metrics.weights import VARIANTS, sha256
    from metrics.weights.file import URL
    from scripts.rehearsal import evaluators, repositories

    builders = {
        "sd15": repositories.sd15,
        "sd15_inpaint": repositories.inpainting,
        "sdxl": repositories.sdxl,
        "sd3": repositories.sd3,
        "ddpm_bedroom": repositories.ddpm_bedroom,
    }
    pins = {name: compose([f"model={name}"]).model for name in builders}
    places = [(pin.source, pin.revision, builders[name]) for name, pin in pins.items()]
    networks = {
        "clip_vit_l14": evaluators.clip,
        "clip_vit_b32": evaluators.clip,
        "pickscore_v1": evaluators.clip,
        "clip_h_processor": evaluators.clip_h,
        "dinov2_base": evaluators.dinov2,
        "smolvlm_500m": evaluators.smolvlm,
    }
    variants = {name: VARIANTS[name] for name in networks}
    places += [(each.repository, each.revision, networks[name]) for name, each in variants.items()]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for source, revision, build in places:
            build(folder / source)
            stage.repositories[source] = Repository(folder / source, revision)
        for name, build in evaluators.FILES.items():
            stage.plain[f"/{name}"] = folder / name
            build(folder / name)
    for name, file in evaluators.CHECKED.items():
        variant = VARIANTS[name]
        found = sha256(folder / variant.repository / file)
        VARIANTS[name] = replace(variant, name=f"{name}_stand_in", sha256=found)
    for name in evaluators.FILES:
        found = sha256(folder / name)
        VARIANTS[name] = replace(
            VARIANTS[name],
            name=f"{name}_stand_in",
            file=str(folder / f"fetched-{name}"),  # an absolute path: not in the user's cache
            sha256=found,
            sources=(URL(url=f"{stage.endpoint}/{name}", sha256=found),),
        )


def prepare_data(stage: Stage) -> None:
    """COCO captions and LSUN bedrooms, by the scripts that a user runs."""
    import pooch

    from scripts import prepare_coco, prepare_lsun
    from scripts.rehearsal.walk import call

    class Red(prepare_lsun.Segmenter):
        """Takes red for a bed."""

        @classmethod
        def load(cls) -> "Red":
            return cls(None, {"segmenter": "red", "implementation": "the rehearsal's"})

        def __call__(self, image: np.ndarray) -> np.ndarray:
            return image[..., 0] > 127

    archive = Path("coco.zip").resolve()
    captions = [
        {"id": 2 * k, "image_id": 10 * k, "caption": f"A picture of number {k} in a row."}
        for k in range(CAPTIONS)
    ]
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr(prepare_coco.MEMBER, json.dumps({"annotations": captions}))
    stage.plain.update({COCO: archive, LSUN: BEDROOMS})
    prepare_coco.URL, prepare_coco.SHA256 = f"{stage.endpoint}{COCO}", pooch.file_hash(archive)
    call(prepare_coco, "--count", str(CAPTIONS))
    prepare_lsun.URL = f"{stage.endpoint}{LSUN}"
    prepare_lsun.SEGMENTERS["mask_rcnn"] = Red
    for size in SIZES:
        call(prepare_lsun, "--size", str(size), "--count", "8")
