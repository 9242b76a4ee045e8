"""DAVE: what the tokens of an image share is damped in some blocks of a transformer, at first.

arXiv:2606.06813 (ICML 2026). With h the output of a block, an embedding a token of the image, and
mu its mean over these tokens,

    h <- a mu + (h - mu)

in the first steps. In blocks where mu agrees between seeds (cosine >= 0.99) it carries what makes a
gallery's images alike. Which blocks these are is a model's own: the paper measures it, and leaves
the last ones out. It takes no network row.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from threading import get_ident
from typing import Any

from torch import Tensor, nn

from coupling.steering.base import Course, Steering, require_window
from coupling.validation import require_items, require_number


@dataclass(frozen=True)
class DAVE(Steering):
    """Damps the mean token.

    weight: a (the paper: 0.2 to 0.5); blocks: names of modules of the network, each of which gives
    (..., image tokens (N, tokens, width)) or these alone; window: of the steps, [from, to) in
    fractions of their number (the paper: up to 0.15 or 0.2).
    """

    weight: float
    blocks: Sequence[str]
    window: Sequence[float]

    def __post_init__(self) -> None:
        require_number(self.weight, "weight")
        require_items(self.blocks, "blocks")
        require_window(self.window, "window")

    @contextmanager
    def attached(self, course: Course, step: int, network: nn.Module) -> Iterator[None]:
        handles, here = [], get_ident()

        def damped(*call: Any) -> Any:  # other threads may sample with this network, too
            return self._damped(*call) if get_ident() == here else None

        try:
            for name in self.blocks if course.within(step, self.window) else ():
                handles.append(_module(network, name).register_forward_hook(damped))
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _damped(self, module: nn.Module, arguments: Any, output: Any) -> Any:
        if isinstance(output, Tensor):
            return output + (self.weight - 1) * output.mean(1, keepdim=True)
        return (*output[:-1], self._damped(module, arguments, output[-1]))


def _module(network: nn.Module, name: str) -> nn.Module:
    try:
        return network.get_submodule(name)
    except AttributeError:
        raise ValueError(f"blocks: {type(network).__name__} has no module {name}") from None
