"""What the hardware could do, and what a gallery asks of it; measured in the same run."""

from collections.abc import Callable

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import conv2d
from torch.utils.flop_counter import FlopCounterMode

from experiments.methods.method import Stopwatch
from experiments.models.model import Model


def count_flops(work: Callable[[], object]) -> int:
    """Floating point operations of the matrix products and convolutions in `work`.

    A multiplication and an addition are two. Attention is counted as the matrix products that it
    is, whichever kernel runs it.
    """
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH), torch.no_grad():
        work()
    return counter.get_total_flops()


def gallery_flops(model: Model, size: int) -> int:
    """Of a gallery of `size` images: every guided network call, and the decoder."""
    noise = torch.zeros(1, *model.noise_shape, device=model.device, dtype=model.dtype)
    condition = model.encode_prompts(["a bed"])
    step = count_flops(lambda: model.predict(noise, 0, condition))
    decoded = count_flops(lambda: model.decode(noise))
    return size * (model.process.num_steps * step + decoded)


def arithmetic_peak(device: torch.device, dtype: torch.dtype, *, repeats: int = 10) -> float:
    """FLOP/s of the fastest of some large matrix products and convolutions.

    They run other kernels; on some processors a convolution is twice as fast.
    """
    side, rows = (8192, 256) if device.type == "cuda" else (2048, 24)
    channels, pixels = 128, 32
    a, b = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
    images = torch.randn(rows, channels, pixels, pixels, device=device).to(dtype)
    images = images.to(memory_format=torch.channels_last)
    kernel = torch.randn(channels, channels, 3, 3, device=device).to(dtype)
    kernel = kernel.to(memory_format=torch.channels_last)
    products = {
        2 * side**3: lambda: torch.mm(a, b),
        2 * rows * pixels**2 * channels**2 * 9: lambda: conv2d(images, kernel, padding=1),
    }
    best = 0.0
    for flops, product in products.items():
        for _ in range(repeats):
            timed = Stopwatch(device)
            with timed("product"):
                product()
            best = max(best, flops / timed.seconds["product"])
    return best
