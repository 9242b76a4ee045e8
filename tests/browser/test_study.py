"""A study in a real browser: answered by keys and by touch, and its answers found again."""

import base64
import io
import json

import numpy as np
import pytest
from PIL import Image

from experiments.people.answers import analysis, read
from experiments.people.page import QUESTIONS
from experiments.report.render import html

axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed")

PAIRS = 20


def picture(seed: int) -> str:
    file = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(256, size=(8, 8, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(file, format="PNG")
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """Twenty pairs of two sets of three, the sides by turns."""
    pairs = [
        {
            "job": f"job{number}",
            "prompt": f"a bedroom </script> number {number}",
            "left": ("iid", "coupled")[number % 2],
            "right": ("coupled", "iid")[number % 2],
            "verdicts": {"L2": "coupled"},
            "pictures": [[picture(6 * number + 3 * side + k) for k in range(3)] for side in (0, 1)],
        }
        for number in range(PAIRS)
    ]
    path = tmp_path_factory.mktemp("study") / "study.html"
    path.write_text(
        html("study.html", home="", pairs=pairs, questions=QUESTIONS, name="s"), "utf-8"
    )
    return path, pairs


def wanted(number: int, pair: dict) -> str:
    """The coupled row in 15 pairs, the other one in 3, no difference in 2."""
    row = "coupled" if number < 15 else "iid" if number < 18 else "tie"
    return next((side for side in ("left", "right") if pair[side] == row), "tie")


def by_keys(view, number: int, side: str) -> None:
    for _ in QUESTIONS:
        view.keyboard.press({"left": "1", "tie": "2", "right": "3"}[side])
    view.keyboard.press("Enter")


def by_touch(view, number: int, side: str) -> None:
    for question in QUESTIONS:
        view.locator(f"#{question} label:has([value={side}])").tap()
    if number < PAIRS - 1:
        view.locator("#next").tap()


@pytest.mark.walks
@pytest.mark.parametrize(("answer", "width"), [(by_keys, 1200), (by_touch, 360)])
def test_twenty_answered_pairs_are_found_again(page, browser, tmp_path, answer, width):
    path, pairs = page
    context = browser.new_context(viewport={"width": width, "height": 900}, has_touch=True)
    view = context.new_page()
    complaints: list[str] = []
    view.on("pageerror", lambda error: complaints.append(str(error)))
    view.on("console", lambda message: complaints.append(message.text))
    view.goto(path.as_uri())
    for number, pair in enumerate(pairs):
        assert view.inner_text("#prompt") == pair["prompt"]
        if number == 4:  # nothing is lost where somebody leaves and comes back
            view.reload()
            assert view.inner_text("#prompt") == pair["prompt"]
        answer(view, number, wanted(number, pair))
    assert f"{PAIRS} answered" in view.inner_text("#place")
    assert view.evaluate("document.documentElement.scrollWidth") <= width
    with view.expect_download() as download:
        view.click("#download")
    download.value.save_as(tmp_path / "answers.jsonl")
    context.close()
    assert not complaints
    lines = (tmp_path / "answers.jsonl").read_text().splitlines()
    assert len(lines) == PAIRS * len(QUESTIONS)
    assert all("pictures" not in json.loads(line) for line in lines)
    text = analysis(read([tmp_path / "answers.jsonl"]))
    for question in QUESTIONS:
        assert f"| {question} | coupled, iid | 15 | 3 | 2 | 0.17 " in text
    assert "| L2 | 0.83 " in text


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(page, browser, scheme):
    path, _ = page
    view = browser.new_page(color_scheme=scheme)
    view.goto(path.as_uri())
    found = axe.Axe().run(view)
    assert found.violations_count == 0, found.generate_report()
