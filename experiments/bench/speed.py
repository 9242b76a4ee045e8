"""The whole comparison of a model: its arms in turns, their pictures judged, and all of it told."""

import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch
from PIL import Image

import coupling
from experiments.bench import fullsize, ladder, overhead, verdict
from experiments.bench.arms import Arm, PlainLoop
from experiments.bench.compare import compare
from experiments.bench.gate import Deviation, deviation
from experiments.bench.probes import arithmetic_peak, gallery_flops, synchronisations
from experiments.bench.report import chart, markdown
from experiments.bench.scoring import ScoreRate, score_rates
from experiments.compose import build, compose, plain
from experiments.galleries.durable import replace_file
from experiments.models.model import Model
from experiments.tables.paper import values
from experiments.tasks.job import Job
from experiments.workers.provenance import provenance

SIZE = 3
SEED = 0
LAW = coupling.repulsive(SIZE)


@dataclass(frozen=True)
class Speed:
    """What was measured of a model.

    Attributes:
        settings: in words; flops: operations that a gallery takes.
        yardsticks: what the shape of a batch and half precision do to diffusers' pictures.
        scores: how fast galleries are scored.
        here, sd15: what coupling and storing add to a gallery, and to one of SD1.5.
    """

    model: Model
    settings: str
    hardware: verdict.Hardware
    table: Sequence[verdict.Row]
    flops: int
    yardsticks: Mapping[str, Deviation]
    scores: Sequence[ScoreRate]
    here: overhead.Overhead
    sd15: overhead.Overhead

    @property
    def rejected(self) -> list[str]:
        """The arms that make other pictures."""
        return [row.name for row in self.table if row.reasons]


def measure(
    overrides: Sequence[str], *, random: bool, galleries: int, rounds: int, without: Sequence[str]
) -> Speed:
    """Compares the arms of a configuration's model, `galleries` in every round.

    Args:
        random: builds the published networks at full size with random weights.
        without: names of arms that are left out.

    Raises:
        UsageError: the model cannot be had.
    """
    config = compose([*overrides, "metrics=tiny", f"task.num_prompts={galleries}"])
    settings = plain(config.model)
    jobs = build("task", config).jobs()
    if random:
        model, pipeline = fullsize.build(settings)
    else:
        model = build("model", config)
        pipeline = ladder.published_pipeline(settings, model)
    batch = config.workers.galleries_per_batch
    hardware = verdict.Hardware(
        device=provenance(model.device)["device"],
        dtype=str(model.dtype).removeprefix("torch."),
        threads=torch.get_num_threads(),
        peak=arithmetic_peak(model.device, model.dtype),
    )
    flops = gallery_flops(model, SIZE)
    arms: dict[str, Arm] = {
        **ladder.diffusers_arms(pipeline, model, LAW, seed=SEED, embedded=random),
        **ladder.our_arms(model, LAW, seed=SEED, galleries_per_batch=batch),
    }
    arms = {name: arm for name, arm in arms.items() if name not in without}
    with (
        tempfile.TemporaryDirectory() as scratch,
        # nothing is there that was compiled before
        patch.dict(os.environ, {"TORCHINDUCTOR_CACHE_DIR": f"{scratch}/compiled"}),
    ):
        folder = Path(scratch)
        timings = compare(
            arms, jobs, rounds=rounds, warm_up=batch, folder=folder, device=model.device
        )
        judged = jobs[: 2 * batch]
        outputs = {
            name: (arm.latents(judged), arm.images(judged, folder / name))
            for name, arm in arms.items()
        }
        single, half = (_outputs(arm, judged, folder) for arm in ladder.yardstick_arms(arms))
        latents, images = outputs[verdict.REFERENCE]
        yardsticks = {
            "A, an image at a time": deviation(*single, of_latents=latents, of_images=images),
            "A in bfloat16": deviation(*half, of_latents=latents, of_images=images),
        }
        verdicts = verdict.judge(
            outputs,
            yardstick=yardsticks["A, an image at a time"],
            suite=build("metrics", config),
            prompts=[job.prompt for job in judged],
        )
        table = verdict.rows(
            arms,
            timings,
            verdicts,
            size=SIZE,
            flops=flops,
            hardware=hardware,
            synchronisations={
                name: _synchronisations(arm, jobs[:batch], model) for name, arm in arms.items()
            },
        )
        large = [np.asarray(Image.fromarray(image).resize((512, 512))) for image in images[0]]
        return Speed(
            model=model,
            settings=f"{len(jobs)} galleries of {SIZE} images at {model.image_size} px, "
            f"{model.process.num_steps} steps, guidance {model.guidance:g}; {rounds} rounds.",
            hardware=hardware,
            table=table,
            flops=flops,
            yardsticks=yardsticks,
            scores=score_rates(images),
            here=overhead.measure(LAW, model.noise_shape, images[0], folder / "overhead"),
            sd15=overhead.measure(LAW, (4, 64, 64), np.stack(large), folder / "overhead"),
        )


def write(speed: Speed, *, title: str, path: Path) -> str:
    """PATH.json, .md and a bar chart; returns the text."""
    text = markdown(
        speed.table,
        speed.hardware,
        title=title,
        settings=speed.settings,
        yardsticks=speed.yardsticks,
        scores=speed.scores,
        notes=overhead.sentences(
            speed.here,
            speed.table[-1],
            speed.sd15,
            paper_seconds=values("table4", "sd15")["iid"]["seconds"][0],
        ),
    )
    result = {
        "hardware": asdict(speed.hardware),
        "made_with": provenance(speed.model.device),
        "flops_of_a_gallery": speed.flops,
        "environment": {
            name: value
            for name, value in os.environ.items()
            if name.startswith(("OMP_", "LD_PRELOAD"))
        },
        "yardsticks": {name: asdict(found) for name, found in speed.yardsticks.items()},
        "overhead": {"here": asdict(speed.here), "sd15": asdict(speed.sd15)},
        "scores": [asdict(rate) for rate in speed.scores],
        "arms": [asdict(row) for row in speed.table],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path.with_suffix(".json"), (json.dumps(result, indent=1) + "\n").encode())
    replace_file(path.with_suffix(".md"), text.encode())
    chart(speed.table, speed.hardware, path)
    return text


def _outputs(arm: PlainLoop, jobs: Sequence[Job], folder: Path) -> tuple[torch.Tensor, np.ndarray]:
    arm.run(jobs, folder / "other")
    return arm.latents(jobs), arm.images(jobs, folder / "other")


def _synchronisations(arm: Arm, jobs: Sequence[Job], model: Model) -> float | None:
    """Of the host with the device in a sampler step, None where there is nothing to wait for."""
    found = synchronisations(model.device, lambda: arm.latents(jobs))
    calls = len(jobs) if isinstance(arm, PlainLoop) else -(-len(jobs) // arm.galleries_per_batch)
    return None if found is None else found / (model.process.num_steps * calls)
