"""Memory: how much was used, whether it ran out, and how many galleries fit."""

import gc
import resource
import sys
from collections.abc import Callable

import torch

SHARE = 0.8  # of a device's memory, beyond which no larger batch is tried
MOST = 64  # galleries a batch; more make no device faster
SIGNS = ("out of memory", "can't allocate memory", "not enough memory")


def reset_peak(device: torch.device) -> None:
    """Resets the peak counter (CUDA only; elsewhere there is none)."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)


def peak(device: torch.device) -> float:
    """The peak in MiB: of the device since `reset_peak`, or on a CPU of the process so far."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    unit = 2**20 if sys.platform == "darwin" else 2**10  # bytes there, kilobytes elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def ran_out(error: Exception) -> bool:
    """Whether an error says that memory was short, on whichever device."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error).lower() for sign in SIGNS)


def release() -> None:
    """Frees what a failed batch has left behind."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def largest_batch(share: Callable[[int], float]) -> int:
    """How many galleries fit: 1, 2, 4, ..., doubled while no more than SHARE is used.

    Args:
        share: makes a batch of so many galleries and returns the share of the memory that it took,
            in [0, 1], or raises when that ran out.
    """
    size = 1
    while size < MOST:
        try:
            fits = share(2 * size) <= SHARE
        except Exception as error:
            if not ran_out(error):
                raise
            fits = False
        release()
        if not fits:
            break
        size *= 2
    return size
