"""The probe finds the largest power of two that fits, whether the device tells or runs out."""

import pytest
import torch

from experiments.workers.memory import MOST, largest_batch, ran_out


@pytest.mark.parametrize(("room", "expected"), [(1, 1), (5, 4), (16, 8), (40, 32), (10**6, MOST)])
def test_doubling_stops_at_the_share(room, expected):
    assert largest_batch(lambda size: size / room) == expected


def test_running_out_is_an_answer_and_another_error_is_none():
    def share(size: int) -> float:
        if size > 4:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return 0.1

    assert largest_batch(share) == 4

    def broken(size: int) -> float:
        raise ValueError("no such layer")

    with pytest.raises(ValueError, match="no such layer"):
        largest_batch(broken)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), True),
        (RuntimeError("MPS backend out of memory (MPS allocated: 1 GB)"), True),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), True),
        (MemoryError(), True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_what_counts_as_running_out(error, expected):
    assert ran_out(error) == expected
