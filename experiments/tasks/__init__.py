"""What to generate: a task is a list of gallery jobs, and prompts or pictures come from sources."""

from experiments.tasks.diversity import Diversity
from experiments.tasks.objects import Objects
from experiments.tasks.prompts import captions, from_file, from_list, held_out
from experiments.tasks.references import PictureFolder, Renderings
from experiments.tasks.scenes import from_folder, rendered

__all__ = [
    "Diversity",
    "Objects",
    "PictureFolder",
    "Renderings",
    "captions",
    "from_file",
    "from_folder",
    "from_list",
    "held_out",
    "rendered",
]
