"""The authors' preprocessing, on a stand-in of their network; nothing is fetched."""

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import transforms

from metrics import weights
from metrics.features import SSCDTorchScript
from metrics.weights.file import FileVariant


class Small(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 512, 9, stride=9)

    def forward(self, x):
        return torch.nn.functional.normalize(self.conv(x).mean((2, 3)))


@pytest.fixture
def sscd(tmp_path, monkeypatch):
    torch.manual_seed(0)
    path = tmp_path / "small" / "net.pt"
    path.parent.mkdir()
    torch.jit.script(Small()).save(str(path))
    variant = FileVariant(
        name="small", size=1, licence="", citation="", file="net.pt",
        sha256=weights.sha256(path), sources=(),
    )  # fmt: skip
    monkeypatch.setenv("COUPLE_TO_CONTROL_CACHE", str(tmp_path))
    monkeypatch.setitem(weights.VARIANTS, "small", variant)
    return SSCDTorchScript(source="small")


@pytest.mark.parametrize("size", [(64, 64), (300, 400), (351, 290)])
def test_preprocessing_is_the_authors(sscd, random_images, size):
    images = random_images(3, 3, *size)
    authors = transforms.Compose(
        [transforms.Resize(288), transforms.ToTensor(),
         transforms.Normalize(mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225])]
    )  # fmt: skip
    pictures = [Image.fromarray(x.permute(1, 2, 0).numpy()) for x in images]
    with torch.no_grad():
        expected = torch.cat([sscd.model(authors(p).unsqueeze(0)) for p in pictures])
    torch.testing.assert_close(sscd.images(images), expected, rtol=0, atol=1e-6)


def test_floats_and_chunks_do_not_matter(sscd, random_images):
    images = random_images(5, 3, 64, 64)
    features = sscd.images(images)
    sscd.batch_size = 2
    torch.testing.assert_close(sscd.images(images / 255), features, rtol=0, atol=1e-6)
    np.testing.assert_allclose(features.norm(dim=-1), 1, atol=1e-5)
