"""Learning a coupling with a model and a reward: the problem, and the card that it ends in."""

from experiments.learning.card import learned
from experiments.learning.rewards import PairwiseLPIPS, negative

__all__ = ["PairwiseLPIPS", "learned", "negative"]
