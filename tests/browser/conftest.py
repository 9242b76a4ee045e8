"""A browser, where there is one."""

import shutil
from pathlib import Path

import pytest

from scripts.pictures import BROWSERS

CHROMIUM = next(filter(None, map(shutil.which, BROWSERS)), "")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def browser():
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not CHROMIUM:
        pytest.skip("there is no Chromium on this machine")
    with (
        sync_api.sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS) as browser,
    ):
        yield browser


@pytest.fixture
def show(browser):
    """Opens a file at a width and in a colour scheme; complaints of the page fail the test."""
    complaints, views = [], []

    def show(path: Path, *, width: int = 1200, scheme: str = "light", context=browser):
        view = context.new_page() if context is not browser else browser.new_page()
        views.append(view)
        view.set_viewport_size({"width": width, "height": 900})
        view.emulate_media(color_scheme=scheme)
        view.requests = []
        view.on("request", lambda request: view.requests.append(request.url))
        view.on("pageerror", lambda error: complaints.append(str(error)))
        view.on("console", lambda message: complaints.append(message.text))
        view.goto(path.resolve().as_uri())
        return view

    yield show
    for view in views:
        view.close()
    assert not complaints
