"""What a finished run tells a tracking service; nothing here can stop a run, or hold it up long.

`record` turns a cell and its scores into plain values, `send` tells them to Weights & Biases from a
process of its own, and `tracker` stands between them: it comes last, when galleries, scores and
tables are on disk, and all that goes wrong behind it becomes one line.
"""

from experiments.tracking.tracker import WeightsAndBiases

__all__ = ["WeightsAndBiases"]
