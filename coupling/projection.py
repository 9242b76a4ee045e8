"""Orthogonal projections P onto a part of the noise: a region, channels, frequencies, directions.

Each is linear, idempotent (P P = P) and self-adjoint (<P x, y> = <x, P y>), acts on the trailing
axes of a tensor, and is differentiable. The two trivial ones, 0 and I, are projections like any
other, so empty and full masks, channel lists and bands are accepted; `fraction` tells.
"""

import hashlib
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

import torch
from torch import Tensor

from coupling.validation import (
    as_number,
    require_a,
    require_integer,
    require_items,
    require_size,
    shown,
)


@dataclass(frozen=True, repr=False)
class Projection:
    """An orthogonal projection P of tensors (..., *shape).

    `shape`: the trailing sizes that P is made for; None where any size will do.
    `diagonal`: P_xx = |P e_x|^2 in [0, 1] at every coordinate x, float64, broadcastable to `shape`.
    `name`: how it is made, with all that decides about it: equal names, equal projections.
    """

    apply: Callable[[Tensor], Tensor] = field(compare=False)
    shape: tuple[int | None, ...] = field(compare=False)
    diagonal: Tensor = field(compare=False)
    name: str

    def __repr__(self) -> str:
        return self.name

    @property
    def fraction(self) -> float:
        """tr P / D in [0, 1], the part of the noise that P keeps."""
        return self.diagonal.mean().item()

    @property
    def is_local(self) -> bool:
        """Whether P keeps or drops each coordinate by itself: |P e_x|^2 is then 0 or 1."""
        return bool(((self.diagonal == 0) | (self.diagonal == 1)).all())

    def __call__(self, x: Tensor) -> Tensor:
        """P x, of the shape of x. Raises ValueError if x has other trailing sizes than `shape`."""
        require_a(Tensor, x, "x")
        trailing = tuple(x.shape[-len(self.shape) :])
        if len(trailing) < len(self.shape) or any(
            size not in (None, actual) for size, actual in zip(self.shape, trailing, strict=True)
        ):
            raise ValueError(
                f"a noise of shape {tuple(x.shape)} does not end in {_written(self.shape)}, "
                "the shape this projection is made for"
            )
        return self.apply(x)

    @property
    def complement(self) -> "Projection":
        """I - P, the projection onto everything that P removes."""
        name = f"{self.name}.complement"
        return Projection(lambda x: x - self.apply(x), self.shape, 1 - self.diagonal, name)


def mask(region: Tensor) -> Projection:
    """Keep the pixels (of images or latents) where `region` (H, W), boolean, is true.

    >>> mask(torch.tensor([[True, False], [False, False]])).fraction
    0.25
    """
    region = _tensor(region, "the mask")
    if region.dim() != 2 or region.dtype != torch.bool or region.numel() == 0:
        raise ValueError(
            f"the mask is {region.dtype} of shape {tuple(region.shape)}; "
            "valid is torch.bool of shape (H, W)"
        )
    return _where(region.clone(), tuple(region.shape), f"mask({_digest(region)})")


def channels(indices: Iterable[int], of: int) -> Projection:
    """Keep the channels `indices`, each in [0, `of`), of tensors (..., C = `of`, H, W).

    >>> channels([0, 2], of=4)(torch.ones(4, 1, 1)).flatten()
    tensor([1., 0., 1., 0.])
    """
    of = require_size(of, "the number of channels", least=1)
    kept = torch.zeros(of, 1, 1, dtype=torch.bool)
    for index in require_items(indices, "channels"):
        if not 0 <= require_integer(index, "channel") < of:
            raise ValueError(f"channel = {index} is outside [0, {of - 1}], the valid range")
        kept[index] = True
    names = kept.flatten().nonzero().flatten().tolist()
    return _where(kept, (of, None, None), f"channels({names}, of={of})")


def frequency_band(low: float, high: float, *, shape: Sequence[int]) -> Projection:
    """Keep the spatial frequencies low <= |f| < high, f in cycles per pixel, of `shape` (H, W).

    |f| runs from 0, the mean, to sqrt(1/2), the checkerboard. Bands [a, b) and [b, c) share no
    frequency and add up to [a, c). Raises ValueError unless 0 <= low < high.

    >>> mean = frequency_band(0, 0.1, shape=(2, 2))
    >>> mean(torch.tensor([[1.0, 2.0], [3.0, 6.0]]))
    tensor([[3., 3.],
            [3., 3.]])
    """
    low, high = as_number(low, "the band's lower end"), as_number(high, "the band's upper end")
    if not 0 <= low < high:
        raise ValueError(f"the band [{low:g}, {high:g}) is empty; valid is 0 <= low < high")
    sides = require_items(shape, "the band's shape")
    if len(sides) != 2:
        raise ValueError(f"the band's shape is {tuple(sides)}; valid is (H, W)")
    height, width = (require_size(side, "the band's height or width", least=1) for side in sides)
    vertical, horizontal = (torch.fft.fftfreq(n, dtype=torch.float64) for n in (height, width))
    radius = torch.hypot(vertical[:, None], horizontal[None, :])
    # f and -f have one radius, so the band is symmetric and P x is real.
    kept = (low <= radius) & (radius < high)
    half = kept[:, : width // 2 + 1].clone()

    def apply(x: Tensor) -> Tensor:
        spectrum = torch.fft.rfft2(x)
        return torch.fft.irfft2(torch.where(half.to(x.device), spectrum, 0), s=(height, width))

    # Every pixel sees the same band.
    diagonal = kept.double().mean().reshape(1, 1)
    name = f"frequency_band({low}, {high}, shape=({height}, {width}))"
    return Projection(apply, (height, width), diagonal, name)


def span(vectors: Tensor) -> Projection:
    """Keep the span of `vectors` (r, *shape), linearly independent, r >= 1.

    They are orthonormalised in float64. Raises ValueError if they are linearly dependent.

    >>> line = span(torch.tensor([[3.0, 4.0]]))
    >>> line(torch.tensor([1.0, 0.0]))
    tensor([0.3600, 0.4800])
    """
    vectors = _tensor(vectors, "the vectors", dtype=torch.float64, device="cpu").detach()
    if vectors.dim() < 2 or vectors.numel() == 0 or not vectors.isfinite().all():
        raise ValueError(
            f"the vectors have the shape {tuple(vectors.shape)}; "
            "valid is (r, *shape) with r >= 1, all finite"
        )
    flat = vectors.flatten(1).T
    count, rank = len(vectors), torch.linalg.matrix_rank(flat).item()
    if rank < count:
        raise ValueError(f"the {count} vectors have rank {rank}; valid is linearly independent")
    shape = tuple(vectors.shape[1:])
    basis = torch.linalg.qr(flat).Q  # (D, r)

    def apply(x: Tensor) -> Tensor:
        q = basis.to(x)
        flat_x = x.reshape(*x.shape[: x.dim() - len(shape)], -1)
        return ((flat_x @ q) @ q.T).reshape(x.shape)

    diagonal = basis.square().sum(dim=1).reshape(shape)
    return Projection(apply, shape, diagonal, f"span({_digest(vectors)})")


def joint_shape(projections: Iterable[Projection]) -> tuple[int, ...]:
    """The smallest trailing shape on which all of them act; 1 where any size will do.

    Raises ValueError if there is none.
    """
    shapes = [projection.shape for projection in projections]
    axes: list[int] = []
    for sizes in zip_longest(*(reversed(shape) for shape in shapes)):
        fixed = {size for size in sizes if size is not None}
        if len(fixed) > 1:
            raise ValueError(
                f"projections of shapes {' and '.join(map(_written, shapes))} do not fit together; "
                "valid are equal sizes on every axis they share"
            )
        axes.append(fixed.pop() if fixed else 1)
    return tuple(axes[::-1])


def commute(p: Projection, q: Projection) -> bool:
    """Whether P Q = Q P, told by one random vector: it has measure zero where the two differ."""
    generator = torch.Generator("cpu").manual_seed(0)
    x = torch.randn(joint_shape([p, q]), dtype=torch.float64, device="cpu", generator=generator)
    return torch.allclose(p(q(x)), q(p(x)), rtol=0, atol=1e-9)


def product_fraction(path: Sequence[Projection]) -> float:
    """tr(Q Q^T) / D for the product Q = P_1 ... P_n; 1 for the empty product.

    Exact for any projections, whether they commute or not: the mean of |Q^T e_x|^2 over all unit
    vectors. Immediate for local projections (masks, channels) and one other at either end; else it
    takes up to D applications: seconds at D = 64 x 64, a minute at 128 x 128.
    """
    path = list(path)
    if path and not path[0].is_local:
        path.reverse()  # tr(Q Q^T) = tr(Q^T Q)
    weight = torch.ones((), dtype=torch.float64)
    while path and path[0].is_local:
        weight = weight * path.pop(0).diagonal
    if len(path) < 2:
        return math.prod((p.diagonal for p in path), start=weight).mean().item()
    shape = torch.broadcast_shapes(joint_shape(path), weight.shape)
    dimension = math.prod(shape)
    kept = weight.expand(shape).flatten().nonzero()
    total = 0.0
    for indices in kept.split(max(1, 2**20 // dimension)):
        units = torch.zeros(len(indices), dimension, dtype=torch.float64, device=kept.device)
        x = units.scatter_(1, indices, 1).reshape(-1, *shape)
        for projection in path:
            x = projection(x)
        total += x.square().sum().item()
    return total / dimension


def _tensor(values: Any, name: str, **kind: Any) -> Tensor:
    try:
        return torch.as_tensor(values, **kind)
    except (TypeError, ValueError, RuntimeError):
        raise ValueError(f"{name}: {shown(values)} is no tensor; valid is one of numbers") from None


def _where(kept: Tensor, shape: tuple[int | None, ...], name: str) -> Projection:
    return Projection(lambda x: torch.where(kept.to(x.device), x, 0.0), shape, kept.double(), name)


def _digest(values: Tensor) -> str:
    """The shape of a tensor, and a hash of its values."""
    digest = hashlib.sha256(str(values.tolist()).encode()).hexdigest()[:12]
    return f"{' x '.join(map(str, values.shape))}, {digest}"


def _written(shape: tuple[int | None, ...]) -> str:
    return "(" + ", ".join("any" if size is None else str(size) for size in shape) + ")"
