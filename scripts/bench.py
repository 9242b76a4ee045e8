"""Compare speeds: diffusers' own loop against this suite, with the same pictures; exit 1 if not.

    python scripts/bench.py --model tiny
    python scripts/bench.py --model sdxl --weights random

Arms take turns in one process: the same weights, prompts and noises. `--weights random` builds the
published networks at full size without a checkpoint. Writes MODEL-DEVICE.{json,md,png,pdf}.
"""

import argparse
import json
import os
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from PIL import Image

import coupling
from experiments.bench import fullsize, ladder, overhead, verdict
from experiments.bench.arms import Arm, PlainLoop
from experiments.bench.compare import compare
from experiments.bench.gate import deviation
from experiments.bench.probes import gallery_flops, matmul_peak, synchronisations
from experiments.bench.report import chart, markdown
from experiments.compose import build, compose, plain
from experiments.durable import replace_file
from experiments.errors import UsageError
from experiments.paper import values
from experiments.provenance import provenance

SIZE = 3
SEED = 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="tiny", help="a configuration of configs/model/")
    parser.add_argument("--weights", choices=("checkpoint", "random"), default="checkpoint")
    parser.add_argument("--galleries", type=int, default=32, help="in each round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--without", nargs="*", default=[], help="arms to leave out")
    parser.add_argument("--out", type=Path, default=Path("results/bench"))
    parser.add_argument("overrides", nargs="*", help="key=value, of the main job's configuration")
    arguments = parser.parse_args()
    try:
        return bench(arguments)
    except UsageError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def bench(arguments: argparse.Namespace) -> int:
    overrides = [f"model={arguments.model}", "metrics=tiny", *arguments.overrides]
    config = compose([*overrides, f"task.num_prompts={arguments.galleries}"])
    settings = plain(config.model)
    jobs = build("task", config).jobs()
    law = coupling.repulsive(SIZE)
    random = arguments.weights == "random"
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
        peak=matmul_peak(model.device, model.dtype),
    )
    flops = gallery_flops(model, SIZE)
    arms: dict[str, Arm] = {
        **ladder.diffusers_arms(pipeline, model, law, seed=SEED, embedded=random),
        **ladder.our_arms(model, law, seed=SEED, galleries_per_batch=batch),
    }
    arms = {name: arm for name, arm in arms.items() if name not in arguments.without}
    suite = build("metrics", config)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        timings = compare(
            arms, jobs, rounds=arguments.rounds, warm_up=batch, folder=folder, device=model.device
        )
        steps = model.process.num_steps
        waits = {
            name: synchronisations(model.device, lambda arm=arm: arm.latents(jobs[:batch]))
            for name, arm in arms.items()
        }
        calls = {
            name: batch if isinstance(arm, PlainLoop) else -(-batch // arm.galleries_per_batch)
            for name, arm in arms.items()
        }
        judged = jobs[: 2 * batch]
        prompts = [job.prompt for job in judged]
        outputs = {
            name: (arm.latents(judged), arm.images(judged, folder / name))
            for name, arm in arms.items()
        }
        single, half = ladder.yardstick_arms(arms)
        others = {}
        for arm in (single, half):
            arm.run(judged, folder / "other")
            others[arm.label] = arm.latents(judged), arm.images(judged, folder / "other")
        found, reasons, yardstick = verdict.judge(
            arms,
            outputs,
            alone=others[single.label],
            suite=suite,
            prompts=prompts,
        )
        latents, images = outputs[verdict.REFERENCE]
        yardsticks = {
            single.label: yardstick,
            half.label: deviation(*others[half.label], of_latents=latents, of_images=images),
        }
        table = verdict.rows(
            arms,
            timings,
            size=SIZE,
            flops=flops,
            hardware=hardware,
            synchronisations={
                name: None if count is None else count / (steps * calls[name])
                for name, count in waits.items()
            },
            deviations=found,
            reasons=reasons,
        )
        here = overhead.measure(law, model.noise_shape, images[0], folder / "overhead")
        large = [np.asarray(Image.fromarray(image).resize((512, 512))) for image in images[0]]
        sd15 = overhead.measure(law, (4, 64, 64), np.stack(large), folder / "overhead")
    final = table[-1]
    seconds = values("table4", "sd15")["iid"]["seconds"][0]
    name = f"{arguments.model}-{model.device.type}"
    text = markdown(
        table,
        hardware,
        title=f"Speed: {arguments.model}, {arguments.weights} weights",
        settings=f"{len(jobs)} galleries of {SIZE} images at {model.image_size} px, "
        f"{steps} steps, guidance {model.guidance:g}; {arguments.rounds} rounds.",
        yardsticks=yardsticks,
        notes=overhead.sentences(here, final, sd15, paper_seconds=seconds),
    )
    result = verdict.as_json(
        table,
        hardware=asdict(hardware),
        made_with=provenance(model.device),
        flops_of_a_gallery=flops,
        environment={k: v for k, v in os.environ.items() if k.startswith(("OMP_", "LD_PRELOAD"))},
        yardsticks={name: asdict(value) for name, value in yardsticks.items()},
        overhead={"here": asdict(here), "sd15": asdict(sd15)},
    )
    arguments.out.mkdir(parents=True, exist_ok=True)
    replace_file(arguments.out / f"{name}.json", (json.dumps(result, indent=1) + "\n").encode())
    replace_file(arguments.out / f"{name}.md", text.encode())
    chart(table, hardware, arguments.out / name)
    print(text)
    rejected = [row.name for row in table if row.reasons]
    if rejected:
        print(f"error: other pictures: {', '.join(rejected)}", file=sys.stderr)
    return int(bool(rejected))


if __name__ == "__main__":
    sys.exit(main())
