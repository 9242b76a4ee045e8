"""Base noise: Z_j ~ N(0, I), one random stream per member, a pure function of (seed, job, member).

A member's noise depends on nothing else: not on its siblings, the gallery size, the batch, the
device or the order of the work. So the first three members of a gallery of five are the gallery of
three, every coupling of a job starts from the same Z (common random numbers: methods are compared
in pairs), and a member can be drawn again alone.

How many streams there are. Of what it is given, torch's CPU generator (mt19937) uses the low 32
bits only, so a stream key is the first 32 bits of SHA-256(seed, job, member). Among n streams some
two coincide with probability about n^2 / 2^33 (birthday bound): 7e-10 within a gallery of three,
0.4 % somewhere in a run of 2,000 such galleries. Members of different galleries that share a noise
bias nothing; equal keys, recorded with the images, would show it.

What is reproducible. The key, everywhere. The values, bit for bit, on the same kind of processor
and torch release; across processors torch's vectorised logarithm and cosine may differ in the last
bits, and torch promises no equal streams across its releases.
"""

import hashlib
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from coupling.validation import require_a, require_integer, require_items, require_size

KEY_BYTES = 4  # all that manual_seed uses on a CPU


def stream_key(*, seed: int, job: str = "", member: int) -> int:
    """The key of one member's stream, in [0, 2^32): seed `torch.Generator` with it to redraw Z_j.

    `job` names the gallery within a run, `member` >= 0 the noise within the gallery.

    >>> stream_key(seed=7, job="a bedroom", member=0)
    507115814
    """
    seed = require_integer(seed, "seed")
    member = require_integer(member, "member", least=0)
    require_a(str, job, "job")
    # The numbers come first, so that no job name can imitate another (seed, job, member).
    digest = hashlib.sha256(f"{seed}:{member}:{job}".encode()).digest()
    return int.from_bytes(digest[:KEY_BYTES], "big")


def base_noise(shape: Sequence[int], *, seed: int, job: str = "", members: Iterable[int]) -> Tensor:
    """Independent standard normal noises (len(members), *shape), float32, on the CPU.

    Row j belongs to the j-th of `members` and to it alone:

    >>> five = base_noise((4, 8, 8), seed=7, members=range(5))
    >>> torch.equal(five[[3, 1]], base_noise((4, 8, 8), seed=7, members=[3, 1]))
    True
    """
    members = require_items(members, "members")
    return _drawn(shape, [stream_key(seed=seed, job=job, member=member) for member in members])


def torch_noise(
    shape: Sequence[int], *, seed: int, job: str = "", members: Iterable[int]
) -> Tensor:
    """The noises that other programs draw for the seeds `seed`, `seed` + 1, ...; else `base_noise`.

    Member m is what `torch.randn` draws in float32 on the CPU for the seed `seed` + m, and so what
    a diffusers pipeline starts from when it is given such a generator an image:

    >>> second = torch.Generator().manual_seed(7 + 1)
    >>> expected = torch.randn((1, 4, 8, 8), generator=second)
    >>> torch.equal(torch_noise((4, 8, 8), seed=7, members=[1]), expected)
    True

    `job` is not used, as a torch seed knows of none: galleries that are to be independent need
    seeds that are K apart.
    """
    seed = require_integer(seed, "seed")
    members = require_items(members, "members")
    return _drawn(shape, [seed + require_integer(m, "member", least=0) for m in members])


def _drawn(shape: Sequence[int], keys: Sequence[int]) -> Tensor:
    """A standard normal noise of `shape` for each key of a generator."""
    sides = require_items(shape, "the noise's shape")
    sides = [require_size(side, "a side of the noise's shape", least=1) for side in sides]
    try:
        noise = torch.empty((len(keys), *sides), dtype=torch.float32, device="cpu")
    except RuntimeError:
        raise ValueError(f"{len(keys)} noises of shape {tuple(sides)} fit no memory") from None
    for row, key in zip(noise, keys, strict=True):
        row.normal_(generator=torch.Generator("cpu").manual_seed(key))
    return noise
