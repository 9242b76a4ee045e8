"""An evaluation in Python is the command's table: its images, scores, tests, resumption, page."""

import subprocess
import sys

import diffusers
import numpy as np
import pytest
from scipy import stats

import experiments
from coupling import Coupling, Preview, iid, repulsive
from experiments.cells.build import cells_of
from experiments.cells.measure import make, score
from experiments.compose import BUNDLED, compose, rows_of
from experiments.errors import UsageError
from experiments.methods import Coupled

pytestmark = pytest.mark.walks

PROMPTS = ["a bedroom", "a red bed", "a bedroom at night"]
SETTINGS = {"num_inference_steps": 1, "guidance_scale": 1.0}
COUPLED = "<i>coupled</i>"


@pytest.fixture(scope="module")
def pipe():
    return diffusers.StableDiffusionPipeline.from_pretrained(BUNDLED / "pipeline")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("evaluation")


@pytest.fixture(scope="module")
def evaluate(pipe, folder):
    def evaluate(rows, **options):
        options = {"metrics": "tiny", "folder": folder, **SETTINGS, **options}
        return experiments.evaluate(pipe, PROMPTS, rows=rows, **options)

    return evaluate


@pytest.fixture(scope="module")
def result(evaluate):
    return evaluate({"iid": iid(2), COUPLED: repulsive(2)})


@pytest.fixture(scope="module")
def of_command(tmp_path_factory, result):
    """The cell that the command makes of the same, and its scores."""
    folder = tmp_path_factory.mktemp("run")
    (folder / "mine.txt").write_text("\n".join(PROMPTS))
    words = ["coupling=repulsive", "task.gallery_size=2", "model.num_steps=1", "model.guidance=1"]
    words += [f"output_dir={folder}", f"results_dir={folder}"]
    words += ["prompts=file", f"prompts.path={folder / 'mine.txt'}", "task.num_prompts=3"]
    cells = cells_of(rows_of(compose(words), words))
    make(cells)
    return cells[0], score(cells)


def test_its_images_and_scores_are_those_of_the_command(result, of_command, folder):
    cell, scores = of_command
    (place,) = folder.glob("outputs/pipeline-repulsive-*")
    for entry in cell.entries():
        images = cell.galleries.read(entry)
        found = type(cell.galleries)(place, {}, gallery_size=2)
        assert np.array_equal(found.read(found.committed()[entry.job]), images)
    ours = result.scores[result.scores.row == COUPLED].set_index(["job", "metric"]).value
    theirs = scores.set_index(["job", "metric"]).value
    assert ours.to_dict() == theirs.to_dict()


def test_its_tests_are_those_of_its_scores(result):
    wide = result.scores.pivot(index=["metric", "job"], columns="row", values="value")
    assert set(result.frame.metric) == set(result.tests.metric) == {"l2", "mss", "vendi", "clip"}
    for test in result.tests.itertuples():
        ours, theirs = wide.loc[test.metric][COUPLED], wide.loc[test.metric]["iid"]
        assert (test.row, test.baseline, test.pairs) == (COUPLED, "iid", 3)
        assert test.difference == pytest.approx((ours - theirs).mean())
        assert test.t_p == pytest.approx(stats.ttest_rel(ours, theirs).pvalue)


def test_called_again_it_makes_nothing_and_rows_of_one_law_share_galleries(
    result, evaluate, monkeypatch
):
    monkeypatch.setattr(Coupled, "make", None)
    again = evaluate({"iid": iid(2), COUPLED: repulsive(2)})
    assert again.page.read_bytes() == result.page.read_bytes()
    same = evaluate({"iid": iid(2), "other": repulsive(2)}, baseline="other")
    assert set(same.tests.row) == {"iid"} and same.page != result.page


def test_another_weight_or_method_is_another_cell(result, evaluate, pipe, folder, monkeypatch):
    there = set(folder.glob("outputs/*"))
    pipe.unet.conv_in.bias.data[0] += 1e-3
    monkeypatch.setattr(Coupled, "make", lambda *_, **__: 1 / 0)
    try:
        with pytest.raises(UsageError, match="ZeroDivisionError"):
            evaluate({"iid": iid(2)})
    finally:
        pipe.unet.conv_in.bias.data[0] -= 1e-3
    preview = Preview(candidates=4, window=8, spread="sum", then=None)
    with pytest.raises(UsageError, match="ZeroDivisionError"):
        evaluate({"previewed": Coupled(iid(2), preview)})
    added = {path.name.rpartition("-")[0] for path in set(folder.glob("outputs/*")) - there}
    assert added == {"pipeline-iid", "pipeline-iid-preview"}


def test_a_single_row_is_shown_and_not_compared(result, evaluate):
    alone = evaluate({"iid": iid(2)})
    assert alone.tests.empty and alone._repr_html_().count("<img") == 1
    shared = result.frame[result.frame.row == "iid"]["mean"]
    assert alone.frame["mean"].tolist() == shared.tolist()


def test_a_notebook_shows_board_effects_table_and_page(result):
    html = result._repr_html_()
    assert html.count('<img src="data:image/webp;base64,') == 2
    assert 'alt="Figure: galleries, ' in html and 'alt="Figure: effects, ' in html
    assert "<th" in html and str(result.page) in html
    assert "&lt;i&gt;coupled" in html and COUPLED not in html
    assert repr(result).startswith("# Galleries of pipeline")
    assert "Galleries of pipeline" in result.page.read_text(encoding="utf-8")


class Nameless(Coupling):
    """A law that is no dataclass."""

    size, base_size, correlation, transform = 2, 2, iid(2).correlation, iid(2).transform


@pytest.mark.parametrize(
    ("rows", "options", "message"),
    [
        ({}, {}, "rows are empty"),
        ({"iid": iid(2)}, {"baseline": "none"}, "baseline 'none' is no row; there are iid"),
        ({"iid": iid(2)}, {"metrics": "tini"}, "tini"),
        ({"iid": iid(2)}, {"negative_prompt": "dark"}, "negative_prompt cannot be set here"),
        ({"mine": Nameless()}, {}, "make its class a dataclass"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_made(
    evaluate, tmp_path, rows, options, message
):
    with pytest.raises(UsageError, match=message):
        evaluate(rows, **{"folder": tmp_path, **options})
    assert not any(tmp_path.iterdir())


def test_the_package_loads_no_torch_until_it_is_asked():
    code = "import sys, experiments; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
    with pytest.raises(AttributeError, match="no attribute 'evaluated'"):
        _ = experiments.evaluated
