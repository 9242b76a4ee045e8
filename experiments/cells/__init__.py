"""A cell: one method over all prompts; built from a configuration, planned, made and scored."""

from experiments.cells.cost import time_galleries
from experiments.cells.measure import score_galleries

__all__ = ["score_galleries", "time_galleries"]
