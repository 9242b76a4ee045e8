import re

import pytest
import torch

from metrics import GalleryBatch, ImageError, MetricSuite, diversity
from metrics.features import CLIPFeatures, LPIPSFeatures
from metrics.scorers import (
    CLIPScore,
    MeanPairwiseSimilarity,
    PairwiseL2,
    PairwiseLPIPS,
    PickScore,
    Vendi,
)

PROMPTS = ("a bed", "a rug", "a lamp", "a bed", "a wall")


@pytest.fixture
def make_suite(clip_folder):
    def make(batch_size: int = 4) -> MetricSuite:
        return MetricSuite(
            features={"clip": CLIPFeatures(source=clip_folder, processor=clip_folder)},
            scores={
                "l2": PairwiseL2(),
                "mss": MeanPairwiseSimilarity(features="clip"),
                "vendi": Vendi(features="clip"),
                "clip": CLIPScore(features="clip", prefix=""),
                "clip_prefixed": CLIPScore(features="clip", prefix="photo of "),
            },
            device="cpu",
            dtype="float32",
            batch_size=batch_size,
        )

    return make


@pytest.fixture
def batch(random_images):
    images = random_images(5, 3, 3, 40, 32)
    return GalleryBatch(images=images, prompts=PROMPTS, names=("a", "b", "c", "d", "e"))


def part(batch, rows, order=slice(None)):
    return GalleryBatch(
        images=batch.images[rows][:, order],
        prompts=batch.prompts[rows],
        names=batch.names[rows],
    )


def test_scores_are_those_of_the_pure_functions(make_suite, batch):
    suite = make_suite()
    scores = suite.score(batch)
    features = suite.features["clip"].images(batch.images.flatten(0, 1)).unflatten(0, (5, 3))
    torch.testing.assert_close(scores["vendi"], diversity.vendi(features))
    torch.testing.assert_close(scores["mss"], diversity.mean_pairwise_similarity(features))
    torch.testing.assert_close(scores["l2"], diversity.pairwise_l2(batch.images / 255))
    assert {s.dtype for s in scores.values()} == {torch.float64}
    assert {tuple(s.shape) for s in scores.values()} == {(5,)}


def test_a_score_does_not_depend_on_the_batch(make_suite, batch):
    whole = make_suite(batch_size=64).score(batch)
    for size in (1, 7):
        again = make_suite(batch_size=size).score(batch)
        torch.testing.assert_close(again, whole, rtol=0, atol=1e-4)
    for g in range(5):
        alone = make_suite().score(part(batch, slice(g, g + 1)))
        for name, score in alone.items():
            assert score.item() == pytest.approx(whole[name][g].item(), abs=1e-4), name


def test_the_order_of_images_does_not_matter(make_suite, batch):
    suite = make_suite()
    turned = suite.score(part(batch, slice(None), [2, 0, 1]))
    torch.testing.assert_close(turned, suite.score(batch), rtol=0, atol=1e-4)


def test_features_are_computed_once(make_suite, batch, monkeypatch):
    calls = []
    images = CLIPFeatures.images
    monkeypatch.setattr(
        CLIPFeatures, "images", lambda self, x: calls.append(len(x)) or images(self, x)
    )
    make_suite().score(batch)
    assert calls == [15]


def test_identities_name_what_made_a_score_and_load_nothing(make_suite):
    suite = make_suite()
    identities = suite.identities
    assert set(identities) == set(suite.scores)
    assert identities["mss"]["convention"] == "mean cosine over pairs, diagonal excluded"
    assert identities["mss"]["convention_version"] == "1"
    assert identities["clip_prefixed"]["prefix"] == "photo of "
    assert identities["clip"]["sha256"] == identities["vendi"]["sha256"]
    assert identities["l2"]["dtype"] == "float64"
    assert "model" not in vars(suite.features["clip"])


def test_a_score_of_a_missing_network_is_refused(clip_folder):
    with pytest.raises(ValueError, match="score vendi reads features 'sscd', but only clip"):
        MetricSuite(
            features={"clip": CLIPFeatures(source=clip_folder, processor=clip_folder)},
            scores={"vendi": Vendi(features="sscd")},
            device="cpu",
            dtype="float32",
            batch_size=4,
        )


@pytest.mark.parametrize(
    ("scorer", "message"),
    [
        (Vendi(features="lpips"), "LPIPSFeatures has no features of images"),
        (PickScore(features="lpips"), "LPIPSFeatures has no features of texts"),
        (PairwiseLPIPS(features="clip"), "features clip are CLIPFeatures; .* reads LPIPSFeatures"),
    ],
)
def test_a_score_of_a_network_of_another_kind_is_its_own_error(clip_folder, batch, scorer, message):
    networks = {
        "clip": CLIPFeatures(source=clip_folder, processor=clip_folder),
        "lpips": LPIPSFeatures(source="lpips_alex", net="alex"),
    }
    scores = {"l2": PairwiseL2(), "other": scorer}
    suite = MetricSuite(
        features=networks, scores=scores, device="cpu", dtype="float32", batch_size=4
    )
    found = suite.attempt(batch, tuple(scores))
    assert isinstance(found["other"], TypeError | ValueError)
    assert re.search(message, str(found["other"]))
    assert torch.equal(found["l2"], diversity.pairwise_l2(batch.unit))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dtype": "float33"}, "not float33"),
        ({"device": "abacus"}, "abacus is not on this machine"),
    ],
)
def test_an_unknown_dtype_or_device_is_refused(change, message):
    settings = {"device": "cpu", "dtype": "float32", "batch_size": 4} | change
    with pytest.raises(ValueError, match=message):
        MetricSuite(features={}, scores={}, **settings)


def test_a_score_that_is_no_number_is_refused_with_the_gallerys_name(batch):
    class Broken(PairwiseL2):
        def __call__(self, batch, features):
            scores = super().__call__(batch, features)
            scores[3] = float("nan")
            return scores

    suite = MetricSuite(
        features={}, scores={"l2": Broken()}, device="cpu", dtype="float32", batch_size=4
    )
    with pytest.raises(ImageError, match="gallery d: its score l2 is no number"):
        suite.score(batch)


def test_only_networks_that_scores_read_are_required(clip_folder):
    clip = CLIPFeatures(source=clip_folder, processor=clip_folder)
    settings = {"device": "cpu", "dtype": "float32", "batch_size": 4, "features": {"clip": clip}}
    assert MetricSuite(scores={"l2": PairwiseL2()}, **settings).requirements == ()
    suite = MetricSuite(scores={"mss": MeanPairwiseSimilarity(features="clip")}, **settings)
    assert suite.requirements == (str(clip_folder),)
    suite.prepare()
