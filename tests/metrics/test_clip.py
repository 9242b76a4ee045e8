import warnings

import pytest
import torch
from PIL import Image
from transformers import CLIPImageProcessor, CLIPModel, CLIPTokenizer
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from metrics import alignment
from metrics.features import CLIPFeatures

TEXTS = ["a bed", "a red rug", "a window at night and a lamp beside it"]  # the last is too long


def cosines(folder, images, texts, processor):
    """logits / scale of the whole model on what the processor makes of PIL images."""
    model, tokenizer = CLIPModel.from_pretrained(folder), CLIPTokenizer.from_pretrained(folder)
    tokens = tokenizer(texts, padding=True, truncation=True, return_tensors="pt")
    pictures = [Image.fromarray(x.permute(1, 2, 0).numpy()) for x in images]
    pixels = processor.from_pretrained(folder)(pictures, return_tensors="pt")
    with torch.no_grad():
        out = model(**tokens, **pixels)
        return out.logits_per_image / model.logit_scale.exp()


@pytest.mark.filterwarnings("ignore:1 of 3 texts exceed")
@pytest.mark.parametrize("size", [(32, 32), (48, 64), (24, 20)])
@pytest.mark.parametrize(
    ("processor", "tolerance"), [(CLIPImageProcessor, 1e-6), (CLIPImageProcessorPil, 2e-4)]
)
def test_scores_equal_the_published_formula(clip_folder, random_images, size, processor, tolerance):
    images = random_images(4, 3, *size)
    expected = cosines(clip_folder, images, TEXTS, processor)
    clip = CLIPFeatures(source=clip_folder, processor=clip_folder)
    x, y = clip.images(images), clip.texts(TEXTS)
    assert expected.min() < 0 < expected.max()
    scores = alignment.clip_score(x[:, None], y)
    torch.testing.assert_close(
        scores, 2.5 * expected.double().clamp_min(0), rtol=0, atol=2.5 * tolerance
    )
    picks = alignment.pick_score(x[:, None], y, clip.logit_scale)
    scale = CLIPModel.from_pretrained(clip_folder).logit_scale.exp().item()
    torch.testing.assert_close(picks, scale * expected.double(), rtol=0, atol=scale * tolerance)


@pytest.mark.parametrize("size", [(40, 30), (200, 150)])
def test_the_tensor_path_resizes_as_pil_does(clip_folder, random_images, size):
    images = random_images(4, 3, *size)
    pictures = [Image.fromarray(x.permute(1, 2, 0).numpy()) for x in images]
    ours = CLIPFeatures(source=clip_folder, processor=clip_folder).processor(
        list(images), return_tensors="pt"
    )
    theirs = CLIPImageProcessorPil.from_pretrained(clip_folder)(pictures, return_tensors="pt")
    std = torch.tensor(CLIPImageProcessor.image_std).view(3, 1, 1)
    levels = (ours["pixel_values"] - theirs["pixel_values"]).abs() * std * 255
    assert levels.max() < 1.01


def test_floats_and_bytes_have_the_same_features(clip_folder, random_images):
    images = random_images(4, 3, 48, 40)
    clip = CLIPFeatures(source=clip_folder, processor=clip_folder)
    torch.testing.assert_close(clip.images(images / 255), clip.images(images), rtol=0, atol=0)


def test_long_texts_are_truncated_with_one_warning(clip_folder):
    clip = CLIPFeatures(source=clip_folder, processor=clip_folder)
    with pytest.warns(UserWarning, match="1 of 3 texts exceed 16 tokens and are truncated"):
        features = clip.texts(TEXTS)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again = clip.texts([TEXTS[2] + " and more"])
    torch.testing.assert_close(again[0], features[2])


def test_a_network_is_named_without_being_loaded(clip_folder):
    clip = CLIPFeatures(source=clip_folder, processor=clip_folder)
    assert len(clip.identity["sha256"]) == 64
    assert "model" not in vars(clip)
