"""Faults of images, metrics and tables: what is not known is never averaged in."""

import shutil
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from PIL import Image
from runs import committed, l2, rows
from stubs import picture

from experiments.errors import UsageError
from experiments.galleries.gallery import encode, image_metadata
from experiments.galleries.writer import writing
from experiments.models.stable_diffusion import StableDiffusion
from experiments.report.publish import write_table
from experiments.tables import table as tables
from experiments.tables.spec import TableSpec
from experiments.tasks.prompts import captions
from metrics.scorers import PairwiseL2
from scripts import calibrate


def test_09_another_batch_size(here, tmp_path):
    """1, 2, 3 or 4 galleries a batch: equal noise, images within one grey level of 255."""
    pixels, drifts = {}, {}
    for size in (1, 2, 3, 4):
        folder = tmp_path / str(size)
        here("task.num_prompts=4", f"workers.galleries_per_batch={size}", folder=folder)
        paths = sorted(folder.glob("outputs/*/galleries/*/*.png"))
        assert {image_metadata(path)["batch"]["galleries"] for path in paths} == {size}
        pixels[size] = np.stack([np.asarray(Image.open(path)) for path in paths]).astype(int)
        (manifest,) = folder.glob("outputs/*/manifest.jsonl")
        drifts[size] = {row["job"]: row["drift"] for row in rows(manifest)}
    for size in (2, 3, 4):
        assert drifts[size] == drifts[1]
        assert np.abs(pixels[size] - pixels[1]).max() <= 1


def test_13_nan_images_are_given_up_and_never_committed(here, tmp_path, monkeypatch):
    bad, encode_prompts = captions(3, seed=0)[1], StableDiffusion.encode_prompts

    def poisoned(self, prompts):
        condition = encode_prompts(self, prompts)
        hit = torch.tensor([prompt == bad for prompt in prompts])
        condition["encoder_hidden_states"][hit] = torch.nan
        return condition

    monkeypatch.setattr(StableDiffusion, "encode_prompts", poisoned)
    with pytest.raises(UsageError, match=rf"1 given up .*{bad}.* is not finite"):
        here("task.num_prompts=3")
    assert len(committed(tmp_path)) == 2


def test_13_a_constant_image_is_flagged_by_name(stub):
    """The others are scored; the run ends naming the gallery."""
    done = stub(4)
    done.make()
    job = done.cell.jobs[2]
    shutil.rmtree(done.folder.gallery_folder / job.id)
    with writing(done.folder) as writer:
        writer.commit(encode(picture(job, constant=True), inputs={}, made_with={}))
    with pytest.raises(UsageError, match=rf"gallery .*{job.id}: image 0 is constant"):
        done.cell.score()
    lines = done.cell.score_file.read_text().splitlines()
    assert len(lines) == 3 and not any(job.id in line for line in lines)


@dataclass(frozen=True)
class Crashing(PairwiseL2):
    """A metric that crashes until it is mended."""

    def __call__(self, batch, features):
        if not MENDED:
            raise ZeroDivisionError("no such luck")
        return super().__call__(batch, features)


MENDED: list[bool] = []


def test_24_a_metric_crashes(stub, monkeypatch):
    """Galleries and other scores stay; when it is mended, it alone is computed."""
    done = stub(4, suite=l2(crashing=Crashing()))
    done.make()
    made, executions = done.hashes(), done.method.executions()
    with pytest.raises(UsageError, match=r"metric crashing crashed.*ZeroDivisionError"):
        done.cell.score()
    assert done.cell.score_file.read_text().count('"metric": "l2"') == 4

    monkeypatch.setattr("test_score_faults.MENDED", [True])
    calls = []
    score = PairwiseL2.__call__
    monkeypatch.setattr(PairwiseL2, "__call__", lambda *a: calls.append(type(a[0])) or score(*a))
    done.make()
    scores = done.cell.score()
    assert {"l2", "crashing"} <= set(scores["metric"]) and set(calls) == {Crashing}
    assert done.hashes() == made and done.method.executions() == executions


def test_25_partial_results_under_a_table(stub, tmp_path):
    done = stub(5)
    done.make()
    scores = done.cell.score()
    partial = scores[scores["job"] != done.cell.jobs[0].id]
    columns = {"l2": {"label": "L2", "better": "higher", "digits": 3}}
    spec = TableSpec("t", "T", ["stub"], columns, {}, None, jobs=5)
    with pytest.raises(UsageError, match="row 'stub' has 4 of 5 galleries for l2"):
        tables.build(spec, partial, paper_model="tiny")
    table = tables.build(spec, partial, paper_model="tiny", allow_partial=True)
    write_table(table, tmp_path, "t", made_by={})
    assert "has 4 of 5 galleries" in (tmp_path / "t.md").read_text()


def test_26_library_drift(monkeypatch, capsys):
    """The canary values hold; a library that computes otherwise is told loudly."""
    metrics = {"vendi": calibrate.GOLDEN["metrics"]["vendi"]}  # needs no weights
    monkeypatch.setitem(calibrate.GOLDEN, "metrics", metrics)
    assert calibrate.main([]) == 0
    eigvalsh = torch.linalg.eigvalsh
    monkeypatch.setattr(torch.linalg, "eigvalsh", lambda x: eigvalsh(x) * 1.01)
    assert calibrate.main([]) == 1
    assert "OUT OF TOLERANCE" in capsys.readouterr().out
