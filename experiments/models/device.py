"""Where a model runs and in which precision, from the words in its YAML."""

import torch

from experiments.errors import UsageError
from metrics.suite import DTYPES


def select_device(name: str) -> torch.device:
    """`auto` is the first of cuda, mps and cpu that is there; anything else must be there. `meta`,
    where tensors have shapes alone, always is. Raises UsageError: no such device here.
    """
    mps = torch.backends.mps.is_available()
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "mps" if mps else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise UsageError(f"model.device={name}: choose auto, cuda, cuda:N, mps or cpu") from None
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise UsageError(
            f"model.device={name}, but torch {torch.__version__} sees "
            f"{torch.cuda.device_count()} CUDA GPUs here: use model.device=auto"
        )
    if device.type == "mps" and not mps:
        raise UsageError(f"model.device={name}, but there is no Apple GPU: use model.device=auto")
    return device


def select_dtype(name: str, device: torch.device) -> torch.dtype:
    """`auto` is float16 on CUDA and float32 elsewhere.
    Raises UsageError: not a dtype, or float16 on a CPU, which computes it slowly or not at all.
    """
    if name == "auto":
        return torch.float16 if device.type == "cuda" else torch.float32
    if name not in DTYPES:
        raise UsageError(f"model.dtype={name}: choose auto, {', '.join(DTYPES)}")
    if name == "float16" and device.type == "cpu":
        raise UsageError("model.dtype=float16 needs a GPU: use model.dtype=float32 or auto on CPU")
    return DTYPES[name]
