"""Base noise is a pure function of (seed, job, member) and of nothing else."""

import hashlib

import pytest
import torch

from coupling import base_noise, iid, repulsive, stream_key, torch_noise

PINNED_KEYS = [957344444, 3149268386, 981107192]
PINNED_VALUES = [1.2375772, -1.0020528, 0.9411469, -0.2566626]


def test_a_member_depends_on_no_sibling_no_order_and_no_gallery_size():
    five = base_noise((4, 8, 8), seed=3, job="a bed", members=range(5))
    assert torch.equal(base_noise((4, 8, 8), seed=3, job="a bed", members=range(3)), five[:3])
    assert torch.equal(base_noise((4, 8, 8), seed=3, job="a bed", members=[4, 0]), five[[4, 0]])


def test_seed_job_and_member_each_choose_another_stream():
    names = [(seed, job, member) for seed in (0, 1) for job in ("", "a", "b") for member in (0, 1)]
    draws = [base_noise((10_000,), seed=s, job=j, members=[m])[0] for s, j, m in names]
    correlation = torch.corrcoef(torch.stack(draws))
    assert (correlation - torch.eye(len(draws))).abs().max() < 0.05


def test_fields_of_a_key_cannot_run_into_one_another():
    keys = {
        stream_key(seed=1, job="2:3", member=4),
        stream_key(seed=1, job="3", member=42),
        stream_key(seed=14, job="2:3", member=4),
        stream_key(seed=1, job="4:2:3", member=4),
    }
    assert len(keys) == 4


@pytest.mark.parametrize("shape", [(3,), (4, 8, 8), (16, 3, 5, 7)])
def test_torch_noise_is_what_torch_draws_for_consecutive_seeds(shape):
    drawn = [
        torch.randn((1, *shape), generator=torch.Generator().manual_seed(2**32 - 2 + member))
        for member in range(4)  # the third seed is above 32 bits
    ]
    noise = torch_noise(shape, seed=2**32 - 2, members=range(4))
    assert torch.equal(noise, torch.cat(drawn))
    assert torch.equal(
        torch_noise(shape, seed=2**32 - 2, job="a bed", members=[2, 0]), noise[[2, 0]]
    )
    coupled = repulsive(4).couple(noise)
    assert coupled.sum(dim=0).abs().max() < 1e-5


@pytest.mark.parametrize(("seed", "members"), [(1.5, [0]), (1, [-1]), (1, [0.5])])
def test_torch_noise_takes_integers(seed, members):
    with pytest.raises(ValueError, match="is not an integer"):
        torch_noise((4,), seed=seed, members=members)


def test_keys_are_pinned():
    """A change here changes every noise of every run."""
    digest = hashlib.sha256(b"7:1:a bedroom").digest()
    assert stream_key(seed=7, job="a bedroom", member=1) == int.from_bytes(digest[:4], "big")
    assert [stream_key(seed=0, member=member) for member in range(3)] == PINNED_KEYS


def test_values_are_pinned():
    """To a tolerance only: torch's logarithm and cosine differ between processors by last bits."""
    noise = base_noise((16, 16), seed=0, members=[0])[0, 0, :4]
    torch.testing.assert_close(noise, torch.tensor(PINNED_VALUES), atol=1e-5, rtol=0)


def test_a_key_is_all_that_is_needed_to_redraw_a_noise():
    key = stream_key(seed=5, job="a lamp", member=2)
    redrawn = torch.randn(4, 16, 16, generator=torch.Generator().manual_seed(key))
    assert torch.equal(redrawn, base_noise((4, 16, 16), seed=5, job="a lamp", members=[2])[0])


def test_torch_uses_the_low_32_bits_of_a_seed():
    """The fact behind 32-bit keys; should it change, longer keys become worth their length."""
    draws = [
        torch.randn(16, generator=torch.Generator().manual_seed(seed)) for seed in (5, 5 + 2**32)
    ]
    assert torch.equal(*draws)


def test_noise_is_float32_on_the_cpu_whatever_the_defaults_and_leaves_global_state_alone():
    state = torch.get_rng_state()
    expected = base_noise((2, 4, 4), seed=0, members=range(2))
    default = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        noise = base_noise((2, 4, 4), seed=0, members=range(2))
    finally:
        torch.set_default_dtype(default)
    assert (noise.dtype, noise.device.type) == (torch.float32, "cpu")
    assert torch.equal(noise, expected)
    assert torch.equal(torch.get_rng_state(), state)


def test_thread_count_changes_no_bit():
    threads = torch.get_num_threads()
    draws = []
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            draws.append(repulsive(3).sample((4, 128, 128), seed=1))
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(*draws)


def test_sample_couples_the_base_noise_of_the_job():
    base = base_noise((2, 8, 8), seed=1, job="x", members=range(3))
    assert torch.equal(iid(3).sample((2, 8, 8), seed=1, job="x"), base)
    assert torch.equal(repulsive(3).sample((2, 8, 8), seed=1, job="x"), repulsive(3).couple(base))
    theirs = torch_noise((2, 8, 8), seed=1, members=range(3))
    sampled = repulsive(3).sample((2, 8, 8), seed=1, base=torch_noise)
    assert torch.equal(sampled, repulsive(3).couple(theirs))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"seed": 1.5, "member": 0}, "seed = 1.5 is not an integer"),
        ({"seed": 1, "member": -1}, "member = -1 is not an integer >= 0"),
    ],
)
def test_bad_keys_are_refused(arguments, message):
    with pytest.raises(ValueError) as error:
        stream_key(**arguments)
    assert str(error.value) == message
