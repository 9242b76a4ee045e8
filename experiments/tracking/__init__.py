"""What a run tells a tracking service; nothing here can stop a run, or hold it up long.

`record` turns a cell and its scores into plain values, `send` tells them to Weights & Biases from a
process of its own, and `tracker` stands between them: while the run works, the process reads what
is committed; scores come last, when tables are on disk. All that goes wrong becomes one line.
"""

from experiments.tracking.tracker import WeightsAndBiases

__all__ = ["WeightsAndBiases"]
