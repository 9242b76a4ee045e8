"""The committed pages and the book in a real browser, on a phone and on a desk, light and dark, and
on paper: everybody can read them, links land where they point, and nothing is cut.
"""

import re
from importlib.resources import files
from pathlib import Path

import pytest

RESULTS = Path(__file__).parents[2] / "results"
PAGES = [RESULTS / "index.html", *sorted(RESULTS.glob("*/*.html"))]
PAPER = 718  # px of A4 between margins of 12 mm, and a little less
MOST_SHEETS = {"table1": 12, "compute": 20}

each_page = pytest.mark.parametrize(
    "path", PAGES, ids=[path.relative_to(RESULTS).parts[0] for path in PAGES]
)

pytestmark = pytest.mark.walks


@each_page
def test_axe_finds_nothing(path, show):
    pytest.importorskip("axe_playwright_python", reason="axe-playwright-python is not installed")
    axe = files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")
    view = show(path)
    view.evaluate("document.querySelectorAll('details').forEach((all) => { all.open = true; })")
    view.add_script_tag(content=axe)
    for width in (390, 1440):
        for scheme in ("light", "dark"):
            view.set_viewport_size({"width": width, "height": 900})
            view.emulate_media(color_scheme=scheme)
            found = view.evaluate("axe.run({ resultTypes: ['violations'] })")["violations"]
            told = [(each["id"], each["nodes"][0]["html"]) for each in found]
            assert not told, (width, scheme)


@each_page
@pytest.mark.parametrize("width", [390, 1440])
def test_a_link_within_a_page_lands_at_its_heading(path, width, show):
    view = show(path, width=width)
    for link in view.locator("a[href^='#']").all():
        link.click()
        top = "(id) => document.getElementById(id).querySelector('h2').getBoundingClientRect().top"
        assert 0 <= view.evaluate(top, link.get_attribute("href")[1:]) < 50, link
        view.evaluate("scrollTo(0, 0)")


@each_page
def test_a_link_to_another_file_has_one(path, show):
    view = show(path)
    links = view.eval_on_selector_all("a", "all => all.map((a) => a.getAttribute('href'))")
    beside = [link for link in links if not re.match(r"#|https?:", link)]
    assert [link for link in beside if not (path.parent / link).resolve().is_file()] == []
    assert path.parent == RESULTS or "../index.html" in beside


@each_page
def test_a_page_can_be_sent(path):
    assert path.stat().st_size < 1.5e6


@each_page
def test_on_paper_no_column_is_cut_and_colours_are_there(path, show):
    view = show(path, width=PAPER, scheme="dark")
    view.emulate_media(media="print")
    cut = "all => all.filter((e) => e.scrollWidth > e.clientWidth + 1).map((e) => e.ariaLabel)"
    assert view.eval_on_selector_all(".wide", cut) == []
    assert view.evaluate("document.documentElement.scrollWidth") <= PAPER
    adjusted = "all => [...new Set(all.map((e) => getComputedStyle(e).printColorAdjust))]"
    assert view.eval_on_selector_all("main *", adjusted) == ["exact"]
    if most := MOST_SHEETS.get(path.parent.name):
        assert len(re.findall(rb"/Type\s*/Page\b", view.pdf(format="A4"))) <= most


def test_a_method_that_is_not_wanted_is_left_out_and_stays_so(browser, show):
    context = browser.new_context()
    path = RESULTS / "table1" / "tiny.html"
    view = show(path, context=context)
    view.click("#theme")
    view.click("#methods summary")
    view.uncheck("#methods input[value='iid+cno']")
    view.click("#scores thead th:nth-child(2) button")
    for seen in (view, show(path, context=context)):
        rows = seen.locator("#scores tbody:visible > tr:first-child th").all_inner_texts()
        assert rows == ["iid", "coupled", "coupled+cno"]
        assert seen.locator("#scores th[aria-sort='ascending']").count() == 1
        assert seen.locator(".card[data-row='iid+cno']:visible").count() == 0
        assert seen.evaluate("document.documentElement.dataset.theme") == "dark"
    context.close()


def test_the_head_of_a_column_stays_over_it(show):
    view = show(RESULTS / "cno-presets" / "tiny.html", width=390)
    frame = view.locator("#scores .wide")
    frame.evaluate("(e) => { e.scrollLeft = 300; }")
    for column in (0, 3):
        place = f"""(e) => ["thead", "tbody"].map((part) => e.querySelector(part).rows[0]
            .cells[{column}].getBoundingClientRect().left)"""
        head, body = frame.evaluate(place)
        assert head == pytest.approx(body, abs=1)
