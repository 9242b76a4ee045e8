"""What happens between the coupling and the sampler: one file a noise optimiser."""

from coupling.optimizers.base import NoiseOptimizer, Refinement, State
from coupling.optimizers.contrastive import Contrastive, ReleasedContrastive
from coupling.optimizers.divin import DivIn
from coupling.optimizers.group_inference import GroupInference
from coupling.optimizers.preview import Preview
from coupling.optimizers.reward import PairwiseDistance

__all__ = [
    "Contrastive",
    "DivIn",
    "GroupInference",
    "NoiseOptimizer",
    "PairwiseDistance",
    "Preview",
    "Refinement",
    "ReleasedContrastive",
    "State",
]
