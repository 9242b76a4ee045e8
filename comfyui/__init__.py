"""Nodes of coupled noise for ComfyUI; `make comfyui` puts the package coupling into this folder."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # for coupling; all else here is of no package

from .nodes import NODE_CLASS_MAPPINGS, NODE_DISPLAY_NAME_MAPPINGS

__all__ = ["NODE_CLASS_MAPPINGS", "NODE_DISPLAY_NAME_MAPPINGS"]
