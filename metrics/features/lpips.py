"""LPIPS (Zhang et al., CVPR 2018), version 0.1, by the network and linear heads of its own package.

With f_l the activations of layer l, normalised over channels at every position, and w_l the head:
  d(a, b) = sum_l mean_p  w_l . (f_l(a) - f_l(b))^2(p)
Features of a gallery are computed once and compared in pairs, where the package computes them for
every pair. The backbone is checked first; the package would take whatever lies in torch's cache.
"""

import re
import warnings
from functools import cached_property, partial
from importlib.metadata import version
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from metrics import weights
from metrics.features.network import Network, as_unit


class LPIPSFeatures(Network):
    """Perceptual distances. net: "alex" or "vgg", the package's name of the backbone.

    Images are compared at their own size; the network takes any of at least 32 pixels a side.
    """

    library = f"lpips {version('lpips')}"

    def __init__(self, *, source: str, net: str):
        super().__init__(source)
        self.net = net

    @cached_property
    def model(self) -> Any:
        import lpips
        from safetensors.torch import load_file

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the package speaks to an older torchvision
            model = lpips.LPIPS(net=self.net, version="0.1", pnet_rand=True, verbose=False)
        backbone = load_file(weights.locate(self.source))
        # the package names layers slice1.0, slice2.3, ...: torchvision's numbers, in slices
        names = {re.sub(r"^slice\d+\.", "", name): name for name in model.net.state_dict()}
        model.net.load_state_dict({names[name]: value for name, value in backbone.items()})
        return model.eval().requires_grad_(False).to(self.device, self.dtype)

    def pairs(self, galleries: Tensor) -> Tensor:
        """Distances of all pairs i < j: (G, K, 3, H, W), uint8 or float -> (G, K (K - 1) / 2).

        Differentiable in float images, on the network's device.
        """
        return sum((x.mean((-2, -1)) for x in self._layers(galleries)), torch.zeros(()))

    def maps(self, galleries: Tensor) -> Tensor:
        """The distances of `pairs` at every pixel, (G, K (K - 1) / 2, H, W).

        Each layer's map is enlarged bilinearly, as the package's `spatial=True` does, so their mean
        over an image is close to, but not exactly, the distance.
        """
        size = galleries.shape[-2:]
        enlarge = partial(interpolate, size=size, mode="bilinear", align_corners=False)
        return sum(map(enlarge, self._layers(galleries)), torch.zeros(()))

    def _layers(self, galleries: Tensor) -> list[Tensor]:
        """The weighted squared differences of each layer, (G, pairs, h, w)."""
        K = galleries.shape[1]
        first, second = torch.triu_indices(K, K, offset=1)
        x = as_unit(galleries.to(self.device)).to(self.dtype).flatten(0, 1)
        layers = []
        activations = self.model.net(self.model.scaling_layer(2 * x - 1))
        for activation, head in zip(activations, self.model.lins, strict=True):
            # the package's normalize_tensor, but with a gradient where all channels are zero
            norm = (activation.square().sum(1, keepdim=True) + 1e-20).sqrt()
            f = (activation / (norm + 1e-10)).unflatten(0, (-1, K))
            difference = (f[:, first] - f[:, second]).square()
            layers.append(head(difference.flatten(0, 1)).squeeze(1).unflatten(0, (-1, len(first))))
        return layers
