"""Make README's pictures again: galleries of the bundled model, and the page of `make demo`.

    python scripts/pictures.py

The prompts were chosen by looking at galleries of the first 24 captions: the model follows them and
what the coupling does can be seen. What it does on the average is for the tables to say.

The page is photographed where `make demo` has left it, which takes playwright and Chromium.
"""

import argparse
import io
import shutil
from pathlib import Path

from PIL import Image

from experiments.errors import UsageError, command

PROMPTS = ["a bedroom", "a bedroom with blue walls", "a bedroom with pink walls in daylight"]
SIZE = 5  # images of a gallery
DEMO = Path("outputs/results/demo/tiny.html")
WIDTH, HEIGHT = 900, 1100  # pixels of the page that are seen
BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
"""The names of Chromium, the quickest first."""


@command()
def main() -> None:
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    print(galleries(Path("results/hero.png")))
    print(photograph(Path("results/demo-report.png")))


def galleries(path: Path) -> Path:
    """Galleries of PROMPTS side by side, from independent and from repulsive noises."""
    from diffusers import StableDiffusionPipeline

    import coupling
    from experiments import evaluate
    from experiments.compose import BUNDLED, compose

    model = compose([]).model
    result = evaluate(
        StableDiffusionPipeline.from_pretrained(BUNDLED / "pipeline"),
        PROMPTS,
        rows={"independent": coupling.iid(SIZE), "repulsive": coupling.repulsive(SIZE)},
        metrics="tiny",
        folder="outputs/pictures",
        num_inference_steps=model.num_steps,
        guidance_scale=model.guidance,
    )
    return Path(shutil.copy(result.publication.pictures["galleries"], path))


def photograph(path: Path) -> Path:
    """The top of the demo's page, light and dark beside each other.

    Raises:
        UsageError: there is no page, or no Chromium.
    """
    if not DEMO.is_file():
        raise UsageError(f"{DEMO} is not there: run make demo")

    from playwright.sync_api import sync_playwright

    if not (chromium := next(filter(None, map(shutil.which, BROWSERS)), None)):
        raise UsageError("there is no Chromium here to photograph the page with; install it")
    both = Image.new("RGB", (2 * WIDTH, HEIGHT))
    with (
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"]) as browser,
    ):
        for place, scheme in enumerate(("light", "dark")):
            view = browser.new_page(
                viewport={"width": WIDTH, "height": HEIGHT}, color_scheme=scheme
            )
            view.goto(DEMO.resolve().as_uri())
            both.paste(Image.open(io.BytesIO(view.screenshot())), (place * WIDTH, 0))
    both.save(path)
    return path


if __name__ == "__main__":
    main()
