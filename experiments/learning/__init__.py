"""Learning a coupling with a model and a reward: the problem, the card it ends in, its report."""
