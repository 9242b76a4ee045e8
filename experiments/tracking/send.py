"""The one file that speaks to Weights & Biases; a program of its own, started by `tracker`.

    python -P send.py RUNS.json

Prints one line about what came of it. Without a key, and without a word from the user (WANDB_MODE,
tracking.mode), everything is kept offline: nothing is asked, and the network is not touched.
"""

import json
import netrc
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

DISABLED = (
    "W&B is disabled here, so nothing was logged; unset WANDB_MODE or set tracking.mode=offline"
)


def main(file: Path) -> str:
    """Tells all runs of the file; returns what to say about it."""
    document = json.loads(file.read_text(encoding="utf-8"))
    settings = document["settings"]
    folder = Path(settings["folder"])
    folder.mkdir(parents=True, exist_ok=True)
    # copies of artifacts that are not sent yet belong to the runs, not in the home
    os.environ.setdefault("WANDB_DATA_DIR", str(folder / "wandb" / "data"))
    mode = (
        settings["mode"] or os.environ.get("WANDB_MODE") or ("online" if has_key() else "offline")
    )
    if mode == "disabled":
        return DISABLED
    if mode != "online":
        os.environ["WANDB_ERROR_REPORTING"] = "false"  # or the client reports on itself even so
    places = [send(run, settings, mode) for run in document["runs"]]
    if DISABLED in places:
        return DISABLED
    if mode == "online":
        return f"{len(places)} run(s), {places[-1]}"
    return f"{len(places)} run(s), kept offline; wandb sync {folder}/wandb/offline-run-*"


def has_key() -> bool:
    """Whether there is a key where the client looks for one: in the environment or in netrc."""
    if os.environ.get("WANDB_API_KEY"):
        return True
    host = urlsplit(os.environ.get("WANDB_BASE_URL", "https://api.wandb.ai")).netloc
    try:
        hosts = netrc.netrc(os.environ.get("NETRC", Path.home() / ".netrc"))
    except (OSError, netrc.NetrcParseError):
        return False
    return hosts.authenticators(host) is not None


def send(run: Mapping, settings: Mapping, mode: Any) -> str | None:
    """Tells one run; returns its address, if it has one, or DISABLED."""
    import wandb

    with wandb.init(
        project=settings["project"],
        entity=settings["entity"],
        dir=settings["folder"],
        mode=mode,
        id=run["id"],
        resume="allow",
        name=run["name"],
        group=run["group"],
        job_type=run["job_type"],
        tags=run["tags"],
        config=run["config"],
        settings=wandb.Settings(
            console="off", silent=True, disable_git=True, disable_code=True, x_disable_stats=True
        ),
    ) as live:
        if getattr(live, "disabled", False):
            return DISABLED
        live.summary.update(run["summary"])
        media: dict[str, Any] = {name: wandb.Image(path) for name, path in run["figures"].items()}
        if run["lines"]:
            columns, lines = _table(run, wandb.Image)
            media["prompts"] = wandb.Table(columns, lines)
        if media:
            live.log(media)
        for artifact in run["artifacts"]:
            files = wandb.Artifact(artifact["name"], type=artifact["type"])
            for path in artifact["paths"]:
                files.add_file(path)
            live.log_artifact(files)
        return live.url if mode == "online" else None


def _table(run: Mapping, image: type) -> tuple[list[str | int], list[list[Any]]]:
    """Columns and lines: the scores of every prompt, and the images of the galleries shown."""
    galleries = run["galleries"]
    size = max(map(len, galleries), default=0)
    columns: list[str | int] = [*run["columns"], *(f"image {member}" for member in range(size))]
    unseen: list[list[str]] = [[]] * (len(run["lines"]) - len(galleries))
    return columns, [
        [*line, *map(image, paths), *[None] * (size - len(paths))]
        for line, paths in zip(run["lines"], [*galleries, *unseen], strict=True)
    ]


if __name__ == "__main__":
    try:
        print(main(Path(sys.argv[1])))
    except Exception as error:  # the line is for the user of the run, not for us
        print(f"{type(error).__name__}: {' '.join(str(error).split())}")
        sys.exit(1)
