"""Pictures in any form that people have them in have the scores of their pixels."""

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

import metrics
from experiments.cells.held import suite_of
from experiments.errors import UsageError
from metrics import GalleryBatch, MetricSuite, PairwiseL2

PROMPTS = ["a red bed", "a blue bed"]
PIXELS = np.random.default_rng(0).integers(256, size=(2, 3, 32, 32, 3), dtype=np.uint8)
L2 = MetricSuite(
    features={}, scores={"l2": PairwiseL2()}, device="cpu", dtype="float32", batch_size=1
)


def saved(folder):
    def save(pixels, name):
        Image.fromarray(pixels).save(folder / name)
        return folder / name

    return [[save(p, f"{g}-{k}.png") for k, p in enumerate(of)] for g, of in enumerate(PIXELS)]


TENSORS = torch.from_numpy(PIXELS).movedim(-1, 2)
FORMS = {
    "paths": saved,
    "texts": lambda folder: [[str(path) for path in paths] for paths in saved(folder)],
    "pil": lambda _: [[Image.fromarray(pixels) for pixels in of] for of in PIXELS],
    "arrays": lambda _: [list(of) for of in PIXELS],
    "one array": lambda _: PIXELS,
    "arrays of floats": lambda _: PIXELS / 255,
    "tensors": lambda _: [list(of) for of in TENSORS],
    "tensors of floats": lambda _: TENSORS.float() / 255,
    "mixed": lambda folder: [PIXELS[0], [TENSORS[1, 0], PIXELS[1, 1], saved(folder)[1][2]]],
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_has_the_scores_of_its_pixels(form, tmp_path):
    found = metrics.score(FORMS[form](tmp_path), PROMPTS, metrics=L2)
    expected = metrics.pairwise_l2(TENSORS / 255)
    assert found.prompt.tolist() == PROMPTS and found.l2.tolist() == expected.tolist()


def test_a_name_is_the_suite_of_the_configurations():
    found = metrics.score(PIXELS, PROMPTS, metrics="tiny")
    batch = GalleryBatch(TENSORS, prompts=tuple(PROMPTS), names=tuple(PROMPTS))
    expected = suite_of("tiny").score(batch)
    assert list(found) == ["prompt", *expected]
    for name, values in expected.items():
        assert found[name].tolist() == values.tolist()


def test_a_text_is_the_prompt_of_one_gallery_and_one_prompt_twice_is_two():
    whole = metrics.score(PIXELS, ["same", "same"], metrics=L2)
    alone = [metrics.score(gallery, "same", metrics=L2) for gallery in PIXELS]
    pd.testing.assert_frame_equal(whole, pd.concat(alone, ignore_index=True))


def test_single_pictures_are_scored_without_what_compares_them():
    with pytest.warns(UserWarning, match="without l2, mss: they compare images"):
        found = metrics.score(list(PIXELS[:, 0]), PROMPTS, metrics="tiny")
    assert list(found) == ["prompt", "vendi", "clip"] and found.vendi.tolist() == pytest.approx(
        [1, 1]
    )
    with pytest.raises(UsageError, match="all of them compare images"):
        metrics.score(PIXELS[0, 0], "a bed", metrics=L2)
    assert metrics.score(PIXELS[0], "a bed", metrics=L2).l2.item() > 0  # the suite is as it was


GREY = np.full((32, 32, 3), 7, dtype=np.uint8)


@pytest.mark.parametrize(
    ("images", "prompts", "message"),
    [
        (PIXELS, ["one"], "2 galleries and 1 prompts"),
        ([PIXELS[0, 0], PIXELS[0, 1, :9]], "x", "the gallery of 'x'.*same shape"),
        (PIXELS[0, :, :, :, 0], "x", r"\(3, 32, 32\) is no picture; valid is \(H, W, 3\)"),
        (PIXELS[0] / 100, "x", "neither bytes nor floats"),
        (PIXELS[0].astype(int), "x", "neither bytes nor floats"),
        (np.full((2, 8, 8, 3), np.nan), "x", "neither bytes nor floats"),
        ([PIXELS[0, 0], "none.png"], "x", "none.png is no image that can be read"),
        ([PIXELS[0, 0], 7], "x", r"\(\) is no picture"),
        ([PIXELS[0, 0], GREY], "a bed", "gallery 'a bed': image 1 is constant"),
        ([], [], "0 galleries"),
    ],
)
def test_what_is_no_gallery_is_refused(images, prompts, message):
    with pytest.raises(UsageError, match=message):
        metrics.score(images, prompts, metrics=L2)
