"""What images are made with."""

import platform
from functools import cache
from importlib.metadata import version
from pathlib import Path

import torch


@cache
def provenance(device: torch.device) -> dict[str, str]:
    """The libraries and the device that images are made with."""
    libraries = {name: version(name) for name in ("torch", "diffusers", "transformers")}
    processor = torch.cuda.get_device_name(device) if device.type == "cuda" else _processor()
    return {**libraries, "device": f"{device.type}: {processor}"}


def _processor() -> str:
    """The processor's name where the system tells it, its architecture elsewhere."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.is_file() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return f"{names[0]}, {len(names)} threads" if names else platform.machine()
