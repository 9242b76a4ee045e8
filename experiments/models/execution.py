"""How a model's networks are run: what changes the speed and, of an image, the last bits at most.

    channels_last   weights and activations lie (N, H, W, C), as convolution kernels want them
    compiled        the network's and the decoder's forward pass is one compiled graph, for each
                    batch shape that occurs

Like the device and the batch's shape, neither is an input of a cell: a run that was started without
compiling may be continued with it. As last bits depend on it, every image and the manifest record
it, and a replay repeats it.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Execution:
    """How the networks of a model are run; see `configs/execution/`."""

    channels_last: bool
    compiled: bool

    def __str__(self) -> str:
        kinds = ("channels_last", self.channels_last), ("compiled", self.compiled)
        return ", ".join(name for name, on in kinds if on) or "eager"


EAGER = Execution(channels_last=False, compiled=False)


@dataclass(frozen=True)
class Auto:
    """execution=auto: left to timing, where batches are made (`experiments.workers.timing`).

    With less than `least_batches` left to each lane or device it is eager. Each way is timed for
    `seconds`; compiling, its time unknown, with more than `compile_after` seconds of work left.
    """

    least_batches: float
    seconds: float
    compile_after: float
