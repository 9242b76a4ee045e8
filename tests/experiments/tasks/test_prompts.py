"""Prompt files of every kind give the same prompts; a bad one says what to mend."""

import json
from functools import partial

import pandas as pd
import pytest

from experiments.errors import UsageError
from experiments.tasks.diversity import Diversity
from experiments.tasks.job import jobs_of
from experiments.tasks.prompts import captions, from_file, from_list, held_out

PROMPTS = ["a cat, sleeping", 'the "red" door', "schöne Aussicht"]


@pytest.fixture(params=["txt", "csv", "jsonl", "parquet"])
def file(request, tmp_path):
    path = tmp_path / f"prompts.{request.param}"
    frame = pd.DataFrame({"prompt": PROMPTS, "other": range(3)})
    match request.param:
        case "txt":
            path.write_text("\n\n".join(PROMPTS) + "\n", encoding="utf-8")
        case "csv":
            frame.to_csv(path, index=False)
        case "jsonl":
            lines = (json.dumps({"prompt": prompt}) + "\n" for prompt in PROMPTS)
            path.write_text("".join(lines), encoding="utf-8")
        case "parquet":
            frame.to_parquet(path)
    return path


def test_every_kind_gives_the_same_prompts(file):
    assert from_file(3, path=str(file), column="prompt") == PROMPTS
    assert from_file(2, path=str(file), column="prompt") == PROMPTS[:2]


def test_too_few_prompts(file):
    with pytest.raises(UsageError, match="has 3 prompts, 4 were asked for"):
        from_file(4, path=str(file), column="prompt")


def test_a_missing_column(file):
    if file.suffix != ".txt":  # a text file has none
        with pytest.raises(UsageError, match="no column 'caption'"):
            from_file(1, path=str(file), column="caption")


@pytest.mark.parametrize("suffix", ["txt", "csv", "jsonl"])
def test_an_empty_file(tmp_path, suffix):
    path = tmp_path / f"empty.{suffix}"
    path.write_text("")
    with pytest.raises(UsageError, match="is empty"):
        from_file(1, path=str(path), column="prompt")


def test_a_missing_file_names_its_remedy():
    with pytest.raises(UsageError, match=r"gone\.txt does not exist; fetch it"):
        from_file(1, path="gone.txt", column="prompt", remedy="fetch it")


def test_an_unknown_kind(tmp_path):
    path = tmp_path / "prompts.docx"
    path.write_text("x")
    with pytest.raises(UsageError, match=r"must end in one of \.txt, \.csv"):
        from_file(1, path=str(path), column="prompt")


def test_held_out_prompts_were_not_learned_from():
    source = partial(captions, seed=0)
    used, unseen = source(40), held_out(20, source=source, used=40)
    assert len(unseen) == 20 and not set(unseen) & set(used)
    with pytest.raises(UsageError, match="has 3 prompts, 4 were asked for"):
        held_out(2, source=partial(from_list, prompts=list(PROMPTS[:3])), used=2)


def test_job_ids_depend_on_no_order():
    assert {job.id for job in jobs_of(PROMPTS)} == {job.id for job in jobs_of(PROMPTS[::-1])}


def test_a_repeated_prompt_is_a_job_of_its_own():
    assert len({job.id for job in jobs_of(["a cat"] * 3)}) == 3


@pytest.mark.parametrize("field", ["num_prompts", "gallery_size"])
def test_an_impossible_task(field):
    values = {"num_prompts": 1, "gallery_size": 1, "keep": None, field: 0}
    with pytest.raises(UsageError, match=rf"task\.{field} = 0 must be at least 1"):
        Diversity(prompts=lambda count: [], **values)


@pytest.mark.parametrize("keep", [1, 4])
def test_an_impossible_number_of_kept_images(keep):
    with pytest.raises(UsageError, match=rf"task\.keep = {keep} must be from 2"):
        Diversity(num_prompts=1, gallery_size=3, keep=keep, prompts=lambda count: [])
