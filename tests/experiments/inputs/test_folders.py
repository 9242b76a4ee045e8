"""Galleries in folders as systems and other programs leave them."""

from functools import partial

import pytest
from PIL import Image

from experiments.errors import UsageError
from experiments.galleries.foreign import Foreign
from experiments.inputs.folders import natural
from experiments.inputs.prompts import from_list
from experiments.tasks.job import jobs_of

PROMPTS = ["z bed", "a lamp", "It's a rug!"]


@pytest.fixture
def place(tmp_path):
    def place(*names: str):
        for name in names:
            path = tmp_path / "theirs" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.suffix in (".png", ".jpg", ".gif"):
                Image.new("RGB", (8, 8)).save(path)
            else:
                path.write_bytes(b"\0\5\x16\7")

    return place


def task(tmp_path, size=1, prompts=tuple(PROMPTS), **changes) -> Foreign:
    source = partial(from_list, prompts=list(prompts))
    settings = {"num_prompts": None, "gallery_size": size, "prompts": source}
    return Foreign(str(tmp_path / "theirs"), **settings | changes)


def found(tmp_path, **changes) -> dict[str, list[str]]:
    """The files of every gallery by its prompt."""
    folder = tmp_path / "theirs"
    return {
        entry.prompt: [path.relative_to(folder).as_posix() for path in entry.paths]
        for entry in task(tmp_path, **changes).entries.values()
    }


def test_what_systems_leave_behind_is_passed_over(tmp_path, place):
    place("1/0.png", "2/0.png", "1/._0.png", "1/.DS_Store", "1/Thumbs.db", "2/desktop.ini")
    place("__MACOSX/1/._0.png", ".ipynb_checkpoints/0.png", "._1", "notes.txt")
    assert found(tmp_path) == {"z bed": ["1/0.png"], "a lamp": ["2/0.png"]}
    (note,) = task(tmp_path).notes
    assert "in order: 1 is 'z bed', 2 is 'a lamp'" in note


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["grid.png", "a/0.png", "b/0.png"], r"pictures \(grid\.png\) beside folders \(a, b\)"),
        (["0.png", "1.gif", "2.heic"], r"not read \((1\.gif, 2\.heic|2\.heic, 1\.gif)\)"),
        (["a/0.png", "a/1.gif"], r"theirs/a has pictures that are not read \(1\.gif\)"),
        (["a/0.png", "b/notes.txt"], "theirs/b has no images"),
        (["a/x/0.png"], r"theirs/a has folders of its own \(x\)"),
        ([".hidden.png", "__MACOSX/0.png"], "theirs has no images"),
        (["a lamp/0.png", "sofa/0.png"], "'a lamp' is named by its prompt, but 'sofa' by none"),
        (["a lamp/0.png", "a lamp 2/0.png"], "'a lamp' and 'a lamp 2' both begin with 'a lamp'"),
    ],
)
def test_what_is_not_understood_is_refused_by_its_name(tmp_path, place, names, message):
    place(*names)
    with pytest.raises(UsageError, match=message):
        found(tmp_path)


@pytest.mark.parametrize(
    "names",
    [
        ["a lamp/0.png", "its a rug/0.png", "z bed/0.png"],
        ["A_Lamp/0.png", "It's a rug!/0.png", "z-bed/0.png"],
        ["0002 a lamp/0.png", "0001 it’s a rug/0.png", "3_z bed/0.png"],
        ["a lamp_0.png", "It's a rug! (1).png", "z bed-12.png"],
        [f"{job.id}/0.png" for job in jobs_of([PROMPTS[k] for k in (1, 2, 0)])],
    ],
)
def test_names_that_are_prompts_are_never_paired_in_order(tmp_path, place, names):
    place(*names)
    lamp, rug, bed = names
    assert found(tmp_path) == {"z bed": [bed], "a lamp": [lamp], "It's a rug!": [rug]}
    assert list(found(tmp_path, num_prompts=1)) == ["z bed"]
    assert "paired with prompts by name" in task(tmp_path).notes[0]


def test_the_longest_prompt_that_a_name_begins_with_is_meant(tmp_path, place):
    place("a bed by day 0.png", "a bed 0.png", "a bedroom 0.png")
    prompts = ["a bed", "a bedroom", "a bed by day"]
    assert found(tmp_path, prompts=prompts) == {
        "a bed": ["a bed 0.png"],
        "a bedroom": ["a bedroom 0.png"],
        "a bed by day": ["a bed by day 0.png"],
    }


def test_a_name_that_may_be_two_prompts_is_refused(tmp_path, place):
    place("a-bed/0.png")
    with pytest.raises(UsageError, match=r"'a-bed' may be 'a bed!' and 'a bed\?'"):
        found(tmp_path, prompts=["a bed?", "a bed!"])


def test_natural_order_reads_any_digits(tmp_path):
    names = ["1\u00b23.png", "\u0663.png", "2.png", "10.png", "9.png", "09.png", "x.png"]
    ordered = [path.name for path in natural(tmp_path / name for name in names)]
    assert ordered == ["1\u00b23.png", "2.png", "\u0663.png", "09.png", "9.png", "10.png", "x.png"]


def test_an_empty_listing_and_a_wrong_line_are_refused(tmp_path):
    for text, message in {
        "": "is empty",
        '{"prompt": "a", "images": "a.png"}': "line 1 must be like",
        '{"prompt": "a", "images": []}': "line 1 must be like",
        '\n{"prompt": 1, "images": ["theirs"]}': "line 2: prompt is 1, not a text",
        '{"prompt": "a", "images": ["gone.png"]}': r"line 1 lists .*gone\.png, which does not",
    }.items():
        (tmp_path / "theirs").write_text(text)
        with pytest.raises(UsageError, match=message):
            found(tmp_path)


@pytest.mark.parametrize("changes", [{"size": 0}, {"size": True}, {"num_prompts": -1}])
def test_no_number_of_galleries_is_refused_by_its_key(tmp_path, changes):
    with pytest.raises(UsageError, match=r"task\.(gallery_size|num_prompts)"):
        task(tmp_path, **changes)
