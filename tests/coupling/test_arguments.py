"""A bad argument, whatever it is, is a ValueError of one short line."""

import math

import pytest
import torch

import coupling

LAW = coupling.repulsive(3)
HALF = coupling.mask(torch.tensor([[True, False]]))
NOISES = coupling.iid(2).sample((1, 2), seed=0)
CNO = dict(
    num_steps=1, learning_rate=0.1, temperature=0.1, gamma=None, window=8,
    through_network=False, checkpointed=False, shifted=False, epsilon=0.0,
)  # fmt: skip

NO_NUMBER = ["-0.2", "x", None, True, [], {}, object(), b"1", 1j, torch.zeros(2, 2), math.nan]
NO_SIZE = [*NO_NUMBER, 1.5, 3.0, 0, -1, 10**30, math.inf]
NO_LAW = [*NO_NUMBER, 3, coupling.iid]

CALLS = {
    **{
        name: (lambda bad, name=name: getattr(coupling, name)(bad), NO_SIZE)
        for name in ("iid", "identical", "antithetic", "repulsive")
    },
    "K": (lambda bad: coupling.equicorrelated(bad, 0.1), NO_SIZE),
    "rho": (lambda bad: coupling.equicorrelated(4, bad), [*NO_NUMBER, 2, math.inf]),
    "correlation": (coupling.from_correlation, [*NO_NUMBER, [[1, 2], [3]], [["a"]], [[math.nan]]]),
    "matrix": (coupling.from_matrix, [*NO_NUMBER, [[1, 2], [3]], [["a"]], [[math.nan]]]),
    "shape": (
        lambda bad: LAW.sample(bad, seed=1),
        ["64", None, 64.5, 4, {}, {1: 2}, [0], ["4"], [True], [2**31 - 1] * 4, object()],
    ),
    "seed": (lambda bad: LAW.sample((1, 2), seed=bad), [*NO_NUMBER, 1.5]),
    "job": (lambda bad: LAW.sample((1, 2), seed=1, job=bad), [7, None, b"x", ["x"]]),
    "base": (LAW.couple, [*NO_NUMBER, torch.zeros(2, 4)]),
    "member": (lambda bad: coupling.stream_key(seed=1, member=bad), [*NO_NUMBER, -1]),
    "members": (lambda bad: coupling.base_noise((2,), seed=1, members=bad), [3, None, "12", {}]),
    "region": (coupling.mask, [*NO_NUMBER, [[0, 1]], torch.ones(4, dtype=torch.bool)]),
    "channels": (lambda bad: coupling.channels(bad, of=4), [3, None, "0", [4], [True], [0.0]]),
    "of": (lambda bad: coupling.channels([0], of=bad), NO_SIZE),
    "low": (lambda bad: coupling.frequency_band(bad, 0.5, shape=(4, 4)), [*NO_NUMBER, 0.5]),
    "high": (lambda bad: coupling.frequency_band(0, bad, shape=(4, 4)), [*NO_NUMBER, 0]),
    "of a band": (lambda bad: coupling.frequency_band(0, 1, shape=bad), [*NO_NUMBER, (4,), 4]),
    "span": (coupling.span, [*NO_NUMBER, [[1, 2], [3]]]),
    "x": (HALF, [*NO_NUMBER, torch.zeros(1, 3)]),
    "projection": (lambda bad: coupling.subspace(bad, inside=LAW, outside=LAW), NO_LAW),
    "inside": (lambda bad: coupling.subspace(HALF, inside=bad, outside=LAW), NO_LAW),
    "outside": (lambda bad: coupling.subspace(HALF, inside=LAW, outside=bad), NO_LAW),
    "grown": (lambda bad: coupling.grow(bad, NOISES, 3, seed=1), NO_LAW),
    "noises": (
        lambda bad: coupling.grow(coupling.iid(4), bad, 4, seed=1),
        [*NO_NUMBER[:-2], torch.zeros(2), torch.zeros(0, 2), torch.zeros(2, 2, dtype=torch.int)],
    ),
    "size": (lambda bad: coupling.grow(coupling.iid(4), NOISES, bad, seed=1), NO_SIZE),
    "random": (lambda bad: coupling.random_coupling(3, bad, seed=1), NO_SIZE),
    "noise": (lambda bad: coupling.near_repulsive(3, noise=bad, seed=1), [*NO_NUMBER, -1]),
    "spread": (
        lambda bad: coupling.Preview(candidates=9, window=8, spread=bad, then=None), NO_NUMBER,
    ),
    "candidates": (
        lambda bad: coupling.Preview(candidates=bad, window=8, spread="sum", then=None), NO_SIZE,
    ),
    **{
        name: (lambda bad, name=name: coupling.Contrastive(**{**CNO, name: bad}), bad)
        for name, bad in {
            "num_steps": NO_SIZE[:-4], "learning_rate": [*NO_NUMBER, -1], "window": NO_SIZE,
            "temperature": [*NO_NUMBER, 0], "shifted": [0, None, "no"], "epsilon": [*NO_NUMBER, -1],
        }.items()
    },
}  # fmt: skip


@pytest.mark.parametrize("name", CALLS)
def test_a_bad_argument_is_one_line(name):
    call, arguments = CALLS[name]
    for bad in arguments:
        with pytest.raises(ValueError, match=r"^.{5,250}$") as raised:
            call(bad)
        assert "\n" not in str(raised.value)
