"""execution=auto: how the networks run is decided by timing them, on the device and for the batch.

A batch is the sampler's steps and its images decoded. One step and the decoding are timed for each
way to run the networks, in turns. Compiling takes a minute or more before the first step: it is
tried where the work left is long, and from then on its time is known and weighed against what it
saves. What was measured is kept in the user's cache, so that a machine measures once.
"""

import json
import math
from collections.abc import Callable
from functools import partial
from itertools import cycle
from time import perf_counter

import torch

from experiments.galleries.durable import write_text
from experiments.galleries.folder import cell_key
from experiments.methods.method import Stopwatch
from experiments.models.condition import repeat_rows
from experiments.models.execution import EAGER, Auto, Execution
from experiments.models.model import Model
from experiments.models.source import ModelSource
from experiments.tasks.job import Job
from experiments.workers import memory
from experiments.workers.provenance import provenance, suite
from metrics.weights import cache_folder

LAST = Execution(channels_last=True, compiled=False)
COMPILED = Execution(channels_last=True, compiled=True)
MARGIN = 0.02  # by which another way must be faster than eager


def decided(source: ModelSource, job: Job, *, rows: int, batches: float) -> tuple[Execution, str]:
    """How the networks of a model run best on this device, and why, in a line.

    Args:
        source: whose execution is left to timing; job: whose prompt is taken for it.
        rows: images a batch; batches: how many are left to each lane or device.
    """
    model, auto = source.load(), source.execution
    assert isinstance(auto, Auto)
    made = {**source.inputs(), "rows": rows, "threads": torch.get_num_threads()}
    made |= {key: n for key, n in provenance(model.device).items() if key not in suite()}
    path = cache_folder() / "execution" / f"{cell_key(made)}.json"
    known = json.loads(path.read_text()) if path.is_file() else {}
    chosen = choose(auto, known, batches, partial(timed, model, job, rows, auto.seconds))
    told = ", ".join(f"{way} {taken:.3g} s" for way, taken in known.items() if taken < math.inf)
    if math.inf not in known.values():
        write_text(path, json.dumps(known, indent=1) + "\n")
    why = f"a batch of {rows} images takes {told}" if told else "its network cannot be timed alone"
    return chosen, f"execution=auto: {chosen}; {why}"


def choose(
    auto: Auto, known: dict[str, float], batches: float, measure: Callable[..., dict[str, float]]
) -> Execution:
    """The fastest way to make so many batches, by what is `known`, to which measuring adds."""
    if not known:
        known |= measure(EAGER, LAST)
    best = LAST if known[str(LAST)] < (1 - MARGIN) * known[str(EAGER)] else EAGER
    left, compiling = batches * known[str(best)], known.get("compiling")
    if compiling is None and auto.compile_after < left < math.inf:
        known |= measure(COMPILED)
        compiling = 0.0  # that is spent
    if compiling is None or left - batches * known[str(COMPILED)] <= compiling:
        return best
    return COMPILED


@torch.no_grad()
def timed(model: Model, job: Job, rows: int, limit: float, *ways: Execution) -> dict[str, float]:
    """The best seconds of a batch each way, in turns for `limit` seconds; infinite if one fails."""
    found = dict.fromkeys(map(str, ways), math.inf)

    def batch(way: Execution) -> float:
        model.executed(way)
        watch = Stopwatch(model.device)
        with watch("step"):
            latents = model.sample(noise, condition, start=steps - 1)
        with watch("decode"):
            model.decode(latents)
        return steps * watch.seconds["step"] + watch.seconds["decode"]

    try:
        steps = model.process.num_steps
        condition = repeat_rows(model.encode_prompts([job.prompt]), rows)
        noise = torch.randn(rows, *model.noise_shape, generator=torch.Generator().manual_seed(0))
        for way in ways:
            start = perf_counter()
            batch(way)  # the first takes longer
            if way.compiled:
                found["compiling"] = perf_counter() - start
        turns, until = cycle([ways, ways[::-1]]), perf_counter() + len(ways) * limit
        while math.inf in found.values() or perf_counter() < until:
            for way in next(turns):
                found[str(way)] = min(found[str(way)], batch(way))
    except Exception:  # the run itself will say what is wrong, if it meets it
        found = dict.fromkeys(found, math.inf)
        memory.release()
    return found
