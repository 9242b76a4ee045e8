"""What images and scores are made with. It decides about neither, so it is no part of a key."""

import platform
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

ROOT = Path(__file__).parents[2]
"""Of the checkout, if there is one: an installed suite lies in a folder without .git."""


@cache
def provenance(device: torch.device) -> dict[str, Any]:
    """The suite, the libraries and the device that images are made with."""
    libraries = {name: version(name) for name in ("torch", "diffusers", "transformers")}
    processor = torch.cuda.get_device_name(device) if device.type == "cuda" else _processor()
    return {**suite(), **libraries, "device": f"{device.type}: {processor}"}


@cache
def suite(root: Path = ROOT) -> dict[str, str | None]:
    """The suite's version, the commit that is checked out, and its tree: clean or changed.

    It is changed where a tracked file is. None for what is not to be had: the commit and the
    tree outside a checkout, or without git; the version of what was not installed.
    """
    commit = _git(root, "rev-parse", "HEAD")
    changes = _git(root, "status", "--porcelain", "--untracked-files=no")
    tree = None if changes is None else "changed" if changes else "clean"
    try:
        return {"suite": version("couple-to-control"), "commit": commit, "tree": tree}
    except PackageNotFoundError:
        return {"suite": None, "commit": commit, "tree": tree}


def _git(root: Path, *arguments: str) -> str | None:
    """What git says, None if it cannot."""
    if not (root / ".git").exists():  # whatever repository is around it is another one
        return None
    try:
        command = ["git", "-C", str(root), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def _processor() -> str:
    """The processor's name where the system tells it, its architecture elsewhere."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.is_file() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return f"{names[0]}, {len(names)} threads" if names else platform.machine()
