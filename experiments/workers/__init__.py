"""Who makes the galleries: this process, or many (one file each). They hand out whole galleries.

A worker makes a batch, encodes it, and answers with bytes; the one process that holds the store's
lock commits them. So a worker may die at any moment, or do a thing twice, and costs at most the
batch in its hand.
"""

from experiments.workers.actors import RayWorkers
from experiments.workers.automatic import every_card
from experiments.workers.local import LocalWorkers

__all__ = ["LocalWorkers", "RayWorkers", "every_card"]
