"""What a gallery shows of what its prompt leaves open."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from experiments.bedrooms import render, sample_scene
from experiments.compose import BUNDLED, compose
from metrics import AttributeValues, GalleryBatch, OpenValues, Reference, SetRow, attributes
from metrics.features import BatchFeatures, CLIPFeatures, ReadAttributes, ZeroShotAttributes

LISTED = compose(["metrics=tiny_attributes"]).metrics.features.attributes.attributes
COLOURS = {
    "bed": {"red": "a red bed", "blue": "a blue bed"},
    "rug": {"none": "", "red": "a red rug"},
}
NOTHING = Reference(torch.empty(0))


class Told(ReadAttributes):
    """Images whose values stand in their first pixels."""

    def __init__(self):
        super().__init__(source="nowhere", attributes=COLOURS)

    def _values(self, images):
        return images[:, 0, 0, :2].long()


@pytest.fixture(scope="module")
def bundled() -> ReadAttributes:
    return ReadAttributes(source=str(BUNDLED / "attributes"), attributes=LISTED)


def test_the_reader_reads_fresh_renderings_as_well_as_its_record_says(bundled):
    """Of scenes that neither its training nor its own test has drawn."""
    scenes = [sample_scene(np.random.default_rng((99, index))) for index in range(200)]
    images = torch.from_numpy(np.stack([render(scene)[0] for scene in scenes]))
    read = bundled.images(images.permute(0, 3, 1, 2))
    record = json.loads((BUNDLED / "attributes" / "quality.json").read_text())["accuracy"]
    for a, (name, phrases) in enumerate(LISTED.items()):
        shown = [list(phrases)[number] for number in read[:, a].tolist()]
        right = np.mean(
            [one == (getattr(s, name) or "none") for one, s in zip(shown, scenes, strict=True)]
        )
        assert record[name] >= 0.97 and right >= 0.97


def test_larger_pictures_are_read_as_what_they_are(bundled):
    scene = sample_scene(np.random.default_rng((98, 0)))
    images = [torch.from_numpy(render(scene, size)[0]).permute(2, 0, 1)[None] for size in (64, 160)]
    assert torch.equal(*map(bundled.images, images))


def test_an_attribute_is_open_where_the_prompt_has_none_of_its_phrases(bundled):
    prompts = [
        "a bedroom with a red bed at night",
        "a rug and white walls",
        "A Red Bed",
        "a red bedspread",
    ]
    names = list(LISTED)
    closed = [{n for n, is_open in zip(names, row, strict=True) if not is_open}
              for row in bundled.is_open(prompts).tolist()]  # fmt: skip
    assert closed == [{"bed", "time"}, {"wall"}, {"bed"}, set()]


values = st.lists(st.lists(st.integers(0, 4), min_size=2, max_size=2), min_size=1, max_size=6)


@given(values)
def test_counts_and_entropies_are_those_of_the_values(rows):
    x = torch.tensor(rows)
    for a in range(2):
        column = [row[a] for row in rows]
        shares = [column.count(value) / len(column) for value in set(column)]
        assert attributes.values_shown(x)[a] == len(set(column))
        expected = -sum(share * math.log2(share) for share in shares)
        assert attributes.entropy(x)[a] == pytest.approx(expected, abs=1e-12)
        covered = len(set(column)) / min(len(column), 5)
        assert attributes.coverage(x, [5, 5])[a] == pytest.approx(covered)


def gallery(*values: tuple[int, int]) -> torch.Tensor:
    images = torch.full((len(values), 3, 4, 4), 9, dtype=torch.uint8)
    images[:, 0, 0, :2] = torch.tensor(values, dtype=torch.uint8)
    return images


def test_a_score_is_of_what_each_prompt_leaves_open():
    prompts = ("a red bed", "a bedroom", "a red bed and a red rug")
    shown = gallery((0, 1), (1, 1), (1, 0))
    batch = GalleryBatch(torch.stack([shown] * 3), prompts=prompts, names=prompts)
    features = BatchFeatures(batch, {"told": Told()}, {})
    found = AttributeValues(features="told")(batch, features)
    assert found.tolist() == [2.0, 2.0, 1.0]


def test_a_set_score_is_the_mean_over_prompts_that_leave_its_attribute_open():
    row = SetRow(
        torch.tensor([[[[0, 0], [1, 0]]], [[[1, 0], [1, 1]]]]), ["a red bed", "a bedroom"], Told()
    )
    assert OpenValues(features="told", attribute="bed")(row, NOTHING) == 1.0
    assert OpenValues(features="told", attribute="rug")(row, NOTHING) == 1.5
    assert math.isnan(
        OpenValues(features="told", attribute="bed")(row.at(torch.tensor([0])), NOTHING)
    )


def test_zero_shot_takes_the_phrase_nearest_to_the_image(clip_folder, random_images):
    folder = str(clip_folder)
    clip = CLIPFeatures(source=folder, processor=folder)
    listed = {"thing": {"a": "cat", "b": "house"}, "time": {"x": "day", "y": "night", "z": "dusk"}}
    network = ZeroShotAttributes(clip=clip, prefix="a ", attributes=listed)
    images = random_images(6, 3, 32, 32)
    found = network.images(images)
    for a, phrases in enumerate(listed.values()):
        texts = clip.texts([f"a {phrase}" for phrase in phrases.values()])
        cosines = torch.cosine_similarity(clip.images(images)[:, None], texts, dim=-1)
        assert torch.equal(found[:, a], cosines.argmax(-1))
    assert network.identity != ZeroShotAttributes(clip=clip, prefix="", attributes=listed).identity
    with pytest.raises(ValueError, match="phrase for each"):
        ZeroShotAttributes(clip=clip, prefix="", attributes=COLOURS)


def test_the_list_decides_about_the_identity(bundled):
    fewer = {name: phrases for name, phrases in LISTED.items() if name != "rug"}
    other = ReadAttributes(source=str(Path(BUNDLED) / "attributes"), attributes=fewer)
    assert other.identity != bundled.identity
