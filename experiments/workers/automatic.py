"""workers=auto: this process, or an actor on every GPU where there is more than one."""

from importlib.util import find_spec
from typing import Any

import torch

from experiments.workers.actors import RayWorkers
from experiments.workers.dispatch import Workers
from experiments.workers.local import LocalWorkers


def every_card(
    *, device: str, lanes: int | str, start_seconds: float, batch_seconds: float, **common: Any
) -> Workers:
    """Workers on all GPUs that can be seen (CUDA_VISIBLE_DEVICES), a model on each.

    Ray keeps actors apart; without it the first GPU is taken, and the run says how many are idle.

    Args:
        device: of the model; one with a number, or none that has several, is this process's.
        lanes: of this process; the others: of actors (see `RayWorkers`).
        common: galleries_per_batch, threads and retries, of either.
    """
    cards = torch.cuda.device_count() if device in ("auto", "cuda") else 0
    if cards < 2 or find_spec("ray") is None:
        return LocalWorkers(lanes=lanes, **common)
    times: dict[str, Any] = {"start_seconds": start_seconds, "batch_seconds": batch_seconds}
    return RayWorkers(num=cards, address=None, cpus=None, gpus=1, **times, **common)
