"""The page of a small table in a real browser: it shows, sorts and finds, and asks for nothing."""

from pathlib import Path

import hydra
import pytest

from experiments.compose import CONFIGS
from experiments.galleries.gallery import image_metadata
from experiments.run import run

PROMPTS = 14
FIRST = 12


@pytest.fixture(scope="module")
def report(browser, tmp_path_factory) -> Path:
    """The page of a small demo, and beside it that of one cell."""
    folder = tmp_path_factory.mktemp("report")
    overrides = [
        "experiment=demo",
        f"task.num_prompts={PROMPTS}",
        "model.num_steps=2",
        f"output_dir={folder / 'outputs'}",
        f"results_dir={folder / 'results'}",
    ]
    with hydra.initialize_config_dir(str(CONFIGS), version_base="1.3"):
        for chosen in (overrides, [*overrides[1:], "report.galleries=2"]):
            run(hydra.compose("config", overrides=chosen), overrides=chosen)
    return folder / "results" / "demo" / "tiny.html"


def prompts(view) -> list[str]:
    """The headings of the galleries that are seen once all are unfolded, in their order."""
    view.evaluate("document.querySelectorAll('details').forEach((all) => { all.open = true; })")
    return view.locator(".gallery:visible h3").all_text_contents()


def test_every_image_is_shown_and_nothing_is_asked_of_the_network(report, show):
    view = show(report)
    widths = view.evaluate(
        """async () => {
             for (const all of document.querySelectorAll("details")) all.open = true;
             const widths = [];
             for (const image of document.querySelectorAll("img[src]")) {  // lazy: where it is seen
               image.scrollIntoView(); await image.decode(); widths.push(image.naturalWidth); }
             return widths; }"""
    )
    assert len(widths) == PROMPTS * 2 * 3 + 3 and min(widths) > 0
    assert not [url for url in view.requests if not url.startswith(("file:", "data:"))]
    assert [url for url in view.requests if url.startswith("file:")] == [report.as_uri()]


def test_images_and_tables_have_names_for_those_who_cannot_see_them(report, show):
    view = show(report)
    assert all(view.eval_on_selector_all("img[src]", "images => images.map(image => image.alt)"))
    drawings = "svg:not([aria-hidden])"
    assert all(view.eval_on_selector_all(drawings, "all => all.map(e => e.ariaLabel)"))
    assert view.locator("table:not(:has(th))").count() == 0
    ids = view.eval_on_selector_all("nav a", "links => links.map(link => link.hash.slice(1))")
    assert ids and all(view.locator(f"#{id}").count() == 1 for id in ids)


def test_galleries_sort_by_the_effect_of_any_metric(report, show):
    view = show(report)
    in_order = prompts(view)
    keys = view.eval_on_selector_all(
        ".gallery", "cards => cards.map(card => JSON.parse(card.dataset.keys))"
    )
    options = view.locator("#sort option").all_inner_texts()
    assert options[1:] == ["L2", "MSS", "Vendi", "CLIPScore"]
    assert view.locator("#pair option").all_inner_texts() == ["coupled against iid"]
    for k in range(4):
        view.select_option("#sort", str(k))
        effects = dict(zip(in_order, (key[k] for key in keys), strict=True))
        falling = sorted(in_order, key=lambda prompt: -effects[prompt])
        assert prompts(view) == falling
        view.click("#order")
        assert prompts(view) == falling[::-1]
        view.click("#order")
    view.select_option("#sort", "")
    assert prompts(view) == in_order


def test_galleries_are_found_by_words_of_their_prompt(report, show):
    view = show(report)
    before = prompts(view)
    word = before[0].split()[-1]
    view.fill("#find", f"{word.upper()} bedroom")
    assert prompts(view) == [prompt for prompt in before if word in prompt]
    assert view.inner_text("#count") == f"{len(prompts(view))} shown"
    view.fill("#find", "no such words")
    assert prompts(view) == [] and view.locator("#none").is_visible()
    view.fill("#find", "")
    assert prompts(view) == before


def test_a_heading_sorts_its_table(report, show):
    view = show(report)
    column = view.locator("#scores tbody td[data-value]:nth-of-type(1)")
    button = view.locator("#scores thead th:nth-child(2) button")
    for sign, sort in ((1, "ascending"), (-1, "descending")):
        button.click()
        values = [float(cell.get_attribute("data-value")) for cell in column.all()]
        assert len(values) == 2 and values == sorted(values, key=lambda value: sign * value)
        assert button.locator("..").get_attribute("aria-sort") == sort


def background(view) -> int:
    """How bright the page is, 0 to 255."""
    view.wait_for_timeout(50)
    colour = view.evaluate(
        """() => { const canvas = new OffscreenCanvas(1, 1).getContext("2d");
           canvas.fillStyle = getComputedStyle(document.body).backgroundColor;
           canvas.fillRect(0, 0, 1, 1); return [...canvas.getImageData(0, 0, 1, 1).data]; }"""
    )
    return sum(colour[:3]) // 3


@pytest.mark.parametrize(("scheme", "is_dark"), [("light", False), ("dark", True)])
def test_it_follows_the_system_until_the_button_is_pressed(report, show, scheme, is_dark):
    view = show(report, scheme=scheme)
    assert (background(view) < 128) == is_dark
    view.click("#theme")
    assert (background(view) < 128) != is_dark
    view.click("#theme")
    assert (background(view) < 128) == is_dark


@pytest.mark.parametrize("width", [360, 768])
def test_a_phone_scrolls_down_only(report, show, width):
    view = show(report, width=width)
    view.evaluate("document.querySelectorAll('details').forEach((all) => { all.open = true; })")
    assert view.evaluate("document.documentElement.scrollWidth") <= width


def test_a_single_cell_says_how_many_of_its_galleries_it_shows(report, show):
    (page,) = (report.parents[1] / "scores").glob("tiny-repulsive-*.html")
    view = show(page)
    assert len(prompts(view)) == 2
    assert f"first 2 of {PROMPTS} prompts" in view.inner_text("#galleries")
    assert view.locator("#effects").count() == 0


def test_galleries_after_the_first_twelve_are_a_press_away(report, show):
    view = show(report)
    assert view.locator(".gallery:visible").count() == FIRST
    view.click("#more summary")
    assert view.locator(".gallery:visible").count() == PROMPTS


def test_scores_of_galleries_are_shown_when_they_are_asked_for(report, show, browser):
    context = browser.new_context()
    view = show(report, context=context)
    assert view.locator(".metrics:visible").count() == 0
    view.check("#told")
    for seen in (view, show(report, context=context)):
        assert seen.locator(".metrics:visible").count() == 2 * FIRST
    context.close()


def test_an_image_opens_large_and_says_how_it_is_made_again(report, show):
    view = show(report)
    strip = view.locator(".gallery").nth(1).locator("figure").nth(1)
    strip.locator("button").nth(2).press("Enter")
    large = view.locator("#large")
    told = f"{prompts(view)[1]}. coupled, member 2, seed 0"
    assert large.is_visible() and large.locator("p").inner_text() == told
    word, command, image = large.locator("pre").inner_text().split()
    assert (word, command) == ("couple", "replay") and Path(image).name == "2.png"
    assert image_metadata(Path(image))["job"]["prompt"] == prompts(view)[1]
    view.keyboard.press("Escape")
    assert not large.is_visible()


def test_the_book_beside_a_run_knows_its_page(report, show):
    view = show(report)
    view.click("a.brand")
    view.click("text=Independent against coupled galleries")
    assert view.url == report.as_uri()
