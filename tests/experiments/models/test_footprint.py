"""The arithmetic of memory: counted again on networks of the published size, by tensors that have
shapes and no values."""

import weakref
from collections.abc import Callable
from functools import partial

import pytest
import torch
from diffusers import UNet2DModel
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from experiments.models.footprint import PUBLISHED, told
from scripts import published

HALF, FULL = torch.float16, torch.float32


def ddpm_unet() -> nn.Module:
    """ddpm-bedroom-256's."""
    return UNet2DModel(
        sample_size=256, block_out_channels=(128, 128, 256, 256, 512, 512), layers_per_block=2,
        down_block_types=(*["DownBlock2D"] * 4, "AttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "AttnUpBlock2D", *["UpBlock2D"] * 4),
        attention_head_dim=None, downsample_padding=0,
    )  # fmt: skip


class Live(TorchDispatchMode):
    """Counts the bytes of all tensors that are alive, and the most there were."""

    def __init__(self):
        super().__init__()
        self.known, self.now, self.peak = set(), 0, 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        out = function(*args, **(kwargs or {}))
        for storage in (x.untyped_storage() for x in tree_leaves(out) if isinstance(x, Tensor)):
            if storage._cdata not in self.known:
                self.known.add(storage._cdata)
                self.now += storage.nbytes()
                self.peak = max(self.peak, self.now)
                weakref.finalize(storage, self.free, storage._cdata, storage.nbytes())
        return out

    def free(self, key: int, size: int) -> None:
        self.known.discard(key)
        self.now -= size


def peak(module: Callable[[], nn.Module], call: Callable, dtype: torch.dtype, **options) -> float:
    """GiB alive at once beside the weights in `call(module, x)`, and back with a gradient."""
    with FakeTensorMode():
        torch.set_default_dtype(dtype)
        try:
            network = module().eval().requires_grad_(False)
        finally:
            torch.set_default_dtype(FULL)
        x = torch.empty(1, *options["shape"], dtype=dtype).requires_grad_(options["gradient"])
        live = Live()
        live.known |= {p.untyped_storage()._cdata for p in network.parameters()}
        with torch.set_grad_enabled(options["gradient"]), live:
            out = call(network, x).sample
            if options["gradient"]:
                torch.autograd.grad(out.float().sum(), x)
        return live.peak / 2**30


def half(*shape: int) -> Tensor:
    return torch.empty(1, *shape, dtype=HALF)


def text(network: nn.Module, x: Tensor) -> Tensor:
    return network(x, torch.empty(1), encoder_hidden_states=half(77, 768))


def sized(network: nn.Module, x: Tensor) -> Tensor:
    own = {"text_embeds": half(1280), "time_ids": half(6)}
    return network(x, torch.empty(1), encoder_hidden_states=half(77, 2048), added_cond_kwargs=own)


def flow(network: nn.Module, x: Tensor) -> Tensor:
    return network(x, half(333, 4096), pooled_projections=half(2048), timestep=torch.empty(1))


def pixels(network: nn.Module, x: Tensor) -> Tensor:
    return network(x, torch.empty(1))


@pytest.mark.parametrize(
    ("module", "parameters"),  # as published, in millions
    [
        (published.sd15_unet, 860), (published.sdxl_unet, 2567), (published.sd3_transformer, 2028),
        (published.clip_l, 123), (published.clip_g, 695), (ddpm_unet, 114),
    ],
)  # fmt: skip
def test_networks_have_the_published_sizes(module, parameters):
    with torch.device("meta"):
        found = sum(each.numel() for each in module().parameters())
    assert round(found / 1e6) == parameters


@pytest.mark.parametrize(
    ("name", "module", "call", "shape"),
    [
        ("sd15", published.sd15_unet, text, (4, 64, 64)),
        pytest.param("sdxl", published.sdxl_unet, sized, (4, 128, 128), marks=pytest.mark.slow),
        pytest.param(
            "sd3", published.sd3_transformer, flow, (16, 128, 128), marks=pytest.mark.slow
        ),
        ("ddpm_bedroom", ddpm_unet, pixels, (3, 256, 256)),
    ],
)
def test_a_row_of_a_network_call(name, module, call, shape):
    footprint = PUBLISHED[name]
    dtype = getattr(torch, footprint.dtype)
    for expected, gradient in ((footprint.row, False), (footprint.graph, True)):
        assert peak(module, call, dtype, shape=shape, gradient=gradient) == pytest.approx(
            expected, rel=0.01
        )


@pytest.mark.parametrize(
    ("name", "channels", "dtype"), [("sd15", 4, HALF), ("sdxl", 4, FULL), ("sd3", 16, HALF)]
)
def test_an_image_through_the_decoder(name, channels, dtype):
    side, footprint = 64 if name == "sd15" else 128, PUBLISHED[name]
    for expected, gradient in ((footprint.decoded, False), (footprint.decoder, True)):
        found = peak(
            partial(published.vae, channels),
            lambda network, z: network.decode(z),
            dtype,
            shape=(channels, side, side),
            gradient=gradient,
        )
        assert found == pytest.approx(expected, rel=0.01)


def settings(name: str, guidance: float = 6.0) -> dict:
    return {"name": name, "guidance": guidance, "image_size": 512 if name == "sd15" else 1024}


def test_the_largest_of_what_is_alive_at_once_is_told():
    """Three images of SD1.5: of refinement the decoder's graph, of CNO's release six rows."""
    graph = {"sampled": 3, "differentiated": 3, "back": True}
    assert told(settings("sd15", 1.0), **graph).startswith("about 4.8 GiB")
    assert told(settings("sd15"), **graph).startswith("about 6.5 GiB")  # 6.4 on an H100
    assert told(settings("sdxl"), **graph).startswith("about 36.6 GiB")  # 35.6
    assert told(settings("mine"), **graph) == ""


def test_without_a_gradient_it_is_the_images_that_are_decoded_at_once():
    """A gallery of three, and batches of which the decoder takes a part at a time."""
    plain = {"differentiated": 0, "back": False}
    assert told(settings("sd15"), sampled=3, **plain).startswith("about 3.1 GiB")  # 3.3 on an H100
    assert told(settings("sdxl"), sampled=3, **plain).startswith("about 15.6 GiB")  # 17.3
    assert told(settings("sdxl"), sampled=48, **plain).startswith("about 21.4 GiB")  # the network
    assert told(settings("sd3"), sampled=12, **plain).startswith("about 25.1 GiB")


def test_but_the_weights_it_goes_with_the_pixels():
    small = settings("sdxl") | {"image_size": 512}
    assert told(small, sampled=3, differentiated=0, back=False).startswith("about 8.9 GiB")
    assert told(small, sampled=3, differentiated=3, back=True).startswith("about 14.1 GiB")
