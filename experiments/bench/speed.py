"""The whole comparison of a model: its arms in turns, their pictures judged, and all of it told."""

import json
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from PIL import Image

import coupling
from experiments.bench import ladder, overhead, verdict
from experiments.bench.arms import Arm, PlainLoop
from experiments.bench.compare import compare
from experiments.bench.gate import Deviation, deviation
from experiments.bench.probes import arithmetic_peak, gallery_flops
from experiments.bench.report import chart, markdown
from experiments.bench.scoring import ScoreRate, score_rates
from experiments.galleries.durable import replace_file
from experiments.models.model import Model
from experiments.tables.paper import values
from experiments.tasks.job import Job
from experiments.workers.provenance import provenance
from metrics import MetricSuite

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
    arms: Sequence[verdict.ArmResult]
    flops: int
    yardsticks: Mapping[str, Deviation]
    scores: Sequence[ScoreRate]
    here: overhead.Overhead
    sd15: overhead.Overhead

    @property
    def rejected(self) -> list[str]:
        """The arms that make other pictures."""
        return [arm.name for arm in self.arms if arm.reasons]


def measure(
    model: Model,
    pipeline: Any,
    jobs: Sequence[Job],
    *,
    suite: MetricSuite,
    batch: int,
    rounds: int,
    without: Sequence[str],
) -> Speed:
    """Compares the arms of a model, all jobs in every round.

    Args:
        pipeline: diffusers' own, with the same weights.
        batch: galleries in a device batch of ours.
        without: names of arms that are left out.
    """
    hardware = verdict.Hardware(
        device=provenance(model.device)["device"],
        dtype=str(model.dtype).removeprefix("torch."),
        threads=torch.get_num_threads(),
        peak=arithmetic_peak(model.device, model.dtype),
    )
    arms = {
        **ladder.diffusers_arms(pipeline, model, LAW, seed=SEED),
        **ladder.our_arms(model, LAW, seed=SEED, batch=batch),
    }
    arms = {name: arm for name, arm in arms.items() if name not in without}
    flops = gallery_flops(model, SIZE)
    with _nothing_compiled_before() as folder:
        timings = compare(
            arms, jobs, rounds=rounds, warm_up=batch, folder=folder, device=model.device
        )
        outputs, yardsticks = _pictures(arms, jobs[: 2 * batch], folder)
        verdicts = verdict.judge(
            outputs,
            yardstick=next(iter(yardsticks.values())),
            suite=suite,
            prompts=[job.prompt for job in jobs[: 2 * batch]],
        )
        _, images = outputs[ladder.REFERENCE]
        large = [np.asarray(Image.fromarray(image).resize((512, 512))) for image in images[0]]
        return Speed(
            model=model,
            settings=f"{len(jobs)} galleries of {SIZE} images at {model.image_size} px, "
            f"{model.process.num_steps} steps, guidance {model.guidance:g}; {rounds} rounds.",
            hardware=hardware,
            arms=verdict.results(arms, timings, verdicts, flops=flops, hardware=hardware),
            flops=flops,
            yardsticks=yardsticks,
            scores=score_rates(images),
            here=overhead.measure(LAW, model.noise_shape, images[0], folder / "overhead"),
            sd15=overhead.measure(LAW, (4, 64, 64), np.stack(large), folder / "overhead"),
        )


def write(speed: Speed, *, title: str, path: Path) -> str:
    """Writes PATH.json, .md and a bar chart; returns the text."""
    paper_seconds = values("table4", "sd15")["iid"]["seconds"][0]
    rate = speed.arms[-1].rates[1]
    text = markdown(
        speed.arms,
        speed.hardware,
        title=title,
        settings=speed.settings,
        yardsticks=speed.yardsticks,
        scores=speed.scores,
        notes=overhead.sentences(
            speed.here, rate, speed.sd15, arm=speed.arms[-1].name, paper_seconds=paper_seconds
        ),
    )
    result = {
        "hardware": asdict(speed.hardware),
        "made_with": provenance(speed.model.device),
        "flops_of_a_gallery": speed.flops,
        "yardsticks": {name: asdict(found) for name, found in speed.yardsticks.items()},
        "overhead": {"here": asdict(speed.here), "sd15": asdict(speed.sd15)},
        "scores": [asdict(rate) for rate in speed.scores],
        "arms": [asdict(arm) for arm in speed.arms],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path.with_suffix(".json"), (json.dumps(result, indent=1) + "\n").encode())
    replace_file(path.with_suffix(".md"), text.encode())
    chart(speed.arms, speed.hardware, path)
    return text


@contextmanager
def _nothing_compiled_before() -> Iterator[Path]:
    """A folder that goes again, with the cache of what is compiled in it."""
    with tempfile.TemporaryDirectory() as scratch:
        cache = {"TORCHINDUCTOR_CACHE_DIR": f"{scratch}/compiled"}
        with patch.dict(os.environ, cache):
            yield Path(scratch)


def _pictures(
    arms: Mapping[str, Arm], jobs: Sequence[Job], folder: Path
) -> tuple[dict[str, tuple[torch.Tensor, np.ndarray]], dict[str, Deviation]]:
    """Latents and images of every arm, and how far the yardsticks are from the reference's."""
    outputs = {
        name: (arm.latents(jobs), arm.images(jobs, folder / name)) for name, arm in arms.items()
    }
    reference = arms[ladder.REFERENCE]
    assert isinstance(reference, PlainLoop)
    latents, images = outputs[ladder.REFERENCE]
    yardsticks = {}
    for name, arm in ladder.yardstick_arms(reference).items():
        arm.run(jobs, folder / "other")
        output = arm.latents(jobs), arm.images(jobs, folder / "other")
        yardsticks[name] = deviation(*output, of_latents=latents, of_images=images)
    return outputs, yardsticks
