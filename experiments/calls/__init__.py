"""What Python calls: a model in memory evaluated, pictures at hand scored; both as commands do."""

from experiments.calls.evaluate import Result, evaluate
from experiments.calls.score import score

__all__ = ["Result", "evaluate", "score"]
