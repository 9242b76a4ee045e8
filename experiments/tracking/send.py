"""The one file that speaks to Weights & Biases; a program of its own, started by `tracker`.

    python -P send.py SPOOL

Prints one line about what came of it. Without a key, and without a word from the user (WANDB_MODE,
tracking.mode), everything is kept offline: nothing is asked, and the network is not touched.
"""

import json
import netrc
import os
import select
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

DISABLED = (
    "W&B is disabled here, so nothing was logged; unset WANDB_MODE or set tracking.mode=offline"
)


def main(spool: Path) -> str:
    """Tells the runs of a spool, live until `runs.json` is there; returns what to say about it."""
    document = json.loads((spool / "live.json").read_text(encoding="utf-8"))
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
    with ExitStack() as stack:
        live = {
            run["id"]: stack.enter_context(begin(run, settings, mode)) for run in document["runs"]
        }
        if any(getattr(run, "disabled", False) for run in live.values()):
            return DISABLED
        final = watch(document["runs"], live, spool / "runs.json", settings["interval"])
        for run in final:
            if run["id"] not in live:
                live[run["id"]] = stack.enter_context(begin(run, settings, mode))
            send(run, live[run["id"]])
        address = list(live.values())[-1].url if live and mode == "online" else ""
    if mode == "online":
        return f"{len(live)} run(s), {address}"
    return f"{len(live)} run(s), kept offline; wandb sync {folder}/wandb/offline-run-*"


def watch(runs: list[dict], live: Mapping, final: Path, interval: float) -> list[dict]:
    """Logs what is committed whenever it has changed, until the final word, or until the run that
    was to write it is gone: its end of our standard input is closed, and [] is returned.
    """
    began = time.monotonic()
    seen: dict[str, tuple[int, int]] = {}
    first: dict[str, int] = {}
    while True:
        ended = final.is_file() or bool(select.select([sys.stdin], [], [], 0)[0])
        for run in runs:
            folder = Path(run["watched"])
            done, failed = (_lines(folder, name) for name in ("manifest", "failures"))
            start = first.setdefault(run["id"], done)
            if seen.get(run["id"]) != (done, failed):
                seconds = max(time.monotonic() - began, 1e-9)
                progress: dict[str, float] = {"galleries": done, "failures": failed}
                progress["galleries_per_second"] = (done - start) / seconds
                live[run["id"]].log({f"progress/{name}": value for name, value in progress.items()})
                seen[run["id"]] = (done, failed)
        if ended:
            return json.loads(final.read_text(encoding="utf-8")) if final.is_file() else []
        time.sleep(interval)


def _lines(cell: Path, name: str) -> int:
    """The lines of a cell's file, and of those of its shards."""
    files = [*cell.glob(f"{name}.jsonl"), *cell.glob(f"shards/*/*/{name}.jsonl")]
    return sum(file.read_bytes().count(b"\n") for file in files)


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


def begin(run: Mapping, settings: Mapping, mode: Any) -> Any:
    """A run of the service, or the one of that id going on, with the machine's charts."""
    import wandb

    return wandb.init(
        project=settings["project"],
        entity=settings["entity"],
        dir=settings["folder"],
        mode=mode,
        id=run["id"],
        resume="allow",
        reinit="create_new",
        name=run["name"],
        group=run["group"],
        job_type=run["job_type"],
        tags=run["tags"],
        config=run["config"],
        settings=wandb.Settings(console="off", silent=True, disable_git=True, disable_code=True),
    )


def send(run: Mapping, live: Any) -> None:
    """Tells what has come of a run."""
    import wandb

    live.summary.update(run["summary"])
    media: dict[str, Any] = {name: wandb.Image(path) for name, path in run["figures"].items()}
    if run["lines"]:
        columns, lines = _table(run, wandb.Image)
        media["prompts"] = wandb.Table(columns, lines)
    if media:
        live.log(media)
    for use, artifacts in ((True, run["uses"]), (False, run["artifacts"])):
        for artifact in artifacts:
            files = wandb.Artifact(artifact["name"], type=artifact["type"])
            for path in artifact["paths"]:
                files.add_file(path)
            if not use:
                live.log_artifact(files)
            elif live.offline:
                # use_artifact refuses before it comes to this, which `wandb sync` links as well
                live._log_artifact(files, is_user_created=True, use_after_commit=True)
            else:
                live.use_artifact(files)  # equal files are one version, whichever run brings them


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
